/* pool.h - the worker processes: started early, fed over a socket pair, one
 * job at a time each, replaced when they crash, hang or grow.
 *
 * One permanent thread spawns them (PR_SET_PDEATHSIG fires when the spawning
 * thread ends), waits for their messages, answers their wants from the block
 * cache and watches deadlines. A job that kills its worker costs that job one
 * error (-EBADMSG; -ETIMEDOUT when it hung) and nothing else. One whose worker was
 * killed from outside is done again, on a fresh one and with no other job beside it;
 * killed alone twice it ends with -ENOMEM. */
#ifndef S3SAMPLEFS_MEDIA_POOL_H
#define S3SAMPLEFS_MEDIA_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/proto.h"

struct blocks;
struct object;
struct pool;
struct stats;

/* The sentence of -ECANCELED. */
#define POOL_DROPPED_WHY "nobody waits for it any more"

/* Most bytes that are worth having before a worker: as many as it wants at once. */
#define POOL_NEED_MAX PROTO_SLOT_SIZE

struct pool_options {
	const char *binary;         /* path of the worker program, resolved by pool_new */
	unsigned workers;           /* > 0 */
	size_t worker_memory;       /* RLIMIT_DATA of each, bytes; 0: none (sanitizers) */
	bool require_sandbox;       /* a worker that lacks part of it isn't one */
	uint64_t timeout_ms;        /* deadline of a job, from when a worker gets it. Bounds its CPU
	                               time too: enough as long as workers decode on one thread */
	struct blocks *blocks;      /* where object bytes come from */
	size_t fetch_max;           /* bytes that may be fetched for jobs without a worker */
	struct stats *stats;
};

struct pool_result {
	int err;                    /* 0 or -errno */
	const char *why;            /* a sentence when err, else NULL; valid during the call */
	const uint8_t *out;         /* the output, read-only for us; NULL when err. The worker may
	                               still be able to write there: copy, then check */
	size_t out_len;             /* all but FRAMES: bytes written, <= out_size. FRAMES: out_size */
	uint64_t frames_decoded, used_us, fed;
	bool by_decoder;            /* err is what the decoder said of the object: the same will come
	                               of it again, also where that is -ENOMEM */
	bool killed;                /* -ENOMEM, and soon to come again: its workers were killed from
	                               outside, also with no other job beside it */
};

/* What a job without a worker waits for. */
enum pool_job_state {
	POOL_JOB_NEW,               /* its turn to have its bytes fetched */
	POOL_JOB_FETCHING,          /* its bytes */
	POOL_JOB_FETCHED,           /* a worker; its bytes are in the block cache */
	POOL_JOB_READY,             /* a worker; nothing is held for it */
};

/* Embedded in the caller's own job; the caller fills it (zero the rest), keeps
 * it and what it points to alive until done is called. */
struct pool_job {
	enum proto_kind kind;
	struct object *obj;
	uint64_t session;           /* see proto_job; 0: none */
	uint64_t first_packet;      /* FRAMES: the run's sync packet, to choose a worker whose open
	                               decoder can go on */
	const void *input;          /* aligned to 8; copied into a memfd when the job starts; NULL:
	                               none */
	size_t input_size;
	size_t out_size;            /* > 0 */
	uint64_t need_off;          /* what it is known to want first: fetched before it takes a */
	size_t need_len;            /* worker. Inside the object, <= POOL_NEED_MAX; 0: not known */
	struct spec spec;           /* FRAMES, MFCC: of that kind */
	/* On the pool's thread, no lock held, must not block. row: a row of a
	 * FRAMES job stands complete at out (index into proto_frame_row[], < n_rows
	 * of the input; each at most once). done: exactly once, last. */
	void (*row)(struct pool_job *job, const uint8_t *out, uint32_t row);
	void (*done)(struct pool_job *job, const struct pool_result *result);

	/* Set by the owner, at any time: nobody wants the result. It may come all the same. */
	_Atomic bool dropped;

	/* The pool's own. */
	struct pool_job *prev, *next;
	uint64_t id;                /* 0: no worker has had it yet */
	bool tried;                 /* a worker read it and ended without a word */
	bool alone;                 /* its worker was killed: it waits until no other job runs */
	unsigned killed_alone;      /* how often that happened with no other job running */
	uint8_t *told;              /* FRAMES: bit i: row i was handed over in an earlier try */
	enum pool_job_state state;
	uint64_t ticket;            /* of its fetch */
	uint64_t late_ns;           /* when it goes on without the bytes */
};

/* Starts the thread and the workers, waits until each has been spawned and one of them is ready.
 * Returns 0 or -errno with why[256] (worker binary missing, one that ends at once since a library
 * is missing, no sandbox, no descriptors, ...). Where the program is broken later, jobs end with
 * -EIO until a process stays. Copies *o; what it points to, but for binary, must outlive the
 * pool. */
int pool_new(const struct pool_options *o, char *why, struct pool **ret_pool);

/* Queues a job, for its bytes and then for a worker: first come, first served among
 * those whose bytes are there, but an idle worker with the job's session whose decoder
 * stands at or after first_packet is preferred to other idle ones. Any thread, also from row and done. done may be called before this
 * returns only with -ESHUTDOWN. */
void pool_submit(struct pool *p, struct pool_job *job);

/* Some jobs have been dropped: those without a worker end now, running ones when their
 * worker next asks for bytes, with -ECANCELED. One that asks for none any more runs to
 * its end. Any thread, with no lock held; doesn't wait. */
void pool_end_dropped(struct pool *p);

/* Ends every queued and running job with -ESHUTDOWN, kills and reaps the
 * workers, joins the thread. NULL allowed. */
void pool_free(struct pool *p);

#endif
