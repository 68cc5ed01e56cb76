/* blocks.h - bounded cache of object bytes, in aligned blocks, single-flight.
 *
 * A read takes what is in memory, joins GETs under way, merges the missing
 * blocks that lie side by side into one GET (split at BLOCKS_GET_MAX), and
 * answers when all bytes are there. Least recently used blocks go first; the
 * cap counts blocks being fetched too. A read reserves all its missing blocks
 * at once or waits, in order of arrival, until it can; one whose blocks are all
 * there or under way doesn't wait. What a reader is given is his own copy and
 * isn't counted. */
#ifndef S3SAMPLEFS_STORE_BLOCKS_H
#define S3SAMPLEFS_STORE_BLOCKS_H

#include "store/store.h"

#define BLOCKS_SIZE (64u << 10)     /* bytes of a block; the last of an object is shorter */
#define BLOCKS_GET_MAX (8u << 20)   /* bytes of one GET */
#define BLOCKS_READ_MAX (8u << 20)  /* bytes of one blocks_read */

struct blocks;

/* capacity in bytes, at least 16 MiB: less is rounded up. NULL: no memory. */
struct blocks *blocks_new(struct store *store, size_t capacity, struct stats *stats);
void blocks_free(struct blocks *b);  /* waits for GETs under way; NULL allowed */

/* bytes has exactly len bytes; the callee takes its own reference. */
typedef void blocks_fn(void *arg, int err, const char *why, struct blob *bytes);

/* 0 < len <= BLOCKS_READ_MAX, off + len <= obj->meta.size, or -EINVAL. The
 * callback may come before the function returns. */
void blocks_read(struct blocks *b, struct object *obj, uint64_t off, size_t len, blocks_fn *done,
                 void *arg);

/* The same without the bytes: they are in memory when it answers (with NULL), and stay
 * there like others that were just read. */
void blocks_load(struct blocks *b, struct object *obj, uint64_t off, size_t len, blocks_fn *done,
                 void *arg);

/* Starts fetching without waiting; clipped to the object. What was fetched
 * ahead and not read yet takes at most half of the cache, and no room that a
 * read waits for: beyond that it does nothing. */
void blocks_ahead(struct blocks *b, struct object *obj, uint64_t off, uint64_t len);

#endif
