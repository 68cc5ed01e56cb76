/* fetch.h - object bytes on their way to the pool's thread.
 *
 * The block cache answers on threads of its own, or within the call; a fetch
 * box collects the answers, and its descriptor wakes the one thread that
 * empties it. Closing the box doesn't wait: what comes later is dropped. */
#ifndef S3SAMPLEFS_MEDIA_FETCH_H
#define S3SAMPLEFS_MEDIA_FETCH_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct blob;
struct blocks;
struct fetch_box;
struct object;

#define FETCH_AHEAD UINT_MAX             /* for no worker: the bytes stay in the block cache */

struct fetch {
	struct fetch *prev, *next;      /* the box's, then the taker's */
	struct fetch_box *box;
	struct object *obj;             /* a reference */
	uint64_t job;                   /* for whom: the pool's number; ahead: the queue's */
	unsigned worker;                /* or FETCH_AHEAD */
	uint64_t off;
	size_t len;
	int err;                        /* 0 or -errno */
	struct blob *bytes;             /* a reference to len bytes; NULL when err, or ahead */
	char why[STORE_WHY_MAX];        /* a sentence when err */
};

/* The sole owner closes it. Returns 0 or -errno. */
int fetch_box_new(struct fetch_box **ret_box);

/* Drops what is in it and what is still to come; NULL allowed. */
void fetch_box_close(struct fetch_box *box);

/* Readable after an answer or fetch_box_wake, until fetch_box_take. */
int fetch_box_fd(const struct fetch_box *box);

/* Makes the descriptor readable. Any thread. */
void fetch_box_wake(struct fetch_box *box);

/* Asks for [off, off + len) of obj. Returns 0, the answer goes to the box
 * (perhaps before this returns); or -ENOMEM. */
int fetch_start(struct fetch_box *box, struct blocks *blocks, struct object *obj,
                uint64_t off, size_t len, unsigned worker, uint64_t job);

/* All answers there are, as a utlist DL list, NULL if none. The caller frees
 * each with fetch_free. */
struct fetch *fetch_box_take(struct fetch_box *box);

void fetch_free(struct fetch *f);

#endif
