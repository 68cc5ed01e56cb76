/* philox.h - Philox4x32-10, a random function of a counter and a key.
 *
 * Every random number of a training run is philox(seed; what it is for, epoch,
 * sample): the same on every host, rank and thread, and after a resume, because
 * no generator has a state that could be somewhere else.
 *
 * J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1,
 * 2, 3", SC 2011; test vectors: kat_vectors of Random123. */
#ifndef S3SAMPLEFS_BASE_PHILOX_H
#define S3SAMPLEFS_BASE_PHILOX_H

#include <stdint.h>

/* What numbers are for; no two purposes share one. */
enum philox_use {
	PHILOX_WEIGHTS,   /* a: parameter, b: quadruple of elements */
	PHILOX_ORDER,     /* a: epoch, b: sample */
	PHILOX_AUGMENT,   /* a: epoch, b: sample */
	PHILOX_SPLIT,     /* a: 0, b: sample */
};

/* The function itself: 4 words of 32 random bits. */
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t ret[4]);

/* The same with the key made of a seed and the counter (b low, b high, a, use). */
void philox_draw(uint64_t seed, enum philox_use use, uint32_t a, uint64_t b, uint32_t ret[4]);

/* A number of [0, n) out of 32 random bits; n > 0. The multiplication's bias is below
 * n / 2^32 (D. Lemire, "Fast random integer generation in an interval", 2019). */
uint32_t philox_below(uint32_t bits, uint32_t n);

/* A multiple of 2^-24 in [0, 1), exact in a float. */
float philox_unit(uint32_t bits);

#endif
