/* orphans.c - requests whose reader is no more.
 *
 * A process that is killed while it waits for pages is gone at once; its READs
 * stay with us, and so would their decoding. Nor does a release come: each READ
 * holds the open file. But a request names the thread that made it.
 *
 * An answer of EINTR hurts nobody else: whoever waits for the same pages finds
 * them not filled, and asks again. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/table.h"
#include "fs/fs_priv.h"

#define PF_EXITING 0x4u    /* of a thread's flags in /proc: it has begun to end */

/* Is /proc that of our own processes? In a container it may be another's. */
static bool proc_is_ours(void)
{
	char text[32];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return strtol(text, NULL, 10) == (long)getpid();
}

struct state {
	char state;
	unsigned flags;
	unsigned long pending;     /* signals */
};

/* Of a thread, as proc_pid_stat(5) has them: fields 3, 9 and 31. */
static bool read_state(pid_t tid, struct state *ret)
{
	char path[32], text[1024];
	const char *after;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	after = strrchr(text, ')');  /* the name before it may hold anything */
	return after && sscanf(after, ") %c %*s %*s %*s %*s %*s %u %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
	                       "%*s %*s %*s %*s %*s %*s %*s %*s %lu", &ret->state, &ret->flags, &ret->pending) == 3;
}

/* True only if the thread is certainly gone, or waits for nothing any more. */
static bool is_gone(pid_t tid, bool use_proc)
{
	struct state s;

	if (kill(tid, 0) < 0 && errno == ESRCH)
		return true;
	/* One that was killed may have to stay until this very request is answered: who waits
	 * for a page that somebody else's READ failed to bring can't be killed. */
	return use_proc && read_state(tid, &s) &&
	       (s.state == 'Z' || s.state == 'X' || (s.flags & PF_EXITING) || (s.pending >> (SIGKILL - 1) & 1));
}

static int compare_pids(const void *a, const void *b)
{
	const pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* Who waits since before the last look. *ret: the caller's to free. */
static size_t list_waiting(struct fsys *fs, pid_t **ret)
{
	struct op *op;
	size_t n = 0, room;

	pthread_mutex_lock(&fs->lock);
	DL_COUNT(fs->ops, op, room);
	*ret = room ? calloc(room, sizeof(**ret)) : NULL;
	if (*ret)
		DL_FOREACH(fs->ops, op) {
			if (op->seen && op->pid > 0)
				(*ret)[n++] = op->pid;
			op->seen = true;
		}
	pthread_mutex_unlock(&fs->lock);
	return n;
}

/* Of n pids those that are gone, in order, each once. Returns how many. */
static size_t keep_gone(pid_t *pids, size_t n)
{
	const bool use_proc = proc_is_ours();
	size_t gone = 0;
	pid_t last = 0;

	qsort(pids, n, sizeof(*pids), compare_pids);
	for (size_t i = 0; i < n; i++) {
		bool is_new = pids[i] != last;

		last = pids[i];
		if (is_new && is_gone(last, use_proc))
			pids[gone++] = last;
	}
	return gone;
}

/* Claims the waiting requests of these threads. *ret_reqs: to be answered, then freed. */
static size_t claim_all(struct fsys *fs, const pid_t *gone, size_t n_gone, fuse_req_t **ret_reqs)
{
	struct op *op;
	size_t n = 0, room;

	pthread_mutex_lock(&fs->lock);
	DL_COUNT(fs->ops, op, room);
	*ret_reqs = room ? calloc(room, sizeof(**ret_reqs)) : NULL;
	if (*ret_reqs)
		DL_FOREACH(fs->ops, op) {
			if (!op->seen || !bsearch(&op->pid, gone, n_gone, sizeof(*gone), compare_pids))
				continue;
			wanted_drop(&op->wanted);
			if (op_claim_early_locked(op))
				(*ret_reqs)[n++] = op->req;
		}
	pthread_mutex_unlock(&fs->lock);
	return n;
}

unsigned ops_drop_orphans(struct fsys *fs)
{
	fuse_req_t *reqs = NULL;
	pid_t *pids;
	size_t n = list_waiting(fs, &pids);

	n = n ? keep_gone(pids, n) : 0;
	if (n)
		n = claim_all(fs, pids, n, &reqs);
	for (size_t i = 0; i < n; i++)
		fuse_reply_err(reqs[i], EINTR);
	free(reqs);
	free(pids);
	return (unsigned)n;
}
