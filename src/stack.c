#include "stack.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/log.h"
#include "base/stats.h"
#include "base/text.h"
#include "config/config.h"
#include "media/pool.h"
#include "media/samples.h"
#include "store/blocks.h"
#include "store/meta.h"
#include "view/view.h"

/* One 4K 10-bit decoder on one thread takes 246 MB. With the window through which a
 * worker gets its bytes, which its own limit doesn't count. */
#define WORKER_DATA ((uint64_t)312 << 20)
#define WORKER_MEMORY (WORKER_DATA + (uint64_t)PROTO_SLOTS * PROTO_SLOT_SIZE)
/* What must be left beside the workers for blocks, rows and running jobs. */
#define DAEMON_MEMORY_MIN ((uint64_t)128 << 20)
_Static_assert(WORKER_MEMORY + DAEMON_MEMORY_MIN == CONFIG_MEMORY_MIN, "what config accepts is enough");

/* memory=, divided. */
struct shares {
	unsigned workers;
	uint64_t blocks, rows, jobs, index, names, inodes;   /* bytes */
};

struct stack {
	struct stats stats;
	struct store *store;
	struct meta *meta;
	struct blocks *blocks;
	struct pool *pool;
	struct budget *budget;
	struct samples *samples;
	struct views *views;
	struct shares shares;
	bool stopped;
};

static unsigned allowed_cores(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}

/* Workers take what they may grow to; the rest goes to what the daemon keeps. */
static int divide_memory(const struct config *c, struct shares *ret, char *why)
{
	uint64_t wanted = c->workers ? c->workers : allowed_cores(), fit, rest;

	fit = (c->memory - DAEMON_MEMORY_MIN) / WORKER_MEMORY;
	if (c->workers > fit) {
		snprintf(why, STACK_WHY_MAX,
		         "workers=%u don't fit into memory=%lluM: there is room for %llu of %lluM each; they need memory=%lluM",
		         c->workers, (unsigned long long)(c->memory >> 20), (unsigned long long)fit,
		         (unsigned long long)(WORKER_MEMORY >> 20),
		         (unsigned long long)((c->workers * WORKER_MEMORY + DAEMON_MEMORY_MIN) >> 20));
		return 2;
	}
	if (wanted > fit)
		log_info("%llu workers for %llu cores: memory=%lluM has room for no more", (unsigned long long)fit,
		         (unsigned long long)wanted, (unsigned long long)(c->memory >> 20));
	ret->workers = (unsigned)(wanted < fit ? wanted : fit);
	rest = c->memory - ret->workers * WORKER_MEMORY;
	ret->blocks = rest / 4;
	ret->rows = rest / 4;
	ret->jobs = rest / 8;
	ret->index = rest / 8;
	ret->names = rest / 8;
	ret->inodes = rest / 8;
	return 0;
}

/* 1: it is there, and empty, of which why tells. */
static int open_store(struct stack *s, const struct config *c, char *why)
{
	struct s3_options o = c->s3;
	int err;

	o.creds.cwd = c->cwd;
	o.timeout_ms = c->timeout_ms;
	err = c->dir ? store_dir_open(c->dir, &s->stats, why, &s->store) :
	               store_s3_open(&o, &s->stats, why, &s->store);

	return err ? err : store_check(s->store, why);
}

/* malloc'd, or NULL. */
static char *worker_binary(const struct config *c)
{
	const char *set = getenv("S3SAMPLEFS_WORKER");

	return text_absolute_path(c->cwd, set && set[0] ? set : S3SAMPLEFS_PKGLIBEXECDIR "/s3samplefs-worker");
}

static int start_pool(struct stack *s, const struct config *c, const struct shares *m, char *why)
{
	char *binary = worker_binary(c);
	const struct pool_options o = {
		.binary = binary,
		.workers = m->workers,
#ifdef S3SAMPLEFS_SANITIZE
		.worker_memory = 0,
#else
		.worker_memory = WORKER_DATA,
#endif
		.require_sandbox = c->sandbox && strcmp(c->sandbox, "require") == 0,
		.timeout_ms = c->timeout_ms,
		.blocks = s->blocks,
		/* Beside what workers and readers of raw/ have in use, these aren't evicted soon. */
		.fetch_max = m->blocks / 4,
		.stats = &s->stats,
	};

	int err = binary ? pool_new(&o, why, &s->pool) : -ENOMEM;

	free(binary);
	return err;
}

static int open_media(struct stack *s, const struct config *c, char *why)
{
	s->budget = budget_new(s->shares.jobs, &s->stats);
	if (!s->budget || start_pool(s, c, &s->shares, why) < 0)
		return 1;
	s->samples = samples_new(s->pool, s->budget, s->shares.rows, c->metadata_ttl_ms, &s->stats);
	return s->samples ? 0 : 1;
}

static int open_views(struct stack *s, const struct config *c, char *why)
{
	const struct view_env env = {
		.meta = s->meta,
		.blocks = s->blocks,
		.samples = s->samples,
		.stats = &s->stats,
		.index_max = s->shares.index,
		.metadata_ttl_ms = c->metadata_ttl_ms,
	};
	int err = views_new(c->views, c->n_views, &env, why, &s->views);

	return err == -EINVAL ? 2 : err ? 1 : 0;
}

int stack_new(const struct config *c, enum stack_top top, char why[STACK_WHY_MAX], struct stack **ret_stack)
{
	struct stack *s = calloc(1, sizeof(*s));
	char note[STORE_WHY_MAX + 300] = "";
	int status, opened;

	snprintf(why, STACK_WHY_MAX, "not enough memory");
	if (!s)
		return 1;
	status = divide_memory(c, &s->shares, why);
	if (status)
		goto fail;
	status = 1;
	opened = open_store(s, c, why);
	if (opened < 0)
		goto fail;
	if (opened)
		snprintf(note, sizeof(note), "nothing is in %.250s: %.250s", c->source, why);
	snprintf(why, STACK_WHY_MAX, "not enough memory");
	s->meta = meta_new(s->store, c->metadata_ttl_ms, s->shares.names, &s->stats);
	s->blocks = blocks_new(s->store, s->shares.blocks, &s->stats);
	if (!s->meta || !s->blocks)
		goto fail;
	status = top >= STACK_MEDIA ? open_media(s, c, why) : 0;
	if (!status && top >= STACK_VIEWS)
		status = open_views(s, c, why);
	if (status)
		goto fail;
	*ret_stack = s;
	strcpy(why, note);
	return 0;
fail:
	stack_free(s);
	return status;
}

struct views *stack_views(struct stack *s)
{
	return s->views;
}

struct stats *stack_stats(struct stack *s)
{
	return &s->stats;
}

size_t stack_inode_bytes(const struct stack *s)
{
	return s->shares.inodes;
}

void stack_stop(struct stack *s)
{
	if (!s || s->stopped)
		return;
	s->stopped = true;
	/* From the top down: no new jobs, then the jobs, then the requests of the store. */
	views_cancel(s->views);
	if (s->samples)
		samples_stop(s->samples);
	pool_free(s->pool);
	if (s->store)
		store_cancel(s->store);
	blocks_free(s->blocks);
	store_free(s->store);
	views_stop(s->views);
}

void stack_free(struct stack *s)
{
	if (!s)
		return;
	stack_stop(s);
	meta_free(s->meta);
	views_free(s->views);
	samples_free(s->samples);
	budget_free(s->budget);
	free(s);
}
