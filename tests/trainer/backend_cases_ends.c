/* Loss, samples and optimizers. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend_world.h"

/* ---- loss ---------------------------------------------------------------------------- */

/* float64 until the last rounding. */
#define LOSS_TOLERANCE 2e-7

static void loss_of(const struct loss_shape *s, struct array *logits)
{
	size_t n = (size_t)s->n, n_logits = n * s->classes;
	struct array *labels = world_numbers(n, s->classes);
	struct array *weights = world_values_from(n, 0.5f, 0.5f, 0);
	struct array *loss = world_unwritten(n), *hit = world_unwritten(n);
	struct array *dlogits = world_unwritten(n_logits);

	for EACH_RUN(b, run)
		assert_int_equal(b->ops->loss(b, s, logits->f[run], labels->i[run], weights->f[run],
		                              loss->f[run], hit->i[run], dlogits->f[run]), 0);
	world_same(loss, LOSS_TOLERANCE);
	world_same(dlogits, LOSS_TOLERANCE);
	world_same_bits(hit, REFERENCE, FIRST);
	world_same_bits(hit, FIRST, SECOND);
	world_free();
}

static void loss(void **state)
{
	static const struct loss_shape shapes[] = {
		{ 1, 1, 0, 1 }, { 1, 2, 0, 0.25f }, { 7, 10, 0.1f, 1 / 7.f }, { 64, 10, 0, 1 / 64.f },
		{ 3, 255, 0.1f, 1 }, { 2, 256, 0.1f, 1 }, { 2, 257, 0, 1 }, { 300, 3, 0.2f, 1 },
		{ 5, 1000, 0.1f, 0.2f },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		size_t n = (size_t)shapes[i].n * shapes[i].classes;

		loss_of(&shapes[i], world_values_from(n, 0, 8, 0));
		loss_of(&shapes[i], world_values_from(n, 90, 90, 0));
	}
}

static void of_equal_logits_the_first_counts(void **state)
{
	static const struct loss_shape shapes[] = { { 9, 4, 0, 1 }, { 40, 600, 0.1f, 1 } };

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++)
		loss_of(&shapes[i], world_values_from((size_t)shapes[i].n * shapes[i].classes, 1, 0, 0));
}

static void logits_that_are_no_numbers(void **state)
{
	const struct loss_shape s = { 6, 3, 0.1f, 1 };
	const float in[] = {
		NAN, 1, 2,    1, NAN, 2,    1, 2, NAN,    NAN, NAN, NAN,
		INFINITY, 0, 1,    -INFINITY, -INFINITY, 3,
	};

	(void)state;
	loss_of(&s, world_array(COUNT(in), sizeof(*in), in, 0));
}

/* ---- samples ------------------------------------------------------------------------- */

static void frames(void **state)
{
	static const struct frames_shape shapes[] = { /* n t, h w, crop */
		{ 1, 1, 1, 1, 1, 1 }, { 2, 3, 5, 7, 5, 7 }, { 1, 2, 9, 300, 4, 257 },
		{ 3, 1, 20, 20, 7, 3 }, { 4, 2, 16, 16, 11, 16 }, { 1, 1, 1, 256, 1, 256 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		const struct frames_shape *s = &shapes[i];
		size_t n_in = (size_t)s->n * s->t * s->h * s->w * 3;
		size_t n_out = (size_t)s->n * s->t * 3 * s->crop_h * s->crop_w;
		uint8_t *in = malloc(n_in);
		struct crop crop[8];
		struct array *pixels, *crops, *y = world_unwritten_activations(n_out);

		assert_non_null(in);
		for (size_t k = 0; k < n_in; k++)
			in[k] = (uint8_t)world_draw(1000 + (uint32_t)i, k);
		for (int k = 0; k < s->n; k++)
			crop[k] = (struct crop){ (s->h - s->crop_h) * k / s->n,
			                         s->w - s->crop_w - (s->w - s->crop_w) * k / s->n, k % 2 };
		pixels = world_array(n_in, 1, in, 0);
		crops = world_array((size_t)s->n, sizeof(*crop), crop, 0);
		free(in);
		for EACH_RUN(b, run)
			assert_int_equal(b->ops->frames_in(b, s, pixels->u[run],
			                                   (const struct crop *)(void *)crops->u[run],
			                                   y->f[run]), 0);
		world_same(y, 0);
		world_free();
	}
}

static void mfcc_rows(int rows, int m, float centre, float spread)
{
	size_t n = (size_t)rows * m;
	struct array *x = world_values_from(n, centre, spread, 0);
	struct array *y = world_unwritten_activations(n);

	for EACH_RUN(b, run)
		assert_int_equal(b->ops->mfcc_in(b, rows, m, x->f[run], y->f[run]), 0);
	world_same(y, 2e-7);
	world_free();
}

static void mfcc(void **state)
{
	(void)state;
	mfcc_rows(1, 1, 3, 5);
	mfcc_rows(3, 2, 0, 1);
	mfcc_rows(13, 65, -200, 300);
	mfcc_rows(40, 129, 10, 20);
	mfcc_rows(5, 301, 0, 1);
	mfcc_rows(700, 4, 1000, 1);
	mfcc_rows(3, 33, 4, 0);
}

/* ---- optimizers ---------------------------------------------------------------------- */

/* The same operations in the same order; but compilers may fuse the reference's where the
 * CPU can. */
#ifdef __FP_FAST_FMAF
#define STEP_TOLERANCE 1e-6
#else
#define STEP_TOLERANCE 0
#endif

static const size_t step_sizes[] = { 1, 255, 256, 1000, 3 * 256 + 1, 5001 };

/* At the end one value that isn't finite, or none. */
static void unscale_with(size_t n, float last)
{
	float factor = 1.0f / 1024, *v = malloc(n * sizeof(*v));
	const int32_t none = 0;
	struct array *g, *bad = world_array(1, sizeof(none), &none, 0);

	assert_non_null(v);
	for (size_t i = 0; i < n; i++)
		v[i] = (float)(int32_t)world_draw(7, i) * 0x1p96f;
	v[n - 1] = last;
	g = world_array(n, sizeof(*v), v, 0);
	for EACH_RUN(b, run) {
		int32_t found;

		assert_int_equal(b->ops->unscale(b, n, factor, g->f[run], bad->i[run]), 0);
		assert_int_equal(b->ops->download(b, &found, bad->i[run], sizeof(found)), 0);
		assert_int_equal(found, !isfinite(last));
	}
	/* Which NaN becomes of one is the device's. */
	world_same_but_nans(g, REFERENCE, FIRST);
	world_same_bits(g, FIRST, SECOND);
	free(v);
	world_free();
}

static void unscale(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(step_sizes); i++) {
		unscale_with(step_sizes[i], 1);
		unscale_with(step_sizes[i], FLT_MAX);
		unscale_with(step_sizes[i], INFINITY);
		unscale_with(step_sizes[i], -INFINITY);
		unscale_with(step_sizes[i], NAN);
	}
}

static void sgd(void **state)
{
	const struct sgd_step s = { 0.05f, 0.9f, 5e-4f };

	(void)state;
	for (size_t i = 0; i < COUNT(step_sizes); i++) {
		size_t n = step_sizes[i];
		struct array *g = world_values(n), *w = world_values(n), *v = world_values(n);

		for EACH_RUN(b, run)
			for (int step = 0; step < 3; step++)
				assert_int_equal(b->ops->sgd(b, &s, n, g->f[run], w->f[run], v->f[run]), 0);
		world_same(w, STEP_TOLERANCE);
		world_same(v, STEP_TOLERANCE);
		world_free();
	}
}

static void adamw(void **state)
{
	struct adamw_step s = { 1e-2f, 0.9f, 0.999f, 1e-8f, 1e-2f, 0, 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(step_sizes); i++) {
		size_t n = step_sizes[i];
		struct array *g = world_values(n), *w = world_values(n);
		struct array *m = world_values_from(n, 0, 0, 0), *v = world_values_from(n, 0, 0, 0);

		for EACH_RUN(b, run)
			for (int step = 1; step <= 3; step++) {
				s.correction1 = (float)(1 - pow(0.9, step));
				s.correction2 = (float)(1 - pow(0.999, step));
				assert_int_equal(b->ops->adamw(b, &s, n, g->f[run], w->f[run], m->f[run],
				                               v->f[run]), 0);
			}
		world_same(w, STEP_TOLERANCE);
		world_same(m, STEP_TOLERANCE);
		world_same(v, STEP_TOLERANCE);
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

int backend_cases_ends(const char *name)
{
	const struct CMUnitTest tests[] = {
		CASE(loss),
		CASE(of_equal_logits_the_first_counts),
		CASE(logits_that_are_no_numbers),
		CASE(frames),
		CASE(mfcc),
		CASE(unscale),
		CASE(sgd),
		CASE(adamw),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
