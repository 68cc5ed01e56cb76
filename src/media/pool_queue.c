#include "media/pool_queue.h"

#include <utlist.h>

#include "media/fetch.h"
#include "media/job_kind.h"
#include "store/blocks.h"
#include "store/object.h"

void pool_queue_add(struct pool_queue *q, struct pool_job *list)
{
	DL_CONCAT(q->jobs, list);
}

/* What its bytes take of the block cache. */
static size_t room_of(const struct pool_job *job)
{
	uint64_t first = job->need_off / BLOCKS_SIZE;
	uint64_t last = (job->need_off + job->need_len - 1) / BLOCKS_SIZE;

	return (size_t)(last - first + 1) * BLOCKS_SIZE;
}

/* Its bytes don't count for the queue any more, whoever has them. */
static void settle(struct pool_queue *q, struct pool_job *job, enum pool_job_state state)
{
	if (job->state == POOL_JOB_FETCHING || job->state == POOL_JOB_FETCHED)
		q->bytes -= room_of(job);
	job->state = state;
}

void pool_queue_remove(struct pool_queue *q, struct pool_job *job)
{
	settle(q, job, POOL_JOB_READY);
	DL_DELETE(q->jobs, job);
}

void pool_queue_add_again(struct pool_queue *q, struct pool_job *job)
{
	job->state = POOL_JOB_READY;
	DL_PREPEND(q->jobs, job);
}

static bool fits(const struct pool_queue *q, const struct pool_job *job)
{
	return room_of(job) <= q->max - q->bytes;
}

static void begin(struct pool_queue *q, struct pool_job *job, uint64_t now_ns)
{
	job->state = POOL_JOB_FETCHING;
	job->ticket = ++q->last_ticket;
	job->late_ns = now_ns + q->patience_ns;
	q->bytes += room_of(job);
	if (fetch_start(q->box, q->blocks, job->obj, job->need_off, job->need_len, FETCH_AHEAD, job->ticket) < 0)
		settle(q, job, POOL_JOB_READY);
}

void pool_queue_turn(struct pool_queue *q, uint64_t now_ns)
{
	struct pool_job *job;
	bool full = false;

	DL_FOREACH(q->jobs, job) {
		if (job->state == POOL_JOB_FETCHING && now_ns >= job->late_ns)
			settle(q, job, POOL_JOB_READY);
		if (job->state != POOL_JOB_NEW)
			continue;
		if (job->need_len == 0 || room_of(job) > q->max)
			job->state = POOL_JOB_READY;
		else if (!full && fits(q, job))
			begin(q, job, now_ns);
		else
			full = true;     /* nobody overtakes */
	}
}

struct pool_job *pool_queue_landed(struct pool_queue *q, const struct fetch *f)
{
	struct pool_job *job;

	DL_FOREACH(q->jobs, job)
		if (job->state == POOL_JOB_FETCHING && job->ticket == f->job)
			break;
	if (!job)
		return NULL;
	if (!f->err) {
		job->state = POOL_JOB_FETCHED;
		return NULL;
	}
	settle(q, job, POOL_JOB_READY);
	/* Some rows of a run may be had without the bytes that others need: its worker
	 * will tell which. */
	if (job_kind(job->kind)->is_partial)
		return NULL;
	pool_queue_remove(q, job);
	return job;
}

struct pool_job *pool_queue_first(const struct pool_queue *q)
{
	struct pool_job *job;

	DL_FOREACH(q->jobs, job)
		if (job->state == POOL_JOB_FETCHED || job->state == POOL_JOB_READY)
			break;
	return job;
}

uint64_t pool_queue_next_ns(const struct pool_queue *q)
{
	const struct pool_job *job;
	uint64_t next = UINT64_MAX;

	DL_FOREACH(q->jobs, job)
		if (job->state == POOL_JOB_FETCHING && job->late_ns < next)
			next = job->late_ns;
	return next;
}
