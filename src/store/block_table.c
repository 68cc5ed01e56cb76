#include "store/block_table.h"

#include <stdlib.h>

#include "base/blob.h"
#include "base/stats.h"
#include "store/blocks.h"

void block_table_init(struct block_table *t, size_t capacity, struct stats *stats)
{
	*t = (struct block_table){ .capacity = capacity, .stats = stats };
}

static void account(struct block_table *t, int64_t bytes)
{
	t->used += (size_t)bytes;
	stats_add(t->stats, STAT_block_bytes, bytes);
}

static void block_free(struct block_table *t, struct block *block)
{
	block_table_read(t, block);
	HASH_DELETE(hh, t->blocks, block);
	account(t, -(int64_t)block->len);
	blob_unref(block->data);
	free(block);
}

void block_table_done(struct block_table *t)
{
	struct block *block, *next;

	HASH_ITER(hh, t->blocks, block, next)
		block_free(t, block);
}

size_t block_table_len(const struct object *obj, uint64_t index)
{
	uint64_t rest = obj->meta.size - index * BLOCKS_SIZE;

	return rest < BLOCKS_SIZE ? (size_t)rest : BLOCKS_SIZE;
}

struct block *block_table_find(struct block_table *t, const struct object *obj, uint64_t index)
{
	struct block_key key = { .object_id = obj->id, .index = index };
	struct block *block;

	HASH_FIND(hh, t->blocks, &key, sizeof(key), block);
	return block;
}

bool block_table_has_room(const struct block_table *t, size_t need)
{
	return need <= t->capacity - t->used + t->evictable;
}

static void lru_add(struct block_table *t, struct block *block)
{
	DL_APPEND(t->lru, block);
	t->evictable += block->len;
}

static void lru_remove(struct block_table *t, struct block *block)
{
	DL_DELETE(t->lru, block);
	t->evictable -= block->len;
}

void block_table_make_room(struct block_table *t, size_t need)
{
	while (t->capacity - t->used < need) {
		struct block *oldest = t->lru;

		lru_remove(t, oldest);
		block_free(t, oldest);
	}
}

struct block *block_table_add(struct block_table *t, const struct object *obj, uint64_t index,
                              bool ahead)
{
	struct block *block = calloc(1, sizeof(*block));

	if (!block)
		return NULL;
	block->key = (struct block_key){ .object_id = obj->id, .index = index };
	block->len = block_table_len(obj, index);
	block->fetching = true;
	HASH_ADD(hh, t->blocks, key, sizeof(block->key), block);
	if (!table_added(block)) {
		free(block);
		return NULL;
	}
	account(t, (int64_t)block->len);
	block->ahead = ahead;
	if (ahead)
		t->ahead += block->len;
	return block;
}

void block_table_landed(struct block_table *t, struct block *block)
{
	block->waiting = NULL;
	block->fetching = false;
	if (block->users == 0)
		lru_add(t, block);
}

void block_table_failed(struct block_table *t, struct block *block)
{
	block_free(t, block);
}

void block_table_use(struct block_table *t, struct block *block)
{
	if (block->users++ == 0 && !block->fetching)
		lru_remove(t, block);
}

void block_table_unuse(struct block_table *t, struct block *block)
{
	if (--block->users == 0 && !block->fetching)
		lru_add(t, block);
}

void block_table_read(struct block_table *t, struct block *block)
{
	if (block->ahead)
		t->ahead -= block->len;
	block->ahead = false;
}
