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
#include "media/values.h"

struct samples {
	struct pool *pool;
	struct budget *budget;
	struct stats *stats;
	uint64_t killed_ttl_ms;

	pthread_mutex_t lock;          /* the values', too */
	/* lock: */
	struct product *products;      /* by kind, object, spec */
	struct clip *clips;            /* by object, spec */
	struct killed *killed;
	struct values values;
	uint64_t next_session;
	bool stopping;
	unsigned calls;                /* under way in the functions of samples.h */
	pthread_cond_t idle;           /* calls is 0 */
};

/* Around whatever may give the pool a job on a caller's behalf. False: stopped. */
bool samples_enter(struct samples *s);
void samples_leave(struct samples *s);

/* The product that has `table`, with one more reason to stay in memory, for the memory is needed
 * anyway; NULL: it has gone. Undone by product_unpin_locked (NULL allowed). */
struct product *product_pin_table_locked(struct samples *s, const struct object *obj, const struct blob *table);
void product_unpin_locked(struct product *p);

static inline struct samples *samples_of_values(struct values *vs)
{
	return (struct samples *)((char *)vs - offsetof(struct samples, values));
}

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
