/* block_table.h - the blocks that are in memory or on their way, with a bound.
 *
 * Pure memory: no lock (blocks' is held around every call), no store. Bytes
 * count from the moment they are to be fetched, so the bound is never passed. */
#ifndef S3SAMPLEFS_STORE_BLOCK_TABLE_H
#define S3SAMPLEFS_STORE_BLOCK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"

struct blob;
struct block_slot; /* of whoever waits */
struct object;
struct stats;

struct block_key {
	uint64_t object_id;
	uint64_t index;             /* in the object, in blocks */
};

struct block {
	UT_hash_handle hh;
	struct block_key key;
	size_t len;                 /* bytes */
	struct block *prev, *next;  /* LRU, while in memory and not in use */
	unsigned users;             /* a block in use is not evicted */
	bool fetching;              /* neither is one on its way */
	bool ahead;                 /* nobody has read it yet */
	struct block_slot *waiting; /* for it to arrive */
	struct blob *data;          /* set once, before fetching becomes false */
};

struct block_table {
	struct block *blocks;       /* by key */
	struct block *lru;          /* least recently used first */
	size_t capacity;            /* bytes; used never passes it */
	size_t used;                /* of all blocks */
	size_t evictable;           /* of those in lru */
	size_t ahead;               /* of those nobody has read yet */
	struct stats *stats;
};

void block_table_init(struct block_table *t, size_t capacity, struct stats *stats);
void block_table_done(struct block_table *t);

/* Bytes of the object's block index. */
size_t block_table_len(const struct object *obj, uint64_t index);

/* NULL if it is not there. */
struct block *block_table_find(struct block_table *t, const struct object *obj, uint64_t index);

/* Could need bytes be added, if all that may go went? */
bool block_table_has_room(const struct block_table *t, size_t need);

/* Lets the least recently used go until need bytes fit; there must be room. */
void block_table_make_room(struct block_table *t, size_t need);

/* Adds a block that is being fetched; there must be room. NULL: no memory. */
struct block *block_table_add(struct block_table *t, const struct object *obj, uint64_t index,
                              bool ahead);

/* The fetch is over: the block is in memory, or (failed) is gone. Nobody waits
 * any more. */
void block_table_landed(struct block_table *t, struct block *block);
void block_table_failed(struct block_table *t, struct block *block);

/* Keeps a block from being evicted while it is used; the last end of use makes
 * it the most recently used. */
void block_table_use(struct block_table *t, struct block *block);
void block_table_unuse(struct block_table *t, struct block *block);

/* Somebody reads it: no longer one that was only fetched ahead. */
void block_table_read(struct block_table *t, struct block *block);

#endif
