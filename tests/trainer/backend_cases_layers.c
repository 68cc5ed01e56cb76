/* Convolution, group norm, relu, mean and the linear layer. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/narrow.h"
#include "backend_world.h"

/* ---- convolutions -------------------------------------------------------------------- */

/* float32 throughout, but terms are summed in any order and by Winograd's formulas. A product
 * of TF32, with 10 bits, would be off by 3e-4. */
#define CONV_TOLERANCE 5e-5

static const struct conv_shape convs[] = {
	/* n c h w, k r s, strides, pads, no_dx */
	{ 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, false },
	{ 2, 3, 5, 7, 4, 3, 3, 1, 1, 1, 1, false },
	{ 3, 3, 17, 15, 8, 3, 3, 2, 2, 1, 1, false },
	{ 8, 3, 32, 32, 16, 3, 3, 2, 2, 1, 1, false },
	{ 4, 16, 16, 16, 32, 3, 3, 2, 2, 1, 1, false },
	{ 5, 13, 1, 47, 16, 1, 5, 1, 2, 0, 2, false },
	{ 2, 5, 1, 3, 7, 1, 5, 1, 2, 0, 2, false },
	{ 1, 2, 9, 6, 3, 5, 3, 1, 2, 0, 1, false },
	{ 2, 3, 6, 11, 5, 1, 1, 3, 2, 0, 0, false },
	{ 1, 4, 3, 3, 2, 3, 3, 1, 1, 0, 0, false },
	{ 300, 1, 2, 2, 1, 2, 2, 1, 1, 1, 1, false },
};

/* skip: values in front of the filters. */
static void convolve(const struct conv_shape *s, size_t skip)
{
	size_t n_y = (size_t)s->n * s->k * conv_out_h(s) * conv_out_w(s);
	size_t n_x = (size_t)s->n * s->c * s->h * s->w, n_filters = (size_t)s->k * s->c * s->r * s->s;
	struct array *x = world_activations(n_x), *dy = world_activations(n_y);
	struct array *y = world_unwritten_activations(n_y), *dx = world_unwritten_activations(n_x);
	struct array *filters = world_values_from(n_filters, 0, 1, skip);
	struct array *dfilters = world_unwritten_at(n_filters, skip);

	dfilters->rounded = true;
	for EACH_RUN(b, run) {
		struct conv *c;

		assert_int_equal(b->ops->conv_new(b, s, &c), 0);
		assert_int_equal(b->ops->conv_forward(b, c, x->f[run], filters->f[run], y->f[run]), 0);
		assert_int_equal(b->ops->conv_backward_data(b, c, dy->f[run], filters->f[run],
		                                            dx->f[run]), 0);
		assert_int_equal(b->ops->conv_backward_filters(b, c, x->f[run], dy->f[run],
		                                               dfilters->f[run]), 0);
		b->ops->conv_free(b, c);
	}
	world_same_but_repeats(y, CONV_TOLERANCE);
	world_same_but_repeats(dx, CONV_TOLERANCE);
	world_same_but_repeats(dfilters, CONV_TOLERANCE);
	if (world.config.repeats) {
		world_same_bits(y, FIRST, SECOND);
		world_same_bits(dx, FIRST, SECOND);
		world_same_bits(dfilters, FIRST, SECOND);
	}
	world_free();
}

static void convolutions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(convs); i++)
		convolve(&convs[i], 0);
}

static void convolutions_with_filters_at_odd_addresses(void **state)
{
	(void)state;
	for (size_t i = 1; i < 6; i++)
		convolve(&convs[i], i % 3 + 1);
}

/* One filter of one weight for each number that 16 bits can be, and for what lies in the middle
 * between it and the next and on both sides of that: over a picture of one 1 it is what comes
 * out, and its gradient what went in. Floats below 2^-126 are left out: GPUs may take them for 0. */
static void filters_are_rounded_to_the_nearest(void **state)
{
	enum { K = 4 * 4096 };
	const struct conv_shape s = { 1, 1, 1, 1, K, 1, 1, 1, 1, 0, 0, false };
	enum precision precision = world.backend[FIRST]->activations;
	float *values = malloc(K * sizeof(*values)), one = 1;

	(void)state;
	assert_non_null(values);
	if (precision == PRECISION_FLOAT32) {
		free(values);
		return; /* nothing is rounded */
	}
	for (uint32_t first = 0; first < 1 << 16; first += K / 4) {
		struct array *x, *y, *filters, *dy, *dfilters;

		for (uint32_t i = 0; i < K / 4; i++) {
			uint16_t bits[2] = { (uint16_t)(first + i), (uint16_t)(first + i + 1) };
			float two[2], *v = values + 4 * i;

			narrow_widen(precision, 2, bits, two);
			v[0] = two[0];
			v[1] = two[0] / 2 + two[1] / 2;
			v[2] = nextafterf(v[1], 0);
			v[3] = nextafterf(v[1], v[1] < 0 ? -INFINITY : INFINITY);
			for (int k = 0; k < 4; k++)
				v[k] = fabsf(v[k]) < FLT_MIN ? 0 : v[k];
		}
		x = world_activations_of(1, &one);
		filters = world_array(K, sizeof(*values), values, 0);
		dy = world_activations_of(K, values);
		y = world_unwritten_activations(K);
		dfilters = world_unwritten(K);
		for EACH_RUN(b, run) {
			struct conv *c;

			assert_int_equal(b->ops->conv_new(b, &s, &c), 0);
			assert_int_equal(b->ops->conv_forward(b, c, x->f[run], filters->f[run], y->f[run]), 0);
			assert_int_equal(b->ops->conv_backward_filters(b, c, x->f[run], dy->f[run],
			                                               dfilters->f[run]), 0);
			b->ops->conv_free(b, c);
		}
		world_same_numbers(y, REFERENCE, FIRST);
		world_same_numbers(dfilters, REFERENCE, FIRST);
		world_free();
	}
	free(values);
}

static void a_filter_larger_than_the_picture_is_refused(void **state)
{
	const struct conv_shape s = { 1, 1, 2, 5, 1, 3, 3, 1, 1, 0, 0, false };
	struct backend *b = world.backend[FIRST];
	struct conv *c;

	(void)state;
	assert_int_equal(b->ops->conv_new(b, &s, &c), -EINVAL);
}

/* ---- group norm ---------------------------------------------------------------------- */

#define NORM_TOLERANCE 1e-6
#define NORM_BACKWARD_TOLERANCE 2e-6

static const struct norm_shape norms[] = {
	/* n, c, m, groups, eps */
	{ 1, 1, 1, 1, 1e-5f },
	{ 1, 1, 2, 1, 1e-5f },
	{ 2, 3, 1, 1, 1e-5f },
	{ 3, 8, 7, 4, 1e-5f },
	{ 1, 16, 257, 8, 1e-5f },
	{ 2, 12, 100, 3, 1e-5f },
	{ 5, 32, 49, 8, 1e-5f },
	{ 1, 4, 4099, 1, 1e-5f },
	{ 300, 2, 3, 2, 1e-5f },
	{ 2, 700, 1, 700, 1e-5f },
	{ 17, 6, 31, 2, 1e-3f },
};

static void norm(const struct norm_shape *s, float centre, float spread, double looser)
{
	size_t n = (size_t)s->n * s->c * s->m, groups = (size_t)s->n * s->groups;
	struct array *x = world_activations_from(n, centre, spread), *gamma = world_values(s->c);
	struct array *beta = world_values(s->c), *dy = world_activations(n);
	struct array *y = world_unwritten_activations(n), *dx = world_unwritten_activations(n);
	struct array *mean = world_unwritten(groups), *rstd = world_unwritten(groups);
	struct array *dgamma = world_unwritten(s->c), *dbeta = world_unwritten(s->c);
	struct array *dgamma2 = world_unwritten(s->c), *dbeta2 = world_unwritten(s->c);

	for EACH_RUN(b, run) {
		assert_int_equal(b->ops->norm_forward(b, s, x->f[run], gamma->f[run], beta->f[run],
		                                      y->f[run], mean->f[run], rstd->f[run]), 0);
		assert_int_equal(b->ops->norm_backward(b, s, dy->f[run], x->f[run], gamma->f[run],
		                                       mean->f[run], rstd->f[run], dx->f[run],
		                                       dgamma->f[run], dbeta->f[run]), 0);
		/* in place */
		assert_int_equal(b->ops->norm_backward(b, s, dy->f[run], x->f[run], gamma->f[run],
		                                       mean->f[run], rstd->f[run], dy->f[run],
		                                       dgamma2->f[run], dbeta2->f[run]), 0);
	}
	world_same(mean, NORM_TOLERANCE);
	world_same(rstd, NORM_TOLERANCE * looser);
	world_same(y, NORM_TOLERANCE * looser);
	/* dy and gamma are at most 1; of two values nothing remains. */
	world_same_beside(dx, NORM_BACKWARD_TOLERANCE * looser, world_largest(rstd));
	world_same_beside(dy, NORM_BACKWARD_TOLERANCE * looser, world_largest(rstd));
	world_same(dgamma, NORM_BACKWARD_TOLERANCE * looser);
	world_same(dbeta, NORM_BACKWARD_TOLERANCE);
	world_same(dgamma2, NORM_BACKWARD_TOLERANCE * looser);
	world_same(dbeta2, NORM_BACKWARD_TOLERANCE);
	world_free();
}

static void group_norm(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(norms); i++)
		norm(&norms[i], 0.3f, 2, 1);
}

/* 1 in 1000 beside the mean, of which float32 leaves 1e-4 in 1. */
static void group_norm_of_values_far_from_zero(void **state)
{
	(void)state;
	for (size_t i = 2; i < COUNT(norms); i++)
		norm(&norms[i], 1000, 1, 100);
}

static void group_norm_of_equal_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(norms); i++)
		norm(&norms[i], 7, 0, 1);
}

/* ---- relu, mean, linear -------------------------------------------------------------- */

static void relu(void **state)
{
	static const size_t n[] = { 1, 255, 256, 257, 3 * 256, 3 * 256 + 1, 10007, (1 << 20) + 77 };

	(void)state;
	for (size_t i = 0; i < COUNT(n); i++) {
		struct array *x = world_activations(n[i]), *y = world_unwritten_activations(n[i]);
		struct array *dy = world_activations(n[i]), *dx = world_unwritten_activations(n[i]);

		for EACH_RUN(b, run) {
			assert_int_equal(b->ops->relu_forward(b, n[i], x->f[run], y->f[run]), 0);
			assert_int_equal(b->ops->relu_backward(b, n[i], dy->f[run], y->f[run], dx->f[run]), 0);
			assert_int_equal(b->ops->relu_forward(b, n[i], x->f[run], x->f[run]), 0);
			assert_int_equal(b->ops->relu_backward(b, n[i], dy->f[run], y->f[run], dy->f[run]), 0);
		}
		world_same(y, 0);
		world_same(dx, 0);
		world_same(x, 0);
		world_same(dy, 0);
		world_free();
	}
}

static void relu_of_zeros_and_nans(void **state)
{
	const float in[] = { 0, -0.0f, NAN, -NAN, INFINITY, -INFINITY, 1e-45f, -1e-45f };
	struct array *x, *y, *dy, *dx;

	(void)state;
	x = world_activations_of(COUNT(in), in);
	y = world_unwritten_activations(COUNT(in));
	dy = world_activations(COUNT(in));
	dx = world_unwritten_activations(COUNT(in));
	for EACH_RUN(b, run) {
		assert_int_equal(b->ops->relu_forward(b, COUNT(in), x->f[run], y->f[run]), 0);
		assert_int_equal(b->ops->relu_backward(b, COUNT(in), dy->f[run], x->f[run], dx->f[run]), 0);
	}
	world_same_bits(y, REFERENCE, FIRST);
	world_same_bits(dx, REFERENCE, FIRST);
	world_free();
}

static void mean(void **state)
{
	static const int shapes[][5] = { /* n t c m, stride - c */
		{ 1, 1, 1, 1, 0 }, { 2, 3, 4, 5, 3 }, { 3, 8, 16, 49, 16 }, { 1, 1, 7, 1025, 0 },
		{ 70, 2, 13, 1, 1 }, { 4, 5, 3, 64, 0 }, { 2, 1, 900, 3, 5 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		int n = shapes[i][0], t = shapes[i][1], c = shapes[i][2], m = shapes[i][3];
		int stride = c + shapes[i][4];
		size_t n_x = (size_t)n * t * c * m;
		struct array *x = world_activations_from(n_x, 0.5f, 1);
		struct array *y = world_unwritten((size_t)n * stride);
		struct array *dy = world_values((size_t)n * stride), *dx = world_unwritten_activations(n_x);

		for EACH_RUN(b, run) {
			assert_int_equal(b->ops->mean_forward(b, n, t, c, m, x->f[run], y->f[run], stride), 0);
			assert_int_equal(b->ops->mean_backward(b, n, t, c, m, dy->f[run], stride,
			                                       dx->f[run]), 0);
		}
		world_same(y, 5e-7); /* and the rest of each row untouched: NaNs on both sides */
		world_same(dx, 0);
		world_free();
	}
}

#define LINEAR_TOLERANCE 1e-5

static void linear(void **state)
{
	static const int shapes[][3] = { /* n in out */
		{ 1, 1, 1 }, { 2, 3, 5 }, { 64, 128, 10 }, { 33, 17, 257 }, { 7, 300, 1 }, { 1, 640, 1000 },
		{ 1025, 2, 3 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		int n = shapes[i][0], in = shapes[i][1], out = shapes[i][2];
		struct array *x = world_values((size_t)n * in), *weights = world_values((size_t)out * in);
		struct array *bias = world_values(out), *dy = world_values((size_t)n * out);
		struct array *y = world_unwritten((size_t)n * out), *dx = world_unwritten((size_t)n * in);
		struct array *dweights = world_unwritten((size_t)out * in), *dbias = world_unwritten(out);

		for EACH_RUN(b, run) {
			assert_int_equal(b->ops->linear_forward(b, n, in, out, x->f[run], weights->f[run],
			                                        bias->f[run], y->f[run]), 0);
			assert_int_equal(b->ops->linear_backward(b, n, in, out, x->f[run], weights->f[run],
			                                         dy->f[run], dx->f[run], dweights->f[run],
			                                         dbias->f[run]), 0);
		}
		world_same(y, LINEAR_TOLERANCE);
		world_same(dx, LINEAR_TOLERANCE);
		world_same(dweights, LINEAR_TOLERANCE);
		world_same(dbias, 1e-6);
		world_free();
	}
}
/* After a test that failed in the middle. */
static int teardown(void **state)
{
	(void)state;
	world_free();
	return 0;
}

#define CASE(name) cmocka_unit_test_teardown(name, teardown)

int backend_cases_layers(const char *name)
{
	const struct CMUnitTest tests[] = {
		CASE(convolutions),
		CASE(convolutions_with_filters_at_odd_addresses),
		CASE(filters_are_rounded_to_the_nearest),
		CASE(a_filter_larger_than_the_picture_is_refused),
		CASE(group_norm),
		CASE(group_norm_of_values_far_from_zero),
		CASE(group_norm_of_equal_values),
		CASE(relu),
		CASE(relu_of_zeros_and_nans),
		CASE(mean),
		CASE(linear),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
