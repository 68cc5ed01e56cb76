/* values.h - what is kept in memory of decoded values: tables, MFCC, rows. A value is made once,
 * waited for by many, remembered when it has failed, and evicted when room is needed.
 *
 * A struct value is embedded in what makes it. It begins as all zero: in the making. There is no
 * lock in here: all of one struct values, and all its values, is under its owner's, but for what is
 * said to be called without. */
#ifndef S3SAMPLEFS_MEDIA_VALUES_H
#define S3SAMPLEFS_MEDIA_VALUES_H

#include <stdbool.h>
#include <stddef.h>

#include "media/samples.h"

struct value;

struct values {
	size_t capacity;               /* bytes */
	size_t taken;                  /* of capacity, for others */
	size_t bytes;                  /* of all that is counted */
	size_t let_go;                 /* of values too small for mappings of their own, since the last heap_trim */
	struct value *lru;             /* head: next to go */
	struct stats *stats;
};

/* Who waits for one value. */
struct value_waiter {
	struct value_waiter *next;
	const struct wanted *wanted;
	samples_blob_fn *done;
	void *arg;
};

struct value {
	struct value *prev, *next;
	/* It has to go, now: frees what it is embedded in. Returns false if that can't be. */
	bool (*evict)(struct values *vs, struct value *v);
	size_t bytes;                  /* that it counts for */
	bool counted;
	bool ready;
	int err;                       /* how it failed, once ready */
	unsigned pins;                 /* others hold it in memory: letting it go would free nothing */
	struct blob *blob;             /* once ready, without err */
	char *why;                     /* a sentence where err, or NULL: there was no memory for it */
	struct value_waiter *waiters;  /* until ready */
};

/* It is there, or has failed for good: takes references of its own. It counts from now on, as the
 * most recently used, with `more` bytes for what it is embedded in, and others go until the
 * capacity holds again. evict is set. */
void value_set(struct values *vs, struct value *v, int err, const char *why, struct blob *blob, size_t more);

/* The same for something that has no bytes of its own: a place for others. */
void value_count(struct values *vs, struct value *v, size_t bytes);

/* Somebody has used it. */
void value_touch(struct values *vs, struct value *v);

/* Counts on, but can't go; can go again, as the next. Pins are counted. */
void value_pin(struct values *vs, struct value *v);
void value_unpin(struct values *vs, struct value *v);

/* Before it is freed: it isn't counted any more, its references are given back. Nobody waits. */
void value_done(struct values *vs, struct value *v);

/* The answer of a value that is ready, with a reference to *ret_blob; why[SAMPLES_WHY_MAX]. */
int value_get(struct values *vs, struct value *v, char *why, struct blob **ret_blob);

/* Moves those who aren't wanted any more to *gone. */
void value_drop_waiters(struct value *v, struct value_waiter **gone);

/* Without the lock: tells them all, and frees them. */
void value_tell(struct value_waiter *list, int err, const char *why, struct blob *blob);

/* From now on `taken` bytes less than the capacity are kept, but never less than a quarter of it.
 * True: so much has gone since that heap_trim is worth calling (without the lock). */
bool values_shrink(struct values *vs, size_t taken);

#endif
