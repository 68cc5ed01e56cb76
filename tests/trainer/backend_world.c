#include "backend_world.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/narrow.h"
#include "base/philox.h"

struct world world;

static uint32_t random_number; /* arrays made so far */

#define ARRAYS_MAX 32
static struct array arrays[ARRAYS_MAX]; /* of the test that runs */
static size_t n_arrays;

struct array *world_array(size_t n, size_t size, const void *values, size_t skip)
{
	struct array *a = &arrays[n_arrays++];

	assert_true(n_arrays <= ARRAYS_MAX);
	*a = (struct array){ .n = n, .size = size };
	for (int run = 0; run < RUNS; run++) {
		struct backend *b = world.backend[run];

		assert_int_equal(b->ops->alloc(b, (n + skip) * size, &a->base[run]), 0);
		a->u[run] = (uint8_t *)a->base[run] + skip * size;
		a->f[run] = (float *)(void *)a->u[run];
		a->i[run] = (int32_t *)(void *)a->u[run];
		assert_int_equal(b->ops->upload(b, a->u[run], values, n * size), 0);
	}
	return a;
}

void world_free(void)
{
	while (n_arrays > 0) {
		n_arrays--;
		for (int run = 0; run < RUNS; run++)
			world.backend[run]->ops->release(world.backend[run], arrays[n_arrays].base[run]);
	}
}

uint32_t world_draw(uint32_t array, size_t i)
{
	uint32_t bits[4];

	philox_draw(1, PHILOX_WEIGHTS, array, i / 4, bits);
	return bits[i % 4];
}

/* malloc'd. */
static float *draw_values(size_t n, float centre, float spread)
{
	float *v = malloc(n * sizeof(*v));

	assert_non_null(v);
	random_number++;
	for (size_t i = 0; i < n; i++)
		v[i] = centre + spread * (2 * philox_unit(world_draw(random_number, i)) - 1);
	return v;
}

struct array *world_values_from(size_t n, float centre, float spread, size_t skip)
{
	float *v = draw_values(n, centre, spread);
	struct array *a = world_array(n, sizeof(*v), v, skip);

	free(v);
	return a;
}

struct array *world_values(size_t n)
{
	return world_values_from(n, 0, 1, 0);
}

struct array *world_activations_of(size_t n, const float *values)
{
	enum precision precision = world.config.tested->activations;
	struct array *a;
	uint16_t *rounded;

	if (precision == PRECISION_FLOAT32)
		return world_array(n, sizeof(*values), values, 0);
	rounded = malloc(n * sizeof(*rounded));
	assert_non_null(rounded);
	narrow_round(precision, n, values, rounded);
	a = world_array(n, sizeof(*rounded), rounded, 0);
	a->rounded = true;
	free(rounded);
	return a;
}

struct array *world_activations_from(size_t n, float centre, float spread)
{
	float *v = draw_values(n, centre, spread);
	struct array *a = world_activations_of(n, v);

	free(v);
	return a;
}

struct array *world_activations(size_t n)
{
	return world_activations_from(n, 0, 1);
}

struct array *world_numbers(size_t n, uint32_t below)
{
	int32_t *v = malloc(n * sizeof(*v));
	struct array *a;

	assert_non_null(v);
	random_number++;
	for (size_t i = 0; i < n; i++)
		v[i] = (int32_t)philox_below(world_draw(random_number, i), below);
	a = world_array(n, sizeof(*v), v, 0);
	free(v);
	return a;
}

struct array *world_unwritten_at(size_t n, size_t skip)
{
	float *v = malloc(n * sizeof(*v));
	struct array *a;

	assert_non_null(v);
	memset(v, 0xff, n * sizeof(*v));
	a = world_array(n, sizeof(*v), v, skip);
	free(v);
	return a;
}

struct array *world_unwritten(size_t n)
{
	return world_unwritten_at(n, 0);
}

struct array *world_unwritten_activations(size_t n)
{
	float *v = malloc(n * sizeof(*v));
	struct array *a;

	assert_non_null(v);
	memset(v, 0xff, n * sizeof(*v));
	a = world_activations_of(n, v);
	free(v);
	return a;
}

static void *fetch(const struct array *a, int run)
{
	struct backend *b = world.backend[run];
	void *v = malloc(a->n * a->size);

	assert_non_null(v);
	assert_int_equal(b->ops->download(b, v, a->u[run], a->n * a->size), 0);
	return v;
}

/* As floats. */
static float *fetch_floats(const struct array *a, int run)
{
	float *wide;
	void *v = fetch(a, run);

	if (a->size == sizeof(float))
		return v;
	wide = malloc(a->n * sizeof(*wide));
	assert_non_null(wide);
	narrow_widen(world.config.tested->activations, a->n, v, wide);
	free(v);
	return wide;
}

/* From one value to the next in 16 bits, beside that value: 7 and 10 bits of fraction. */
static double step_of(const struct array *a)
{
	if (!a->rounded || world.config.tested->activations == PRECISION_FLOAT32)
		return 0;
	return world.config.tested->activations == PRECISION_BF16 ? 1.0 / 128 : 1.0 / 1024;
}

void world_same_bits(const struct array *a, int run, int other)
{
	void *v = fetch(a, run), *w = fetch(a, other);

	assert_memory_equal(v, w, a->n * a->size);
	free(v);
	free(w);
}

void world_same_but_nans(const struct array *a, int run, int other)
{
	float *v = fetch_floats(a, run), *w = fetch_floats(a, other);

	for (size_t i = 0; i < a->n; i++)
		if (memcmp(&v[i], &w[i], sizeof(v[i])) != 0 && !(isnan(v[i]) && isnan(w[i])))
			fail_msg("value %zu of %zu is %a, and %a", i, a->n, (double)v[i], (double)w[i]);
	free(v);
	free(w);
}

void world_same_numbers(const struct array *a, int run, int other)
{
	float *v = fetch_floats(a, run), *w = fetch_floats(a, other);

	for (size_t i = 0; i < a->n; i++)
		if (v[i] != w[i] && !(isnan(v[i]) && isnan(w[i])))
			fail_msg("value %zu of %zu is %a, and %a", i, a->n, (double)v[i], (double)w[i]);
	free(v);
	free(w);
}

/* step: allowed beside a value, for two roundings that went apart; least: of what the tolerance
 * is relative to. */
static void close_to(const float *is, const float *should, size_t n, double tolerance, double step,
                     double least)
{
	double squares = 0, level;

	for (size_t i = 0; i < n; i++)
		squares += isnan(should[i]) ? 0 : (double)should[i] * should[i];
	level = fmax(sqrt(squares / (double)n), least);
	for (size_t i = 0; i < n; i++) {
		double allowed = tolerance * (fabs((double)should[i]) + level) +
		                 step * fabs((double)should[i]);

		if (is[i] == should[i] || (isnan(should[i]) && isnan(is[i])))
			continue; /* infinities as well */
		if (!(fabs((double)is[i] - should[i]) <= allowed))
			fail_msg("value %zu of %zu is %.9g, not %.9g: off by %.3g, allowed %.3g", i, n,
			         (double)is[i], (double)should[i], (double)is[i] - should[i], allowed);
	}
}

void world_same_but_repeats(const struct array *a, double tolerance)
{
	float *should = fetch_floats(a, REFERENCE), *is = fetch_floats(a, FIRST);

	close_to(is, should, a->n, tolerance, step_of(a), 0);
	free(is);
	free(should);
}

void world_same(const struct array *a, double tolerance)
{
	world_same_but_repeats(a, tolerance);
	world_same_bits(a, FIRST, SECOND);
}

void world_same_beside(const struct array *a, double tolerance, double terms)
{
	float *should = fetch_floats(a, REFERENCE), *is = fetch_floats(a, FIRST);

	close_to(is, should, a->n, tolerance, step_of(a), terms);
	free(is);
	free(should);
	world_same_bits(a, FIRST, SECOND);
}

double world_largest(const struct array *a)
{
	float *v = fetch_floats(a, REFERENCE);
	double result = 0;

	for (size_t i = 0; i < a->n; i++)
		result = fmax(result, fabs((double)v[i]));
	free(v);
	return result;
}

struct backend *world_enter(int run)
{
	if (world.config.second_run)
		world.config.second_run(run == SECOND);
	return world.backend[run];
}
