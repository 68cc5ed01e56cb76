/* backend_cases.h - cmocka tests that compare a backend with the reference, function by
 * function, on shapes that don't fit anything evenly; with the reference's values rounded
 * (narrow.h), where the backend's activations are 16 bits.
 *
 * Results are written over NaNs, so that a value nobody wrote is seen. Each function runs
 * twice on the tested backend, and both runs must give the same bits.
 *
 * A tolerance T allows |x - reference| <= T (|reference| + r), where r is the root mean
 * square of the reference's array: errors of sums are small beside the terms, not beside
 * sums that happen to cancel. T is 0 where each value takes the same roundings. */
#ifndef TESTS_TRAINER_BACKEND_CASES_H
#define TESTS_TRAINER_BACKEND_CASES_H

#include <stdbool.h>

struct backend;

struct backend_cases {
	struct backend *tested;
	bool repeats;           /* convolutions give the same bits in each run */
	void (*second_run)(bool second); /* NULL, or told before and after second runs */
};

/* Runs them all under this name; returns how many failed. */
int backend_cases_run(const char *name, const struct backend_cases *config);

#endif
