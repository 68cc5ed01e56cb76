/* pool_queue.h - the jobs that have no worker yet. A job first has the bytes
 * fetched that it is known to want (pool_job.need_*), then waits for a worker: no
 * worker is taken only to wait for the store.
 *
 * Jobs are fetched for in order of arrival, as far as their bytes fit the bound
 * together; what is fetched stays in the block cache like anything else. Of those
 * whose bytes are there the first come is the first served. Fetching is a head
 * start and nothing more: a job whose bytes are late goes on without them, and
 * asks for them from its worker.
 *
 * The pool's thread only. Nobody else than the pool includes this. */
#ifndef S3SAMPLEFS_MEDIA_POOL_QUEUE_H
#define S3SAMPLEFS_MEDIA_POOL_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "media/pool.h"

struct fetch;
struct fetch_box;

struct pool_queue {
	/* constant */
	struct fetch_box *box;
	struct blocks *blocks;
	size_t max;              /* bytes of blocks fetched for jobs in here, or being fetched */
	uint64_t patience_ns;

	struct pool_job *jobs;   /* in order of arrival */
	size_t bytes;            /* of max */
	uint64_t last_ticket;
};

/* Takes a list of jobs, in order. */
void pool_queue_add(struct pool_queue *q, struct pool_job *list);

/* Takes a job that its worker couldn't do: it is the first. */
void pool_queue_add_again(struct pool_queue *q, struct pool_job *job);

/* Takes a job out, whatever it waits for. */
void pool_queue_remove(struct pool_queue *q, struct pool_job *job);

/* Starts to fetch for those whose turn it is; those that have waited too long for
 * their bytes go on without. */
void pool_queue_turn(struct pool_queue *q, uint64_t now_ns);

/* An answer to a fetch: f->worker is FETCH_AHEAD. Returns the job that can't go on,
 * taken out, or NULL. f stays the caller's. */
struct pool_job *pool_queue_landed(struct pool_queue *q, const struct fetch *f);

/* The first that can have a worker; NULL: none. */
struct pool_job *pool_queue_first(const struct pool_queue *q);

/* When pool_queue_turn has to be called again; UINT64_MAX: when something happens. */
uint64_t pool_queue_next_ns(const struct pool_queue *q);

#endif
