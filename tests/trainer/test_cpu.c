/* The CPU's backend against the reference, for shapes as models have them and odd ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arrays.h"
#include "backend/backend.h"
#include "backend/cpu.h"
#include "backend/reference.h"

#define TOLERANCE 1e-5      /* of the largest value: sums in single precision */
#define THREADS 2

static struct backend *cpu, *reference;

/* Both results of one function. */
struct pair {
	float *cpu, *reference;
};

static struct pair pair_new(size_t n)
{
	return (struct pair){ zero_array(n), zero_array(n) };
}

static void pair_check(struct pair p, size_t n, double tolerance, const char *what)
{
	assert_close(p.cpu, p.reference, n, tolerance, what);
	free(p.cpu);
	free(p.reference);
}

/* ---- convolution ------------------------------------------------------------------------- */

static void check_conv(const struct conv_shape *s)
{
	size_t in = (size_t)s->n * s->c * s->h * s->w, n_filters = (size_t)s->k * s->c * s->r * s->s;
	size_t out = (size_t)s->n * s->k * conv_out_h(s) * conv_out_w(s);
	float *x = random_array(in, 1), *filters = random_array(n_filters, 2);
	float *dy = random_array(out, 3);
	struct pair y = pair_new(out), dx = pair_new(in), df = pair_new(n_filters);
	struct conv *a, *b;

	assert_int_equal(cpu->ops->conv_new(cpu, s, &a), 0);
	assert_int_equal(reference->ops->conv_new(reference, s, &b), 0);
	/* Twice: buffers of oneDNN's layouts are used again. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(cpu->ops->conv_forward(cpu, a, x, filters, y.cpu), 0);
		assert_int_equal(cpu->ops->conv_backward_data(cpu, a, dy, filters, dx.cpu), 0);
		assert_int_equal(cpu->ops->conv_backward_filters(cpu, a, x, dy, df.cpu), 0);
	}
	reference->ops->conv_forward(reference, b, x, filters, y.reference);
	reference->ops->conv_backward_data(reference, b, dy, filters, dx.reference);
	reference->ops->conv_backward_filters(reference, b, x, dy, df.reference);
	pair_check(y, out, TOLERANCE, "y");
	pair_check(dx, in, TOLERANCE, "dx");
	pair_check(df, n_filters, TOLERANCE, "dfilters");
	cpu->ops->conv_free(cpu, a);
	reference->ops->conv_free(reference, b);
	free(x);
	free(filters);
	free(dy);
}

static void convolutions_agree(void **state)
{
	static const struct conv_shape shapes[] = {
		/* n c h w, k r s, stride, pad */
		{ 4, 3, 32, 32, 16, 3, 3, 2, 2, 1, 1, false },
		{ 4, 16, 16, 16, 32, 3, 3, 2, 2, 1, 1, false },
		{ 3, 32, 7, 5, 64, 3, 3, 2, 2, 1, 1, false },
		{ 2, 64, 1, 1, 8, 3, 3, 2, 2, 1, 1, false },
		{ 5, 20, 1, 65, 64, 1, 5, 1, 2, 0, 2, false },
		{ 1, 13, 1, 2, 7, 1, 5, 1, 2, 0, 2, false },
		{ 2, 5, 9, 11, 3, 3, 3, 1, 1, 1, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		check_conv(&shapes[i]);
}

static void a_convolution_gives_the_same_bits_each_time(void **state)
{
	const struct conv_shape s = { 8, 16, 16, 16, 32, 3, 3, 2, 2, 1, 1, false };
	size_t n_filters = (size_t)s.k * s.c * s.r * s.s;
	float *x = random_array(8 * 16 * 16 * 16, 1), *dy = random_array(8 * 32 * 8 * 8, 2);
	float *first = zero_array(n_filters), *again = zero_array(n_filters);
	struct conv *conv;

	(void)state;
	assert_int_equal(cpu->ops->conv_new(cpu, &s, &conv), 0);
	assert_int_equal(cpu->ops->conv_backward_filters(cpu, conv, x, dy, first), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(cpu->ops->conv_backward_filters(cpu, conv, x, dy, again), 0);
		assert_memory_equal(first, again, n_filters * sizeof(*first));
	}
	cpu->ops->conv_free(cpu, conv);
	free(x);
	free(dy);
	free(first);
	free(again);
}

/* ---- the other layers ----------------------------------------------------------------------- */

static void norm(struct backend *b, const struct norm_shape *s, const float *x, const float *gamma,
                 const float *dy, float *y, float *dx, float *dgamma, float *dbeta)
{
	float *mean = zero_array((size_t)s->n * s->groups), *rstd = zero_array((size_t)s->n * s->groups);

	assert_int_equal(b->ops->norm_forward(b, s, x, gamma, gamma, y, mean, rstd), 0);
	assert_int_equal(b->ops->norm_backward(b, s, dy, x, gamma, mean, rstd, dx, dgamma, dbeta), 0);
	free(mean);
	free(rstd);
}

static void group_norms_agree(void **state)
{
	static const struct norm_shape shapes[] = {
		{ 4, 16, 1024, 8, 1e-5f }, { 3, 6, 7, 2, 1e-5f }, { 2, 8, 1, 8, 1e-5f },
		{ 1, 5, 3001, 1, 1e-5f },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct norm_shape *s = &shapes[i];
		size_t n = (size_t)s->n * s->c * s->m, c = (size_t)s->c;
		float *x = random_array(n, 1), *gamma = random_array(c, 2), *dy = random_array(n, 3);
		struct pair y = pair_new(n), dx = pair_new(n), dgamma = pair_new(c), dbeta = pair_new(c);

		/* far from zero: the variance must not be a difference of large numbers */
		for (size_t j = 0; j < n; j++)
			x[j] += 30;
		norm(cpu, s, x, gamma, dy, y.cpu, dx.cpu, dgamma.cpu, dbeta.cpu);
		norm(reference, s, x, gamma, dy, y.reference, dx.reference, dgamma.reference,
		     dbeta.reference);
		/* x's own rounding at 30 is 2e-6 of a spread of 0.6 */
		pair_check(y, n, 2e-5, "y");
		if (s->m > 1)
			pair_check(dx, n, 2e-5, "dx");
		else
			free(dx.cpu), free(dx.reference);
		pair_check(dgamma, c, 5e-5, "dgamma");
		pair_check(dbeta, c, 5e-5, "dbeta");
		free(x);
		free(gamma);
		free(dy);
	}
}

static void relu_and_means_agree(void **state)
{
	enum { N = 3, T = 4, C = 5, M = 77, ALL = N * T * C * M, STRIDE = C + 2 };
	float *x = random_array(ALL, 1), *dy = random_array(ALL, 2);
	struct pair y = pair_new(ALL), dx = pair_new(ALL), mean = pair_new(N * STRIDE);
	struct pair back = pair_new(ALL);

	(void)state;
	cpu->ops->relu_forward(cpu, ALL, x, y.cpu);
	reference->ops->relu_forward(reference, ALL, x, y.reference);
	cpu->ops->relu_backward(cpu, ALL, dy, y.cpu, dx.cpu);
	reference->ops->relu_backward(reference, ALL, dy, y.reference, dx.reference);
	cpu->ops->mean_forward(cpu, N, T, C, M, x, mean.cpu, STRIDE);
	reference->ops->mean_forward(reference, N, T, C, M, x, mean.reference, STRIDE);
	cpu->ops->mean_backward(cpu, N, T, C, M, dy, STRIDE, back.cpu);
	reference->ops->mean_backward(reference, N, T, C, M, dy, STRIDE, back.reference);
	pair_check(y, ALL, 0, "relu");
	pair_check(dx, ALL, 0, "relu, back");
	pair_check(mean, N * STRIDE, TOLERANCE, "mean");
	pair_check(back, ALL, 0, "mean, back");
	free(x);
	free(dy);
}

static void linear_layers_agree(void **state)
{
	enum { N = 7, IN = 130, OUT = 11 };
	float *x = random_array(N * IN, 1), *w = random_array(OUT * IN, 2), *dy = random_array(N * OUT, 3);
	struct pair y = pair_new(N * OUT), dx = pair_new(N * IN), dw = pair_new(OUT * IN);
	struct pair db = pair_new(OUT);

	(void)state;
	assert_int_equal(cpu->ops->linear_forward(cpu, N, IN, OUT, x, w, dy, y.cpu), 0);
	reference->ops->linear_forward(reference, N, IN, OUT, x, w, dy, y.reference);
	assert_int_equal(cpu->ops->linear_backward(cpu, N, IN, OUT, x, w, dy, dx.cpu, dw.cpu, db.cpu), 0);
	reference->ops->linear_backward(reference, N, IN, OUT, x, w, dy, dx.reference, dw.reference,
	                                db.reference);
	pair_check(y, N * OUT, TOLERANCE, "y");
	pair_check(dx, N * IN, TOLERANCE, "dx");
	pair_check(dw, OUT * IN, TOLERANCE, "dweights");
	pair_check(db, OUT, 0, "dbias");
	free(x);
	free(w);
	free(dy);
}

/* ---- samples, optimizers: every bit ----------------------------------------------------------- */

static void samples_come_in_the_same(void **state)
{
	enum { N = 2, T = 3, H = 9, W = 10, CH = 6, CW = 7, OUT = N * T * 3 * CH * CW, ROWS = 4, M = 33 };
	const struct frames_shape s = { N, T, H, W, CH, CW };
	const struct crop crops[N] = { { 3, 0, 0 }, { 1, 3, 1 } };
	uint8_t frames[N * T * H * W * 3];
	struct pair y = pair_new(OUT), m = pair_new(ROWS * M);
	float *mfcc = random_array(ROWS * M, 1);

	(void)state;
	for (size_t i = 0; i < sizeof(frames); i++)
		frames[i] = (uint8_t)(i * 2654435761u >> 13);
	assert_int_equal(cpu->ops->frames_in(cpu, &s, frames, crops, y.cpu), 0);
	reference->ops->frames_in(reference, &s, frames, crops, y.reference);
	/* the first pixel of the second sample is its crop's upper right one */
	assert_true(y.reference[OUT / 2] ==
	            (float)((frames[((T * H + 1) * W + 3 + CW - 1) * 3] / 255.0 - 0.485) / 0.229));
	pair_check(y, OUT, 0, "frames");
	assert_int_equal(cpu->ops->mfcc_in(cpu, ROWS, M, mfcc, m.cpu), 0);
	reference->ops->mfcc_in(reference, ROWS, M, mfcc, m.reference);
	pair_check(m, ROWS * M, 0, "mfcc");
	free(mfcc);
}

static void optimizers_agree(void **state)
{
	enum { N = 100000 };
	const struct sgd_step sgd = { 0.1f, 0.9f, 0.01f };
	const struct adamw_step adamw = { 0.1f, 0.9f, 0.999f, 1e-8f, 0.01f, 0.1f, 0.001f };
	float *g = random_array(N, 1);
	struct pair w = { random_array(N, 2), random_array(N, 2) }, m = pair_new(N), v = pair_new(N);

	(void)state;
	for (int i = 0; i < 2; i++) {
		cpu->ops->sgd(cpu, &sgd, N, g, w.cpu, m.cpu);
		reference->ops->sgd(reference, &sgd, N, g, w.reference, m.reference);
		cpu->ops->adamw(cpu, &adamw, N, g, w.cpu, m.cpu, v.cpu);
		reference->ops->adamw(reference, &adamw, N, g, w.reference, m.reference, v.reference);
	}
	pair_check(w, N, 0, "w");
	pair_check(m, N, 0, "m");
	pair_check(v, N, 0, "v");
	free(g);
}

static int set_up(void **state)
{
	(void)state;
	return cpu_new(THREADS, &cpu) || reference_new(&reference);
}

static int tear_down(void **state)
{
	(void)state;
	backend_free(cpu);
	backend_free(reference);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(convolutions_agree),
		cmocka_unit_test(a_convolution_gives_the_same_bits_each_time),
		cmocka_unit_test(group_norms_agree),
		cmocka_unit_test(relu_and_means_agree),
		cmocka_unit_test(linear_layers_agree),
		cmocka_unit_test(samples_come_in_the_same),
		cmocka_unit_test(optimizers_agree),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
