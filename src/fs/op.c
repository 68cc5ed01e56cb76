#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "fs/fs_priv.h"

#define CLAIMS 256u   /* requests claimed under one lock */
#define WAITED_MS 100u  /* what was in memory has been answered by then */

int errno_for_user(int err)
{
	switch (err) {
	case -ENOENT:
	case -EACCES:
	case -ESTALE:
	case -EIO:
	case -ETIMEDOUT:
	case -EBADMSG:
	case -ENODATA:
	case -EROFS:
	case -EINTR:
	case -ENOMEM:
	case -ENOTDIR:
	case -EISDIR:
	case -ENAMETOOLONG:
		return -err;
	case -ECANCELED:           /* not wanted any more */
		return EINTR;
	default:
		return EIO;
	}
}

void opened_add(struct fsys *fs, struct opened *o)
{
	pthread_mutex_lock(&fs->lock);
	DL_APPEND(fs->opened, o);
	pthread_mutex_unlock(&fs->lock);
}

void opened_remove(struct fsys *fs, struct opened *o)
{
	pthread_mutex_lock(&fs->lock);
	DL_DELETE(fs->opened, o);
	pthread_mutex_unlock(&fs->lock);
}

static bool claim(struct fs_op *op, enum op_claim how)
{
	int unclaimed = OP_UNCLAIMED;

	return atomic_compare_exchange_strong(&op->claim, &unclaimed, (int)how);
}

/* What has waited has been served: the queue moves. */
static void note_progress(struct fs_op *op)
{
	const uint64_t now_ms = clock_ms();

	if (now_ms - op->since_ms >= WAITED_MS)
		atomic_store(&op->fs->moved_ms, now_ms);
}

bool op_claim(struct fs_op *op)
{
	note_progress(op);
	return claim(op, OP_COMPLETED);
}

bool op_claim_early_locked(struct fs_op *op)
{
	if (!claim(op, OP_ANSWERED_EARLY))
		return false;
	/* Waits for a callback that is running. Once the lock is given up the op may be gone. */
	fuse_req_interrupt_func(op->req, NULL, NULL);
	return true;
}

/* Called by libfuse with the request's own lock held: takes none of ours, and answers nothing. */
static void interrupted(fuse_req_t req, void *data)
{
	struct fs_op *op = data;

	(void)req;
	atomic_store(&op->interrupted_ms, clock_ms());
	atomic_store(&op->interrupt_is_new, true);
	stats_add(op->fs->stats, STAT_fuse_interrupts, 1);
	keeper_tell_interrupted(op->fs->keeper);
}

struct fs_op *op_new(fuse_req_t req, fuse_ino_t ino, bool interruptible)
{
	struct fsys *fs = fuse_req_userdata(req);
	struct fs_op *op;
	int64_t parked;

	if (atomic_load(&fs->stopping)) {
		fuse_reply_err(req, EIO);
		return NULL;
	}
	op = calloc(1, sizeof(*op));
	if (!op) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	op->fs = fs;
	op->req = req;
	op->pid = fuse_req_ctx(req)->pid;
	op->since_ms = clock_ms();
	op->inode = inodes_by_id(fs->inodes, ino);
	if (!op->inode) {
		fuse_reply_err(req, ESTALE);
		free(op);
		return NULL;
	}
	/* Before fsys_stop can find it, answer it and so free req. */
	if (interruptible)
		fuse_req_interrupt_func(req, interrupted, op);
	pthread_mutex_lock(&fs->lock);
	DL_APPEND(fs->ops, op);
	pthread_mutex_unlock(&fs->lock);
	parked = atomic_fetch_add(&fs->stats->value[STAT_fuse_parked], 1) + 1;
	stats_max(fs->stats, STAT_fuse_parked_max, parked);
	/* Stopped in between: fsys_stop may have missed it on the list. */
	if (atomic_load(&fs->stopping)) {
		op_fail(op, -EIO, "the filesystem is being unmounted");
		return NULL;
	}
	return op;
}

/* How long its caller has waited. */
static void count_wait(const struct fs_op *op)
{
	static const uint64_t bounds_ms[] = { 10, 100, 1000, 10000 };  /* STAT_fuse_waits_10ms to _10s */
	const uint64_t ms = clock_ms() - op->since_ms;
	int bucket = STAT_fuse_waits_10ms;

	for (size_t i = 0; i < sizeof(bounds_ms) / sizeof(bounds_ms[0]) && ms > bounds_ms[i]; i++)
		bucket++;
	stats_add(op->fs->stats, (enum stat_id)bucket, 1);
}

void op_free(struct fs_op *op)
{
	if (!op)
		return;
	if (atomic_load(&op->claim) == OP_COMPLETED)
		count_wait(op);
	pthread_mutex_lock(&op->fs->lock);
	DL_DELETE(op->fs->ops, op);
	if (atomic_load(&op->fs->stopping))
		pthread_cond_broadcast(&op->fs->op_gone);
	pthread_mutex_unlock(&op->fs->lock);
	stats_add(op->fs->stats, STAT_fuse_parked, -1);
	inode_unref(op->inode);
	free(op->name);
	free(op);
}

void failure_note(struct fsys *fs, struct inode *i, const char *name, int err, const char *why)
{
	char path[4096];

	stats_add(fs->stats, STAT_fuse_errors, 1);
	snprintf(path, sizeof(path), "%s%s%s", i->path, name && i->path[0] ? "/" : "", name ? name : "");
	if (!name)
		inodes_set_why(fs->inodes, i, why);
	if (failures_add(fs->failures, path, errno_for_user(err), why))
		log_warn("%s: %s (%s)", path, why, strerror(errno_for_user(err)));
}

void op_fail(struct fs_op *op, int err, const char *why)
{
	/* That there is no such name is an answer; that an open file is gone isn't. */
	const bool is_answer = err == -ENOENT && op->name;

	if (!atomic_load(&op->fs->stopping) && !is_answer && err != -EINTR && err != -ECANCELED)
		failure_note(op->fs, op->inode, op->name, err, why ? why : "no reason known");
	op_answer(op, err);
}

/* The store or a worker said so, rather than that nothing could be had of them. */
static bool is_verdict(int err)
{
	return err == -ENOENT || err == -EACCES || err == -ESTALE || err == -EBADMSG || err == -ENODATA;
}

void op_answer(struct fs_op *op, int err)
{
	if (is_verdict(err))
		note_progress(op);
	if (claim(op, OP_COMPLETED)) {
		/* Waits for a callback that is running and has lost the claim. */
		fuse_req_interrupt_func(op->req, NULL, NULL);
		fuse_reply_err(op->req, errno_for_user(err));
	}
	op_free(op);
}

/* Is somebody writing an answer just now? */
static bool answering_locked(const struct fsys *fs)
{
	const struct fs_op *op;

	DL_FOREACH(fs->ops, op)
		if (atomic_load(&op->claim) == OP_COMPLETED)
			return true;
	return false;
}

/* Claims some of what waits; returns how many. */
static size_t claim_some(struct fsys *fs, fuse_req_t *reqs, size_t room)
{
	struct fs_op *op;
	size_t n = 0;

	pthread_mutex_lock(&fs->lock);
	DL_FOREACH(fs->ops, op)
		if (n < room && op_claim_early_locked(op))
			reqs[n++] = op->req;
	pthread_mutex_unlock(&fs->lock);
	return n;
}

void fsys_stop(struct fsys *fs)
{
	fuse_req_t reqs[CLAIMS];
	size_t n;

	atomic_store(&fs->stopping, true);
	while ((n = claim_some(fs, reqs, CLAIMS)) > 0)
		for (size_t i = 0; i < n; i++)
			fuse_reply_err(reqs[i], EIO);
	/* The session must outlast the answers that other threads are writing. */
	pthread_mutex_lock(&fs->lock);
	while (answering_locked(fs))
		pthread_cond_wait(&fs->op_gone, &fs->lock);
	pthread_mutex_unlock(&fs->lock);
}
