/* gate_store.h - for tests: a store in front of another one whose gets can be
 * held up, and are let go on by the test. */
#ifndef S3SAMPLEFS_TESTS_GATE_STORE_H
#define S3SAMPLEFS_TESTS_GATE_STORE_H

#include <stdbool.h>

#include "store/store.h"

/* Takes inner. Open at first. */
struct store *gate_store_new(struct store *inner, struct stats *stats);

/* closed: gets wait. Opening lets those that wait go on. */
void gate_store_set(struct store *s, bool closed);

/* Returns once n gets or more are being held up. */
void gate_store_wait_held(struct store *s, unsigned n);

/* How many are being held up. */
unsigned gate_store_held(struct store *s);

#endif
