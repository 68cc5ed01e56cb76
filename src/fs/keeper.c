/* keeper.c - the thread that looks after what nobody asks for: requests of callers who
 * are gone or told to end, or for which nothing is done any more, and inodes beyond their
 * share of memory. It looks once a second, since the kernel doesn't say when a reader of
 * pages has been killed, and when it is told. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "fs/fs_priv.h"
#include "fs/prune.h"

#define TICK_MS 1000u
/* A burst of interrupts is dealt with together: samples_drop walks over all clips. */
#define DROP_MS 100u
/* The kernel forgets in its own time. */
#define RECALL_MS 20u

struct keeper {
	struct fsys *fs;
	int wake;                  /* eventfd */
	int fuse;                  /* of the session; borrowed */
	_Atomic bool stopping;
	_Atomic bool interrupted, full;  /* since the thread last saw to it */
	bool running;
	pthread_t thread;

	/* The thread's: */
	bool any_dropped;          /* requests that were given up since views_drop */
	bool cannot_prune;
	size_t excess;             /* bytes of inodes beyond their share, at the last tick */
};

struct keeper *keeper_new(struct fsys *fs)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->fs = fs;
	k->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->wake < 0) {
		free(k);
		return NULL;
	}
	return k;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	close(k->wake);
	free(k);
}

static void wake(struct keeper *k)
{
	/* Fails only when the counter is full, and then it is readable. */
	eventfd_write(k->wake, 1);
}

/* False: the kernel can't be asked. */
static bool ask_to_forget(struct keeper *k, const uint64_t *ids, size_t n)
{
	int err = prune_send(k->fuse, ids, n);

	if (err == -EINVAL) {
		k->cannot_prune = true;
		log_info("this kernel can't be asked to forget files (Linux 6.18 can): what they take "
		         "beyond their share of memory= comes out of the decoded rows' share");
	} else if (!err) {
		stats_add(k->fs->stats, STAT_inodes_recalled, (int64_t)n);
	}
	return !err;
}

/* Asks the kernel to forget what is of no use, and as many inodes as are too many. */
static void recall(struct keeper *k, bool tick)
{
	uint64_t ids[INODES_RECALLS];
	size_t n, to_free, excess = inodes_excess(k->fs->inodes, &to_free);

	_Static_assert(INODES_RECALLS <= PRUNE_MAX, "one message");
	while (!k->cannot_prune && !atomic_load(&k->stopping)) {
		n = inodes_choose_recalls(k->fs->inodes, clock_ms(), ids, &to_free);
		if (n == 0 || !ask_to_forget(k, ids, n) || n < INODES_RECALLS)
			break;
	}
	/* What stays for longer than it takes to forget is taken from the rows. */
	if (tick) {
		views_shrink(k->fs->views, excess < k->excess ? excess : k->excess);
		k->excess = excess;
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void *keep(void *arg)
{
	struct keeper *k = arg;
	struct pollfd fd = { .fd = k->wake, .events = POLLIN };
	uint64_t now = clock_ms(), tick_ms = now + TICK_MS, drop_ms = now, recall_ms = now, next, count;

	while (!atomic_load(&k->stopping)) {
		bool tick;

		next = tick_ms;
		if (k->any_dropped)
			next = earlier(next, drop_ms);
		if (atomic_load(&k->full))
			next = earlier(next, recall_ms);
		now = clock_ms();
		if (poll(&fd, 1, next > now ? (int)(next - now) : 0) > 0 && read(k->wake, &count, sizeof(count)) < 0)
			continue; /* nothing to reset */
		now = clock_ms();
		tick = now >= tick_ms;
		if (tick) {
			tick_ms = now + TICK_MS;
			k->any_dropped |= ops_drop_overdue(k->fs) > 0;
		}
		if (atomic_exchange(&k->interrupted, false) || tick)
			k->any_dropped |= ops_drop_callers(k->fs, tick) > 0;
		if (now >= drop_ms && k->any_dropped) {
			k->any_dropped = false;
			views_drop(k->fs->views);
			drop_ms = now + DROP_MS;
		}
		if (now >= recall_ms && (atomic_exchange(&k->full, false) || tick)) {
			recall(k, tick);
			recall_ms = now + RECALL_MS;
		}
	}
	return NULL;
}

int keeper_start(struct keeper *k, int fuse)
{
	int err;

	k->fuse = fuse;
	err = thread_start(&k->thread, "keeper", 0, keep, k);
	if (err)
		return err;
	k->running = true;
	return 0;
}

void keeper_stop(struct keeper *k)
{
	if (!k->running)
		return;
	atomic_store(&k->stopping, true);
	wake(k);
	pthread_join(k->thread, NULL);
	k->running = false;
}

void keeper_tell_full(struct keeper *k)
{
	if (!atomic_exchange(&k->full, true))
		wake(k);
}

void keeper_tell_interrupted(struct keeper *k)
{
	if (!atomic_exchange(&k->interrupted, true))
		wake(k);
}
