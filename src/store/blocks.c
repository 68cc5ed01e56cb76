#include "store/blocks.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/stats.h"
#include "store/block_table.h"
#include "store/ranges.h"

#define CAPACITY_MIN (16u << 20)  /* the largest read fits, wherever it begins */
#define GET_BLOCKS (BLOCKS_GET_MAX / BLOCKS_SIZE)
#define READ_BLOCKS (BLOCKS_READ_MAX / BLOCKS_SIZE + 1) /* it need not begin with a block */

/* One block of one read. */
struct block_slot {
	struct block_slot *next;    /* of block->waiting */
	struct read *read;
	struct block *block;        /* NULL: not begun, or its GET failed */
};

struct read {
	struct read *prev, *next;   /* of queue, or of a list of work */
	struct object *obj;
	uint64_t off;
	size_t len;
	bool bare;                  /* its reader wants no bytes now */
	blocks_fn *done;
	void *arg;

	/* under lock while pending > 0 */
	size_t pending;             /* slots whose block is on its way */
	int err;
	char why[STORE_WHY_MAX];

	size_t n;
	struct block_slot slots[];
};

/* One GET, of blocks side by side. */
struct fetch {
	struct fetch *next;         /* of a list of work */
	struct blocks *b;
	struct object *obj;
	uint64_t off;
	size_t len;
	enum store_prio prio;
	size_t n;
	struct block *blocks[GET_BLOCKS];
};

/* What a thread does once it has let go of the lock. */
struct work {
	struct work *outer;
	struct blocks *b;
	struct fetch *fetches;
	struct read *reads;         /* that nothing is pending of */
};

struct blocks {
	struct store *store;
	pthread_mutex_t lock;
	pthread_cond_t idle;        /* active is 0 */

	/* under lock */
	struct block_table table;
	struct read *queue;         /* waits for room, in order of arrival */
	size_t active;              /* reads and fetches that haven't ended */
};

/* The work this thread is at. A store may call back before its function
 * returns, and a reader may read again from its callback: what follows from that
 * is left to the loop below it on the stack, which so stays flat. */
static _Thread_local struct work *current_work;

struct blocks *blocks_new(struct store *store, size_t capacity, struct stats *stats)
{
	struct blocks *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->store = store;
	block_table_init(&b->table, capacity < CAPACITY_MIN ? CAPACITY_MIN : capacity, stats);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->idle, NULL);
	return b;
}

void blocks_free(struct blocks *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	while (b->active > 0)
		pthread_cond_wait(&b->idle, &b->lock);
	pthread_mutex_unlock(&b->lock);
	block_table_done(&b->table);
	pthread_cond_destroy(&b->idle);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* The end of a read or fetch; b may be gone once the lock is let go. */
static void deactivate_locked(struct blocks *b)
{
	if (--b->active == 0)
		pthread_cond_broadcast(&b->idle);
}

/* A GET of bytes that are whole blocks, none of them known yet. */
static struct fetch *fetch_new_locked(struct blocks *b, struct object *obj, struct range bytes,
                                      enum store_prio prio)
{
	struct fetch *f = malloc(sizeof(*f));
	uint64_t first = bytes.off / BLOCKS_SIZE;

	if (!f)
		return NULL;
	*f = (struct fetch){ .b = b, .off = bytes.off, .len = (size_t)bytes.len, .prio = prio };
	for (uint64_t i = first; i <= (bytes.off + bytes.len - 1) / BLOCKS_SIZE; i++) {
		struct block *block = block_table_add(&b->table, obj, i, prio == STORE_AHEAD);

		if (!block)
			goto fail;
		f->blocks[f->n++] = block;
	}
	f->obj = object_ref(obj);
	b->active++;
	stats_add(b->table.stats, STAT_block_misses, (int64_t)f->n);
	return f;
fail:
	while (f->n > 0)
		block_table_failed(&b->table, f->blocks[--f->n]);
	free(f);
	return NULL;
}

/* Fetches those of the n <= READ_BLOCKS blocks from first that aren't there, in
 * as few GETs as can be; there must be room. Returns 0 or -ENOMEM. */
static int fetch_missing_locked(struct blocks *b, struct object *obj, uint64_t first, size_t n,
                                enum store_prio prio, struct work *w)
{
	struct range missing[READ_BLOCKS];
	size_t n_missing = 0;

	for (uint64_t i = first; i < first + n; i++) {
		if (block_table_find(&b->table, obj, i))
			continue;
		missing[n_missing].off = i * BLOCKS_SIZE;
		missing[n_missing++].len = block_table_len(obj, i);
	}
	n_missing = ranges_merge(missing, n_missing, 0);
	for (size_t i = 0; i < n_missing; i++) {
		while (missing[i].len > 0) {
			struct range get = ranges_cut(&missing[i], BLOCKS_GET_MAX);
			struct fetch *f = fetch_new_locked(b, obj, get, prio);

			if (!f)
				return -ENOMEM;
			LL_APPEND(w->fetches, f);
		}
	}
	return 0;
}

/* Under lock, or once nothing is pending. The first failure is told. */
static void fail_read(struct read *r, int err, const char *why)
{
	if (r->err)
		return;
	r->err = err;
	snprintf(r->why, sizeof(r->why), "%s", why);
}

static void unuse_slots_locked(struct blocks *b, struct read *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->slots[i].block)
			block_table_unuse(&b->table, r->slots[i].block);
		r->slots[i].block = NULL;
	}
}

/* Takes the block into the slot; it may still be on its way. */
static void fill_slot_locked(struct blocks *b, struct block_slot *slot, struct block *block)
{
	slot->block = block;
	block_table_use(&b->table, block);
}

/* True if the read's blocks are all there, joined, or being fetched from now
 * on. False, with nothing held, if there is no room for those to be fetched. */
static bool begin_locked(struct blocks *b, struct read *r, struct work *w)
{
	uint64_t first = r->off / BLOCKS_SIZE;
	size_t need = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct block *block = block_table_find(&b->table, r->obj, first + i);

		if (block)
			fill_slot_locked(b, &r->slots[i], block);
		else
			need += block_table_len(r->obj, first + i);
	}
	/* Nobody overtakes those who wait, or a large read might wait forever. */
	if (need > 0 && (!block_table_has_room(&b->table, need) || (b->queue && b->queue != r))) {
		unuse_slots_locked(b, r);
		return false;
	}
	block_table_make_room(&b->table, need);
	if (fetch_missing_locked(b, r->obj, first, r->n, STORE_DEMAND, w) < 0)
		fail_read(r, -ENOMEM, "out of memory");
	for (size_t i = 0; i < r->n; i++) {
		struct block_slot *slot = &r->slots[i];
		struct block *block = slot->block;

		if (!block) {
			block = block_table_find(&b->table, r->obj, first + i);
			if (!block)
				continue; /* there was no memory for it */
			fill_slot_locked(b, slot, block);
		}
		block_table_read(&b->table, block);
		if (block->fetching) {
			LL_PREPEND(block->waiting, slot);
			r->pending++;
		} else if (!r->bare) {
			stats_add(b->table.stats, STAT_block_hits, 1);
		}
	}
	return true;
}

/* Begins reads that wait, as far as there is room now. */
static void begin_queued_locked(struct blocks *b, struct work *w)
{
	struct read *r;

	while ((r = b->queue) && begin_locked(b, r, w)) {
		DL_DELETE(b->queue, r);
		if (r->pending == 0)
			DL_APPEND(w->reads, r);
	}
}

/* The read's bytes, out of blocks that it uses. NULL: no memory. */
static struct blob *copy_out(const struct read *r)
{
	size_t skip = r->off % BLOCKS_SIZE;
	struct blob *first = r->slots[0].block->data;
	struct blob *bytes;
	size_t done = 0;

	if (skip == 0 && r->len == blob_len(first))
		return blob_ref(first);
	bytes = blob_new(r->len);
	for (size_t i = 0; bytes && done < r->len; i++) {
		const struct blob *data = r->slots[i].block->data;
		size_t n = blob_len(data) - skip;

		if (n > r->len - done)
			n = r->len - done;
		memcpy(blob_writable(bytes) + done, blob_data(data) + skip, n);
		done += n;
		skip = 0;
	}
	return bytes;
}

static void read_end(struct blocks *b, struct read *r, struct work *w)
{
	struct blob *bytes = r->err || r->bare ? NULL : copy_out(r);

	if (!r->err && !r->bare && !bytes)
		fail_read(r, -ENOMEM, "out of memory");
	pthread_mutex_lock(&b->lock);
	unuse_slots_locked(b, r);
	begin_queued_locked(b, w);
	pthread_mutex_unlock(&b->lock);

	r->done(r->arg, r->err, r->err ? r->why : NULL, bytes);
	blob_unref(bytes);
	object_unref(r->obj);
	free(r);

	pthread_mutex_lock(&b->lock);
	deactivate_locked(b);
	pthread_mutex_unlock(&b->lock);
}

/* Gives each block its own bytes, so that evicting one frees memory. */
static int cut_body(struct fetch *f, struct blob *body)
{
	const uint8_t *data = blob_data(body);

	if (blob_len(body) != f->len)
		return -EIO;
	if (f->n == 1) {
		f->blocks[0]->data = blob_ref(body);
		return 0;
	}
	for (size_t i = 0; i < f->n; i++) {
		f->blocks[i]->data = blob_copy(data, f->blocks[i]->len);
		if (!f->blocks[i]->data)
			return -ENOMEM;
		data += f->blocks[i]->len;
	}
	return 0;
}

static void land_locked(struct blocks *b, struct block *block, int err, const char *why,
                        struct work *w)
{
	struct block_slot *slot, *next;

	for (slot = block->waiting; slot; slot = next) {
		struct read *r = slot->read;

		next = slot->next;
		if (err) {
			fail_read(r, err, why);
			slot->block = NULL;
		}
		if (--r->pending == 0)
			DL_APPEND(w->reads, r);
	}
	if (err)
		block_table_failed(&b->table, block);
	else
		block_table_landed(&b->table, block);
}

static struct work *work_begin(struct blocks *b, struct work *own);
static void work_end(struct work *w, const struct work *own);

static void fetch_done(void *arg, int err, const char *why, struct blob *body)
{
	struct fetch *f = arg;
	struct blocks *b = f->b;
	struct work own, *w = work_begin(b, &own);

	if (!err) {
		err = cut_body(f, body);
		why = err == -ENOMEM ? "out of memory" : "the store sent too few or too many bytes";
	}
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < f->n; i++)
		land_locked(b, f->blocks[i], err, why, w);
	begin_queued_locked(b, w);
	deactivate_locked(b);
	pthread_mutex_unlock(&b->lock);
	object_unref(f->obj);
	free(f);
	work_end(w, &own);
}

/* Where this thread's work is to be put: own, unless a loop of the same cache
 * is below us. */
static struct work *work_begin(struct blocks *b, struct work *own)
{
	if (current_work && current_work->b == b)
		return current_work;
	*own = (struct work){ .outer = current_work, .b = b };
	current_work = own;
	return own;
}

static void work_end(struct work *w, const struct work *own)
{
	if (w != own)
		return;
	while (w->fetches || w->reads) {
		struct fetch *f = w->fetches;
		struct read *r = w->reads;

		if (f) {
			LL_DELETE(w->fetches, f);
			store_get(w->b->store, f->obj->key, &f->obj->meta, f->off, f->len, f->prio,
			          fetch_done, f);
		} else {
			DL_DELETE(w->reads, r);
			read_end(w->b, r, w);
		}
	}
	current_work = w->outer;
}

static struct read *read_new(struct object *obj, uint64_t off, size_t len, blocks_fn *done,
                             void *arg)
{
	size_t n = (size_t)((off + len - 1) / BLOCKS_SIZE - off / BLOCKS_SIZE + 1);
	struct read *r = calloc(1, sizeof(*r) + n * sizeof(r->slots[0]));

	if (!r)
		return NULL;
	r->obj = object_ref(obj);
	r->off = off;
	r->len = len;
	r->done = done;
	r->arg = arg;
	r->n = n;
	for (size_t i = 0; i < n; i++)
		r->slots[i].read = r;
	return r;
}

static void read_begin(struct blocks *b, struct object *obj, uint64_t off, size_t len, bool bare, blocks_fn *done,
                       void *arg)
{
	struct work own, *w;
	struct read *r;

	if (len == 0 || len > BLOCKS_READ_MAX || off > obj->meta.size ||
	    len > obj->meta.size - off) {
		done(arg, -EINVAL, "a range outside of the object", NULL);
		return;
	}
	r = read_new(obj, off, len, done, arg);
	if (!r) {
		done(arg, -ENOMEM, "out of memory", NULL);
		return;
	}
	r->bare = bare;
	w = work_begin(b, &own);
	pthread_mutex_lock(&b->lock);
	b->active++;
	if (!begin_locked(b, r, w))
		DL_APPEND(b->queue, r);
	else if (r->pending == 0)
		DL_APPEND(w->reads, r);
	pthread_mutex_unlock(&b->lock);
	work_end(w, &own);
}

void blocks_read(struct blocks *b, struct object *obj, uint64_t off, size_t len, blocks_fn *done,
                 void *arg)
{
	read_begin(b, obj, off, len, false, done, arg);
}

void blocks_load(struct blocks *b, struct object *obj, uint64_t off, size_t len, blocks_fn *done,
                 void *arg)
{
	read_begin(b, obj, off, len, true, done, arg);
}

/* Fetches ahead the first so many of n <= GET_BLOCKS blocks from first for which
 * there is room; those there already are kept for longer. Returns how many of
 * the n are there or on their way. */
static size_t ahead_locked(struct blocks *b, struct object *obj, uint64_t first, size_t n,
                           struct work *w)
{
	struct block *held[GET_BLOCKS];
	size_t need = 0, count;

	for (size_t i = 0; i < n; i++) {
		held[i] = block_table_find(&b->table, obj, first + i);
		if (held[i])
			block_table_use(&b->table, held[i]);
	}
	for (count = 0; count < n; count++) {
		size_t len = held[count] ? 0 : block_table_len(obj, first + count);

		if (b->table.ahead + need + len > b->table.capacity / 2 ||
		    !block_table_has_room(&b->table, need + len))
			break;
		need += len;
	}
	block_table_make_room(&b->table, need);
	if (fetch_missing_locked(b, obj, first, count, STORE_AHEAD, w) < 0)
		count = 0;
	for (size_t i = 0; i < n; i++) {
		if (held[i])
			block_table_unuse(&b->table, held[i]);
	}
	return count;
}

void blocks_ahead(struct blocks *b, struct object *obj, uint64_t off, uint64_t len)
{
	struct work own, *w;
	uint64_t at, end;

	if (len == 0 || off >= obj->meta.size)
		return;
	if (len > obj->meta.size - off)
		len = obj->meta.size - off;
	at = off / BLOCKS_SIZE;
	end = (off + len - 1) / BLOCKS_SIZE + 1;
	w = work_begin(b, &own);
	pthread_mutex_lock(&b->lock);
	/* Room belongs to those who wait for it. */
	while (at < end && !b->queue) {
		size_t n = end - at < GET_BLOCKS ? (size_t)(end - at) : GET_BLOCKS;

		if (ahead_locked(b, obj, at, n, w) < n)
			break;
		at += n;
	}
	pthread_mutex_unlock(&b->lock);
	work_end(w, &own);
}
