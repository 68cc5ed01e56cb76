/* give_up.c - requests that are answered before there is an answer.
 *
 * Whose caller is no more: a process that is killed while it waits for pages is gone at once; its
 * READs stay with us, and so would their decoding. Nor does a release come: each READ holds the
 * open file. But a request names the thread that made it. An answer of EINTR hurts nobody else:
 * whoever waits for the same pages finds them not filled, and asks again.
 *
 * Whose caller is to end: the kernel tells (FUSE_INTERRUPT, once a request, of look-ups, open and
 * reading a directory) that the caller has a signal, whichever. On a disk nobody ever sees EINTR
 * from these, and programs take it for "there is nothing". So the signals themselves count:
 * one that is fatal at once, a SIGINT, SIGTERM or SIGQUIT for which there is a handler after a
 * second; no other one.
 *
 * Which nothing is done for any more: a request that has waited for the deadline and a quarter
 * longer, while nothing at all came from the store or a worker. Each step of a request has the
 * deadline for itself, so that one of them would have ended; but a queue may be as long as an hour. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/text.h"
#include "fs/caller.h"
#include "fs/fs_priv.h"

#define ASKED_MS 1000u     /* so long a signal for which there is a handler is left to wait */
#define SLACK_MS 1000u
#define STOOD_STILL_MS 10000u  /* between two ticks */

/* One caller, and what is known of it. */
struct look {
	pid_t pid;
	bool interrupted;
	enum caller_state state;
};

/* One request that was claimed, to be answered. */
struct claimed {
	fuse_req_t req;
	struct inode *inode;       /* where the failure is to be noted; one reference, else NULL */
	char *name;
};

static int compare_looks(const void *a, const void *b)
{
	const struct look *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Whom to look at: of requests that were interrupted since the last look, and at a tick of all that
 * have waited since the one before. *ret: the caller's to free. */
static size_t list_callers(struct fsys *fs, bool tick, struct look **ret)
{
	struct fs_op *op;
	size_t n = 0, room;

	pthread_mutex_lock(&fs->lock);
	DL_COUNT(fs->ops, op, room);
	*ret = room ? calloc(room, sizeof(**ret)) : NULL;
	if (*ret)
		DL_FOREACH(fs->ops, op) {
			const bool is_new = atomic_exchange(&op->interrupt_is_new, false);

			if (op->pid > 0 && (is_new || (tick && op->seen)))
				(*ret)[n++] = (struct look){ op->pid, atomic_load(&op->interrupted_ms) != 0, CALLER_WAITS };
			op->seen |= tick;
		}
	pthread_mutex_unlock(&fs->lock);
	return n;
}

/* Of n callers those that don't simply wait, in order, each once. Returns how many. */
static size_t look_at(struct look *looks, size_t n)
{
	const bool use_proc = caller_proc_is_ours();
	size_t kept = 0;

	qsort(looks, n, sizeof(*looks), compare_looks);
	for (size_t i = 0, next; i < n; i = next) {
		struct look l = looks[i];

		for (next = i + 1; next < n && looks[next].pid == l.pid; next++)
			l.interrupted |= looks[next].interrupted;
		l.state = caller_look(l.pid, l.interrupted, use_proc);
		if (l.state != CALLER_WAITS)
			looks[kept++] = l;
	}
	return kept;
}

static bool is_to_end_locked(const struct fs_op *op, const struct look *looks, size_t n, uint64_t now_ms)
{
	const struct look key = { .pid = op->pid };
	const struct look *l = bsearch(&key, looks, n, sizeof(key), compare_looks);
	const uint64_t interrupted_ms = atomic_load(&op->interrupted_ms);

	if (!l || (!op->seen && !interrupted_ms))
		return false;
	if (l->state == CALLER_GONE)
		return true;
	return interrupted_ms && now_ms - interrupted_ms >= ASKED_MS;
}

/* Claims the requests of callers that are gone, or have been asked for long enough. */
static size_t claim_callers(struct fsys *fs, const struct look *looks, size_t n_looks, struct claimed **ret)
{
	const uint64_t now_ms = clock_ms();
	struct fs_op *op;
	size_t n = 0, room;

	pthread_mutex_lock(&fs->lock);
	DL_COUNT(fs->ops, op, room);
	*ret = room ? calloc(room, sizeof(**ret)) : NULL;
	if (*ret)
		DL_FOREACH(fs->ops, op) {
			if (!is_to_end_locked(op, looks, n_looks, now_ms))
				continue;
			wanted_drop(&op->wanted);
			if (op_claim_early_locked(op))
				(*ret)[n++].req = op->req;
		}
	pthread_mutex_unlock(&fs->lock);
	return n;
}

unsigned ops_drop_callers(struct fsys *fs, bool tick)
{
	struct claimed *claimed = NULL;
	struct look *looks;
	size_t n = list_callers(fs, tick, &looks);

	n = n ? look_at(looks, n) : 0;
	if (n)
		n = claim_callers(fs, looks, n, &claimed);
	for (size_t i = 0; i < n; i++)
		fuse_reply_err(claimed[i].req, EINTR);
	free(claimed);
	free(looks);
	return (unsigned)n;
}

/* Grows whenever something comes from the store or from a worker, also that it has failed. */
static int64_t work_done(const struct stats *s)
{
	return stats_get(s, STAT_s3_bytes) + stats_get(s, STAT_dir_bytes) + stats_get(s, STAT_meta_pages) +
	       stats_get(s, STAT_frames_decoded) + stats_get(s, STAT_probes) + stats_get(s, STAT_mfcc_computed) +
	       stats_get(s, STAT_decode_errors);
}

static size_t claim_overdue(struct fsys *fs, uint64_t now_ms, struct claimed **ret)
{
	const uint64_t moved_ms = atomic_load(&fs->moved_ms);
	const uint64_t patience_ms = fs->timeout_ms + fs->timeout_ms / 4 + SLACK_MS;
	struct fs_op *op;
	size_t n = 0, room;

	*ret = NULL;
	if (now_ms - moved_ms < patience_ms)
		return 0;
	pthread_mutex_lock(&fs->lock);
	DL_COUNT(fs->ops, op, room);
	*ret = room ? calloc(room, sizeof(**ret)) : NULL;
	if (*ret)
		DL_FOREACH(fs->ops, op) {
			if (now_ms - op->since_ms < patience_ms)
				continue;
			wanted_drop(&op->wanted);
			if (!op_claim_early_locked(op))
				continue;
			ref_take(&op->inode->refs);
			(*ret)[n++] = (struct claimed){ op->req, op->inode, op->name ? strdup(op->name) : NULL };
		}
	pthread_mutex_unlock(&fs->lock);
	return n;
}

unsigned ops_drop_overdue(struct fsys *fs)
{
	const uint64_t now_ms = clock_ms();
	const int64_t done = work_done(fs->stats);
	/* Were we stopped, or the whole machine? Then nothing can have come. */
	const bool stood_still = now_ms - fs->ticked_ms > STOOD_STILL_MS;
	struct claimed *claimed;
	size_t n;

	if (done != fs->work_done || stood_still)
		atomic_store(&fs->moved_ms, now_ms);
	fs->work_done = done;
	fs->ticked_ms = now_ms;
	n = claim_overdue(fs, now_ms, &claimed);
	for (size_t i = 0; i < n; i++) {
		failure_note(fs, claimed[i].inode, claimed[i].name, -ETIMEDOUT,
		             "the deadline passed while this waited behind others, and nothing came from the source");
		fuse_reply_err(claimed[i].req, ETIMEDOUT);
		inode_unref(claimed[i].inode);
		free(claimed[i].name);
	}
	free(claimed);
	return (unsigned)n;
}
