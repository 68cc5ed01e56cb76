/* backend_world.h - the same arrays on the reference and on the backend that is compared with
 * it, for backend_cases.h. Whatever fails in here fails the test. */
#ifndef TESTS_TRAINER_BACKEND_WORLD_H
#define TESTS_TRAINER_BACKEND_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"
#include "backend_cases.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Where each function runs: the reference, the tested backend, and that one again. */
enum { REFERENCE, FIRST, SECOND, RUNS };

struct world {
	struct backend_cases config;
	struct backend *backend[RUNS];
};

extern struct world world;

/* The same array for each run; f, i and u are one. */
struct array {
	size_t n, size; /* values; bytes of one */
	bool rounded;   /* values come from the activations' precision, though they may be floats */
	float *f[RUNS];
	int32_t *i[RUNS];
	uint8_t *u[RUNS];
	void *base[RUNS];
};

/* All arrays live until world_free. skip: values in front of the array, so that it begins at
 * no round address. */
struct array *world_array(size_t n, size_t size, const void *values, size_t skip);
void world_free(void);

/* 32 random bits, of each number and i others. */
uint32_t world_draw(uint32_t number, size_t i);

/* Values of [-1, 1), or of centre +- spread; numbers of [0, below). Each call has others. */
struct array *world_values(size_t n);
struct array *world_values_from(size_t n, float centre, float spread, size_t skip);
struct array *world_numbers(size_t n, uint32_t below);

/* The same of activations, in the tested backend's precision. */
struct array *world_activations(size_t n);
struct array *world_activations_from(size_t n, float centre, float spread);
struct array *world_activations_of(size_t n, const float *values);

/* For a result: bytes that are a NaN as a float, or an activation. */
struct array *world_unwritten(size_t n);
struct array *world_unwritten_at(size_t n, size_t skip);
struct array *world_unwritten_activations(size_t n);

/* The tested backend's values are the reference's within the tolerance (backend_cases.h), where
 * they are rounded to 16 bits within one step of those, and the same bits in both runs. */
void world_same(const struct array *a, double tolerance);
void world_same_but_repeats(const struct array *a, double tolerance);
/* For what remains of terms as large as `terms`, perhaps nothing. */
void world_same_beside(const struct array *a, double tolerance, double terms);
void world_same_bits(const struct array *a, int run, int other);
/* Exactly the same numbers, but any NaN is the same as another, and 0 as -0. */
/* A NaN may be any other NaN. */
void world_same_but_nans(const struct array *a, int run, int other);
void world_same_numbers(const struct array *a, int run, int other);

/* Of the reference's absolute values. */
double world_largest(const struct array *a);

/* The backend of a run that begins. */
struct backend *world_enter(int run);

/* In each run b is its backend. */
#define EACH_RUN(b, run) \
	(int run = 0; run < RUNS; run++) \
		for (struct backend *b = world_enter(run); b; b = NULL)

/* The cases of layers, and of what stands at a model's two ends: how many failed. */
int backend_cases_layers(const char *name);
int backend_cases_ends(const char *name);

#endif
