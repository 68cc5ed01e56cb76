/* pool_world.h - for the tests of the pool: a folder of objects, the real store
 * and block cache over it, a pool of pool_child processes, and jobs to wait for. */
#ifndef S3SAMPLEFS_TESTS_POOL_WORLD_H
#define S3SAMPLEFS_TESTS_POOL_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/stats.h"
#include "media/pool.h"
#include "pool_child.h"
#include "store/object.h"
#include "store/store.h"

#define WORLD_OBJECTS 7u
#define WORLD_EMPTY 0u         /* indices of objects: one of no bytes */
#define WORLD_SMALL 1u         /* a few bytes */
#define WORLD_MEDIUM 4u        /* more than a block of the cache */
#define WORLD_LARGE 6u         /* some MiB */
#define ROWS 8u
#define ROW_BYTES 256u

struct world {
	char folder[64];
	char child[4096];              /* path of pool_child */
	struct store *gate;            /* gate_store.h */
	struct blocks *blocks;
	struct stats stats;
	struct pool *pool;
	size_t fetch_max;              /* for the next pool */
	struct object *objects[WORLD_OBJECTS];
	uint8_t *contents[WORLD_OBJECTS];
	int open_before;               /* descriptors open before the pool was made */
};

/* Makes everything but the pool. */
void world_init(struct world *w);
void world_done(struct world *w);

/* Rewrites an object, so that the version we know of is gone. */
void world_replace_object(struct world *w, unsigned object);

/* pool_new; program NULL: pool_child. */
int world_make_pool(struct world *w, const char *program, unsigned workers, uint64_t timeout_ms,
                    size_t memory, char *why);

/* The same, having counted the open descriptors. */
int world_try_pool(struct world *w, const char *program, unsigned workers, uint64_t timeout_ms,
                   size_t memory, char *why);
void world_start_pool(struct world *w, unsigned workers, uint64_t timeout_ms);

/* Frees the pool; holds that no child and no descriptor of it is left. */
void world_stop_pool(struct world *w);

struct request {
	struct pool_job job;           /* first */
	/* Written by the pool's thread, read after request_wait or request_wait_row. */
	int n_done, err;
	char why[600];
	bool has_out;
	_Alignas(8) uint8_t out[64 << 10];
	size_t out_len;
	uint64_t frames_decoded, used_us, fed;
	unsigned n_rows;
	unsigned times[ROWS];          /* that row i was told */
	struct child_row rows[ROWS];
	union {
		uint8_t bytes[sizeof(struct proto_frames) + ROWS * sizeof(struct proto_frame_row)];
		uint64_t align;
	} input;
};

/* A new job on the object; the caller frees it when it is done. ROWS rows, of
 * which the even ones are to be emitted, each at the slot of its own number. */
struct request *request_mfcc(struct world *w, enum child_act act, unsigned object);
struct request *request_frames(struct world *w, enum child_act act, unsigned object);

/* Says that the job will want so many bytes from off first. */
void request_need(struct request *r, uint64_t off, size_t len);

void request_submit(struct world *w, struct request *r);
void request_wait(struct request *r);
void request_wait_row(struct request *r);

bool request_is_done(struct request *r);

/* Returns once the pool has seen everything that was submitted so far, and has handed out
 * what it can. */
void world_wait_a_turn(struct world *w);

/* Submits, waits, returns the result's err; the request stays to be looked at. */
int request_run(struct world *w, struct request *r);

const struct child_sum *request_sum(const struct request *r);

/* Holds that a request of ACT_SUM got the object's sum, and frees it. */
void request_expect_sum(const struct world *w, struct request *r, unsigned object);

/* Runs it and holds that it ends in err, with the words in its sentence. */
void expect_failure(struct world *w, struct request *r, int err, const char *words);

/* Runs ACT_SUM on a small object: does the pool still work? Returns the pid
 * of the process that did it. */
pid_t expect_service(struct world *w);

/* Kills it with sig and returns when it has ended. */
void kill_and_wait(pid_t pid, int sig);

/* Our open descriptors but for those of the store. */
int world_count_descriptors(const struct world *w);

int64_t world_stat(const struct world *w, enum stat_id id);

#endif
