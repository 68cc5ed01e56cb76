/* samples_priv.h - what samples.c, product.c and clip.c share. */
#ifndef S3SAMPLEFS_MEDIA_SAMPLES_PRIV_H
#define S3SAMPLEFS_MEDIA_SAMPLES_PRIV_H

#include <errno.h>
#include <pthread.h>

#include "base/table.h"
#include "base/wanted.h"
#include "media/killed.h"
#include "media/pool.h"
#include "media/samples.h"

/* Something in memory that may go when room is needed. evict is called with the
 * lock held and returns false if it can't go now. */
struct cached {
	struct cached *prev, *next;
	size_t bytes;
	bool (*evict_locked)(struct samples *s, struct cached *c);
};

struct samples {
	struct pool *pool;
	struct budget *budget;
	struct stats *stats;
	size_t capacity;
	uint64_t killed_ttl_ms;

	pthread_mutex_t lock;
	/* lock: */
	struct product *products;      /* by kind, object, spec */
	struct clip *clips;            /* by object, spec */
	size_t taken;                  /* of capacity, for others */
	struct killed *killed;
	struct cached *lru;            /* head: next to go */
	size_t bytes;
	size_t let_go;                 /* of values too small for mappings of their own, since the last heap_trim */
	uint64_t next_session;
	bool stopping;
	unsigned calls;                /* under way in the functions of samples.h */
	pthread_cond_t idle;           /* calls is 0 */
};

/* Around whatever may give the pool a job on a caller's behalf. False: stopped. */
bool samples_enter(struct samples *s);
void samples_leave(struct samples *s);

/* Counts c among the cached things, as the most recently used, and lets others
 * go until the capacity holds again. */
void cached_add_locked(struct samples *s, struct cached *c);
void cached_touch_locked(struct samples *s, struct cached *c);
void cached_remove_locked(struct samples *s, struct cached *c);

/* Counts on, but can't go; can go again, as the next. In between it isn't removed. */
void cached_hold_locked(struct samples *s, struct cached *c);
void cached_let_go_locked(struct samples *s, struct cached *c);

/* The product that has `table`, with one more reason to stay in memory, for the memory is needed
 * anyway; NULL: it has gone. Undone by product_unpin_locked (NULL allowed). */
struct product *product_pin_table_locked(struct samples *s, const struct object *obj, const struct blob *table);
void product_unpin_locked(struct product *p);

/* Frees one clip / product and what it holds; unlinks it. */
void clip_free_locked(struct samples *s, struct clip *c);
void product_free_locked(struct samples *s, struct product *p);

/* clip.c, product.c: the half of samples_drop that is theirs. Jobs are only marked;
 * the pool is told by samples_drop. */
void clips_drop(struct samples *s);
void products_drop(struct samples *s);

/* True for failures that will come again: worth remembering. */
static inline bool error_is_lasting(int err)
{
	return err == -EBADMSG || err == -ENODATA;
}

#endif
