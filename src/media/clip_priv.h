/* clip_priv.h - what clip.c (rows, readers, life) and clip_job.c (decoding
 * jobs) share: the rows of one object under one frames_spec.
 *
 * Rows that start from the same sync packet are one run; at most one job works
 * on a run at a time, and readers who want more of it wait for that job and
 * then have it continued. Every job names all rows whose packets it will feed,
 * so that none is skipped, and is told which of them to hand over: those
 * wanted, and those it passes on the way.
 *
 * A session is an open decoder in some worker: (number, how far it was fed, up
 * to which row its frames have come out). A job whose rows all lie ahead of a
 * session continues it; the worker that no longer has it starts from the sync
 * packet, which gives the same frames. */
#ifndef S3SAMPLEFS_MEDIA_CLIP_PRIV_H
#define S3SAMPLEFS_MEDIA_CLIP_PRIV_H

#include "base/blob.h"
#include "base/budget.h"
#include "media/plan.h"
#include "media/samples_priv.h"

#define CLIP_SESSIONS 4u              /* open decoders remembered a clip */

struct row {
	struct value value;           /* first; ready: there, or a lasting failure */
	struct clip *clip;
	uint32_t number;
};

/* Readers of rows, and (count 0) of the clip itself while it is loading. */
struct request {
	struct request *prev, *next;
	uint32_t first, count, missing;
	bool sequential;
	const struct wanted *wanted;
	samples_rows_fn *rows_done;
	samples_clip_fn *clip_done;
	void *arg;
	int err;
	char why[SAMPLES_WHY_MAX];
	struct blob *rows[];
};

struct session {
	uint64_t number;              /* 0: free */
	uint64_t fed;                 /* next packet it would feed */
	int64_t out;                  /* rows up to this one have come out; -1: none */
	bool busy;
};

struct clip_key {
	uint64_t object;
	struct spec spec;           /* SPEC_FRAMES */
};

struct clip {
	UT_hash_handle hh;
	struct clip_key key;
	struct samples *samples;
	struct object *obj;

	/* samples->lock: */
	bool loading;
	struct wanted table_wanted;       /* while loading */
	struct value place;               /* counted once loaded: table, plan, array of rows */
	struct blob *table;
	struct product *table_of;         /* which counts it, and stays; NULL: we do */
	struct plan *plan;
	uint32_t row_height, row_width;
	size_t row_bytes;
	struct row **rows;                /* [plan->n_rows], NULL: not in memory */
	struct request *requests;         /* waiting */
	struct frame_job *jobs;           /* running or waiting for memory */
	struct session sessions[CLIP_SESSIONS];
	int64_t damaged_run;              /* a run with a frame that comes out in no way; -1: none known */
	unsigned users;                   /* callbacks that look at the clip without the lock */
};

#define CLIP_DELIVERED UINT32_MAX

struct frame_job {
	struct pool_job job;              /* first: job callbacks cast */
	struct frame_job *prev, *next;
	struct clip *clip;
	struct budget_wait reserved;
	struct session *session;
	bool started;                     /* given to the pool, or to the budget's queue (lock) */
	uint32_t run;                     /* the sync packet its rows start from */
	uint32_t from;                    /* the sync packet it decodes from; earlier than run in a retry */
	uint32_t target;                  /* row */
	unsigned attempt;
	bool short_of_memory;             /* a row came that there was no memory for */
	uint8_t *input;
	uint32_t n_rows;                  /* of the input */
	uint32_t owed;                    /* lock; rows it has still to hand over */
	uint32_t rows[];                  /* lock; row number of each; CLIP_DELIVERED once it came */
};

static inline const struct table_head *clip_table(const struct clip *c)
{
	return (const struct table_head *)(const void *)blob_data(c->table);
}

/* The first place in the request's rows that shows row `row` (a first row) or a
 * later one; q->count: none does. Rows that show one frame lie side by side. */
static inline uint32_t request_place(const struct clip *c, const struct request *q, uint32_t row)
{
	uint32_t low = 0, high = q->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (c->plan->rows[q->first + mid].first < row)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* clip.c: */

/* Remembers a row's value or its lasting failure. Out of memory: doesn't. */
void clip_keep_locked(struct clip *c, uint32_t row, struct blob *value, int err, const char *why);

/* Row `row` (a first row) is there, or has failed: fills it into the requests
 * that wait for it; those that are finished by it move to *finished. */
void clip_offer_locked(struct clip *c, uint32_t row, struct blob *value, int err, const char *why,
                       struct request **finished);

void clip_fail_request_locked(struct clip *c, struct request *q, int err, const char *why, struct request **finished);

/* Ends a section that changed the clip, entered with the lock held and the
 * caller counted in c->users: gives up the lock, calls back who is finished,
 * starts new jobs. */
void clip_settle(struct clip *c, struct request *finished);

/* clip_job.c: */

/* Makes a job for every run that has waiting readers and no job. */
void clip_schedule_locked(struct clip *c, struct request **finished);

/* True while somebody waits for a row that the job is to hand over. */
bool clip_job_wanted_locked(const struct frame_job *j);

/* Starts the jobs made so far, without the lock. */
void clip_start_jobs(struct clip *c);

#endif
