/* pool_worker.h - one of the pool's places for a worker: a process that comes
 * and goes, and the job it is on. The pool's thread only.
 *
 * pool_worker.c starts and ends processes and jobs, pool_message.c hears what
 * the process says. Nobody else than the pool includes this. */
#ifndef S3SAMPLEFS_MEDIA_POOL_WORKER_H
#define S3SAMPLEFS_MEDIA_POOL_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/memfd.h"
#include "media/pool.h"
#include "media/proto.h"
#include "media/worker_proc.h"
#include "store/store.h"

struct fetch;
struct fetch_box;

enum pool_worker_state {
	POOL_WORKER_NONE,       /* no process: to be started */
	POOL_WORKER_IDLE,
	POOL_WORKER_BUSY,
	POOL_WORKER_DYING,      /* killed or hung up, not reaped yet */
};

/* A job being worked on. All zero: none. */
struct pool_run {
	struct pool_job *job;
	bool spoken;            /* its worker has said something valid about it */
	bool unread;            /* its worker died before it read all we sent */
	bool shared;            /* other jobs ran beside it */
	bool killed;            /* ends with -ENOMEM because its workers were killed from outside */
	uint64_t begun_ns, deadline_ns;
	struct memfd out;       /* mapped read-only */
	uint32_t n_rows;        /* FRAMES: of the input */
	uint8_t *told;          /* FRAMES: bit i: ROW i has come */
	bool wanting;           /* a WANT is unanswered */
	uint64_t want_off;
	uint32_t want_len;
	int store_err;          /* the first error of the store: what the job ends with */
	char store_why[STORE_WHY_MAX];
};

struct pool_worker {
	/* constant */
	const struct pool_options *options;
	struct fetch_box *box;
	int epoll;
	unsigned index;

	struct worker_proc proc;
	enum pool_worker_state state;
	uint64_t started_ns, idle_since_ns;
	bool has_started;       /* it said so (it need not) */
	bool has_spoken;        /* this process, ever, about a job */
	bool is_new;            /* it has just spoken for the first time: the program works */
	uint32_t slots;         /* bit i: slot i of the window belongs to the process */
	uint64_t session, fed;  /* where its open decoder stands; session 0: none */
	struct pool_run run;    /* while BUSY, and while DYING if the reason is still to come */

	/* Set for the pool, which takes and clears them. */
	struct pool_job *back;  /* a job that is to be given to another worker */
	bool stillborn;         /* the process ended before it could have served anybody */
	char how[WORKER_PROC_WHY_MAX];  /* how the last process ended */
	char missing[PROTO_WHY_MAX];    /* what its sandbox lacks, as a list; "": nothing */
	char refusal[PROTO_WHY_MAX];    /* why it ends without having served; "": it didn't say */
};

/* Descriptors are registered with epoll with data.u64 = index << 1, plus 1 for
 * the pidfd. */
void pool_worker_init(struct pool_worker *w, const struct pool_options *o, struct fetch_box *box,
                      int epoll, unsigned index);

/* NONE -> IDLE. Returns 0 or -errno with why[WORKER_PROC_WHY_MAX] filled. */
int pool_worker_start(struct pool_worker *w, char *why);

/* IDLE -> BUSY, with the number id. The job is w's from here on: it may end at
 * once with an error, or come back in w->back where the process was dead. */
void pool_worker_give(struct pool_worker *w, struct pool_job *job, uint64_t id);

/* The process has ended (if it really has): hears its last words, ends the
 * job. DYING -> NONE. */
void pool_worker_reap(struct pool_worker *w);

/* Kills the process if its job's deadline has passed. */
void pool_worker_expire(struct pool_worker *w, uint64_t now_ns);

/* An answer of the block cache; dropped unless it is for the job w is on.
 * Takes f. */
void pool_worker_bytes(struct pool_worker *w, struct fetch *f);

/* If nobody wants w's job any more: what it waits for is answered -ECANCELED. */
void pool_worker_drop(struct pool_worker *w);

/* Shutdown: ends the job with -ESHUTDOWN, kills, waits for the end. */
void pool_worker_stop(struct pool_worker *w);

/* pool_message.c: reads and acts on what the process has said. */
void pool_worker_receive(struct pool_worker *w);

/* Counts a job that ended in err, if that is an error of the job's. */
void pool_count_error(struct stats *stats, int err);

/* For pool_message.c. */

/* Ends the job with what the worker said; the store's error wins. why: a
 * sentence when err. */
void pool_worker_finish(struct pool_worker *w, int err, const char *why,
                        const struct proto_done *done);

/* Kills the process for breaking the protocol. what: for a person. */
void pool_worker_reject(struct pool_worker *w, const char *what);

/* It goes on as another process. Returns 0 or -errno, with nothing changed. */
int pool_worker_follow(struct pool_worker *w, pid_t pid);

/* Our end of the socket has seen end-of-file. */
void pool_worker_hung_up(struct pool_worker *w);

/* Asks the block cache for what the run wants. */
void pool_worker_fetch(struct pool_worker *w, uint64_t ahead);

#endif
