/* arrays.h - arrays of random values, and how far two of them are apart. */
#ifndef TESTS_TRAINER_ARRAYS_H
#define TESTS_TRAINER_ARRAYS_H

#include <stddef.h>

/* n values uniform in [-1, 1), other ones for each name: malloc'd. */
float *random_array(size_t n, unsigned name);

/* n zeros, malloc'd. */
float *zero_array(size_t n);

/* Fails the test unless all of a and b lie within tolerance * the largest of |b|. */
void assert_close(const float *a, const float *b, size_t n, double tolerance, const char *what);

#endif
