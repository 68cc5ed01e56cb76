/* The reference's gradients against differences of its own values: with L = sum(g y) of a random
 * g, dL/dx is (L(x + h) - L(x - h)) / 2h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arrays.h"
#include "backend/backend.h"
#include "backend/reference.h"

#define STEP 1e-2f
#define TOLERANCE 2e-3      /* of the largest: single precision, over STEP */

static struct backend *b;

/* L of one layer; what it depends on is known to the function. */
typedef double value_fn(void *arg);

static double dot(const float *x, const float *y, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * y[i];
	return sum;
}

/* Compares gradient (n) with differences along each of x's values. */
static void check(float *x, const float *gradient, size_t n, value_fn *value, void *arg,
                  const char *what)
{
	float *measured = zero_array(n);

	for (size_t i = 0; i < n; i++) {
		float kept = x[i];
		double above, below;

		x[i] = kept + STEP;
		above = value(arg);
		x[i] = kept - STEP;
		below = value(arg);
		x[i] = kept;
		measured[i] = (float)((above - below) / (2 * (double)STEP));
	}
	assert_close(gradient, measured, n, TOLERANCE, what);
	free(measured);
}

/* ---- convolution ------------------------------------------------------------------------- */

struct conv_case {
	struct conv *conv;
	float *x, *filters, *y, *g;
	size_t out;
};

static double conv_value(void *arg)
{
	struct conv_case *c = arg;

	assert_int_equal(b->ops->conv_forward(b, c->conv, c->x, c->filters, c->y), 0);
	return dot(c->y, c->g, c->out);
}

static void check_conv(const struct conv_shape *s)
{
	size_t in = (size_t)s->n * s->c * s->h * s->w, n_filters = (size_t)s->k * s->c * s->r * s->s;
	size_t out = (size_t)s->n * s->k * conv_out_h(s) * conv_out_w(s);
	struct conv_case c = { .x = random_array(in, 1), .filters = random_array(n_filters, 2),
	                       .y = zero_array(out), .g = random_array(out, 3), .out = out };
	float *dx = zero_array(in), *dfilters = zero_array(n_filters);

	assert_int_equal(b->ops->conv_new(b, s, &c.conv), 0);
	assert_int_equal(b->ops->conv_backward_data(b, c.conv, c.g, c.filters, dx), 0);
	assert_int_equal(b->ops->conv_backward_filters(b, c.conv, c.x, c.g, dfilters), 0);
	check(c.x, dx, in, conv_value, &c, "dx");
	check(c.filters, dfilters, n_filters, conv_value, &c, "dfilters");
	b->ops->conv_free(b, c.conv);
	free(c.x);
	free(c.filters);
	free(c.y);
	free(c.g);
	free(dx);
	free(dfilters);
}

static void convolutions_have_the_right_gradients(void **state)
{
	static const struct conv_shape shapes[] = {
		{ .n = 2, .c = 2, .h = 5, .w = 6, .k = 3, .r = 3, .s = 3, .stride_h = 1, .stride_w = 1,
		  .pad_h = 1, .pad_w = 1 },
		{ .n = 1, .c = 3, .h = 7, .w = 5, .k = 2, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2,
		  .pad_h = 1, .pad_w = 1 },
		{ .n = 2, .c = 4, .h = 1, .w = 9, .k = 2, .r = 1, .s = 5, .stride_h = 1, .stride_w = 2,
		  .pad_h = 0, .pad_w = 2 },
		{ .n = 1, .c = 1, .h = 4, .w = 4, .k = 1, .r = 2, .s = 2, .stride_h = 2, .stride_w = 1,
		  .pad_h = 0, .pad_w = 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		check_conv(&shapes[i]);
}

static void a_filter_larger_than_the_picture_is_refused(void **state)
{
	const struct conv_shape s = { .n = 1, .c = 1, .h = 2, .w = 9, .k = 1, .r = 5, .s = 1,
	                              .stride_h = 1, .stride_w = 1 };
	struct conv *conv;

	(void)state;
	assert_int_equal(b->ops->conv_new(b, &s, &conv), -EINVAL);
}

/* ---- group norm --------------------------------------------------------------------------- */

struct norm_case {
	struct norm_shape shape;
	float *x, *gamma, *beta, *y, *mean, *rstd, *g;
	size_t n;
};

static double norm_value(void *arg)
{
	struct norm_case *c = arg;

	assert_int_equal(b->ops->norm_forward(b, &c->shape, c->x, c->gamma, c->beta, c->y, c->mean,
	                                      c->rstd), 0);
	return dot(c->y, c->g, c->n);
}

static void group_norm_has_the_right_gradients(void **state)
{
	const struct norm_shape s = { .n = 2, .c = 6, .m = 5, .groups = 2, .eps = 1e-2f };
	size_t n = (size_t)s.n * s.c * s.m;
	struct norm_case c = { s, random_array(n, 1), random_array(6, 2), random_array(6, 3),
	                       zero_array(n), zero_array(4), zero_array(4), random_array(n, 4), n };
	float *dx = zero_array(n), *dgamma = zero_array(6), *dbeta = zero_array(6);

	(void)state;
	norm_value(&c);
	assert_int_equal(b->ops->norm_backward(b, &s, c.g, c.x, c.gamma, c.mean, c.rstd, dx, dgamma,
	                                       dbeta), 0);
	check(c.x, dx, n, norm_value, &c, "dx");
	check(c.gamma, dgamma, 6, norm_value, &c, "dgamma");
	check(c.beta, dbeta, 6, norm_value, &c, "dbeta");
	free(c.x);
	free(c.gamma);
	free(c.beta);
	free(c.y);
	free(c.mean);
	free(c.rstd);
	free(c.g);
	free(dx);
	free(dgamma);
	free(dbeta);
}

/* ---- relu, mean, linear --------------------------------------------------------------------- */

static void relu_lets_through_what_is_positive(void **state)
{
	const float x[] = { -1, 0, 2, -0.0f, 3 }, dy[] = { 5, 6, 7, 8, 9 };
	const float y[] = { 0, 0, 2, 0, 3 }, dx[] = { 0, 0, 7, 0, 9 };
	float out[5];

	(void)state;
	assert_int_equal(b->ops->relu_forward(b, 5, x, out), 0);
	assert_close(out, y, 5, 0, "y");
	assert_int_equal(b->ops->relu_backward(b, 5, dy, out, out), 0);
	assert_close(out, dx, 5, 0, "dx");
}

struct mean_case {
	float *x, *y, *g;
};

enum { MEAN_N = 2, MEAN_T = 3, MEAN_C = 2, MEAN_M = 4, MEAN_STRIDE = 5 };

static double mean_value(void *arg)
{
	struct mean_case *c = arg;

	assert_int_equal(b->ops->mean_forward(b, MEAN_N, MEAN_T, MEAN_C, MEAN_M, c->x, c->y,
	                                      MEAN_STRIDE), 0);
	/* What lies between the rows is somebody else's. */
	assert_true(c->y[MEAN_C] == 7);
	return dot(c->y, c->g, MEAN_C) + dot(c->y + MEAN_STRIDE, c->g + MEAN_STRIDE, MEAN_C);
}

static void means_have_the_right_gradients(void **state)
{
	size_t n = MEAN_N * MEAN_T * MEAN_C * MEAN_M;
	struct mean_case c = { random_array(n, 1), zero_array(MEAN_N * MEAN_STRIDE),
	                       random_array(MEAN_N * MEAN_STRIDE, 2) };
	float *dx = zero_array(n);

	(void)state;
	c.y[MEAN_C] = 7;
	assert_int_equal(b->ops->mean_backward(b, MEAN_N, MEAN_T, MEAN_C, MEAN_M, c.g, MEAN_STRIDE, dx),
	                 0);
	check(c.x, dx, n, mean_value, &c, "dx");
	free(c.x);
	free(c.y);
	free(c.g);
	free(dx);
}

struct linear_case {
	float *x, *weights, *bias, *y, *g;
};

enum { LINEAR_N = 3, LINEAR_IN = 4, LINEAR_OUT = 5 };

static double linear_value(void *arg)
{
	struct linear_case *c = arg;

	assert_int_equal(b->ops->linear_forward(b, LINEAR_N, LINEAR_IN, LINEAR_OUT, c->x, c->weights,
	                                        c->bias, c->y), 0);
	return dot(c->y, c->g, LINEAR_N * LINEAR_OUT);
}

static void linear_layers_have_the_right_gradients(void **state)
{
	struct linear_case c = { random_array(12, 1), random_array(20, 2), random_array(5, 3),
	                         zero_array(15), random_array(15, 4) };
	float *dx = zero_array(12), *dweights = zero_array(20), *dbias = zero_array(5);

	(void)state;
	assert_int_equal(b->ops->linear_backward(b, LINEAR_N, LINEAR_IN, LINEAR_OUT, c.x, c.weights, c.g,
	                                         dx, dweights, dbias), 0);
	check(c.x, dx, 12, linear_value, &c, "dx");
	check(c.weights, dweights, 20, linear_value, &c, "dweights");
	check(c.bias, dbias, 5, linear_value, &c, "dbias");
	free(c.x);
	free(c.weights);
	free(c.bias);
	free(c.y);
	free(c.g);
	free(dx);
	free(dweights);
	free(dbias);
}

/* ---- loss ---------------------------------------------------------------------------------- */

enum { LOSS_N = 4, LOSS_CLASSES = 5 };

static const float loss_weights[LOSS_N] = { 1, 0, 1, 1 };
static const int32_t loss_labels[LOSS_N] = { 0, 1, 4, 2 };

static double loss_value(void *arg)
{
	const struct loss_shape s = { LOSS_N, LOSS_CLASSES, 0.1f, 0.25f };
	float loss[LOSS_N], dlogits[LOSS_N * LOSS_CLASSES];
	int32_t hit[LOSS_N];

	assert_int_equal(b->ops->loss(b, &s, arg, loss_labels, loss_weights, loss, hit, dlogits), 0);
	return 0.25 * dot(loss, loss_weights, LOSS_N);
}

static void the_loss_has_the_right_gradient(void **state)
{
	const struct loss_shape s = { LOSS_N, LOSS_CLASSES, 0.1f, 0.25f };
	float *logits = random_array(LOSS_N * LOSS_CLASSES, 1), loss[LOSS_N];
	float dlogits[LOSS_N * LOSS_CLASSES];
	int32_t hit[LOSS_N];

	(void)state;
	logits[4 + 2 * LOSS_CLASSES] = 30;  /* far from overflow, which it would be without care: */
	logits[2 + 3 * LOSS_CLASSES] = 300;
	assert_int_equal(b->ops->loss(b, &s, logits, loss_labels, loss_weights, loss, hit, dlogits), 0);
	check(logits, dlogits, 3 * LOSS_CLASSES, loss_value, logits, "dlogits");
	/* A sample of weight 0 changes nothing. */
	for (int k = 0; k < LOSS_CLASSES; k++)
		assert_true(dlogits[LOSS_CLASSES + k] == 0);
	assert_int_equal(hit[2], 1);
	assert_int_equal(hit[3], 1);
	free(logits);
}

static void of_equal_logits_the_first_is_the_answer(void **state)
{
	const struct loss_shape s = { 2, 3, 0, 1 };
	const float logits[6] = { 0 }, weights[2] = { 1, 1 };
	const int32_t labels[2] = { 0, 1 };
	float loss[2], dlogits[6];
	int32_t hit[2];

	(void)state;
	assert_int_equal(b->ops->loss(b, &s, logits, labels, weights, loss, hit, dlogits), 0);
	assert_int_equal(hit[0], 1);
	assert_int_equal(hit[1], 0);
	assert_true(loss[0] > 1.0986f && loss[0] < 1.0987f); /* log 3 */
}

static int set_up(void **state)
{
	(void)state;
	return reference_new(&b);
}

static int tear_down(void **state)
{
	(void)state;
	backend_free(b);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(convolutions_have_the_right_gradients),
		cmocka_unit_test(a_filter_larger_than_the_picture_is_refused),
		cmocka_unit_test(group_norm_has_the_right_gradients),
		cmocka_unit_test(relu_lets_through_what_is_positive),
		cmocka_unit_test(means_have_the_right_gradients),
		cmocka_unit_test(linear_layers_have_the_right_gradients),
		cmocka_unit_test(the_loss_has_the_right_gradient),
		cmocka_unit_test(of_equal_logits_the_first_is_the_answer),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
