/* keeper.c - the thread that looks after what nobody asks for. It looks once a
 * second: the kernel doesn't say when a reader of pages has been killed.
 *
 * It may wait: the kernel forgets a name under its directory's lock, which a
 * look-up in that directory holds until it is answered. So no other thread does it. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/text.h"
#include "fs/fs_priv.h"

#define TICK_MS 1000

struct keeper {
	struct fsys *fs;
	int wake;                  /* eventfd */
	_Atomic bool stopping;
	/* Since the thread last looked: */
	_Atomic bool any_dropped, full;
	struct fuse_session *session;
	bool running;
	pthread_t thread;
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
	const uint64_t one = 1;

	/* Fails only when the counter is full, and then it is readable. */
	if (write(k->wake, &one, sizeof(one)) < 0)
		return;
}

/* Asks the kernel to forget names until the inodes fit; it does so in its own time.
 * False: there was nothing to ask for. */
static bool recall(struct keeper *k)
{
	struct recall *list;
	size_t n = inodes_choose_recalls(k->fs->inodes, &list);

	for (size_t i = 0; i < n; i++) {
		if (!atomic_load(&k->stopping))
			fuse_lowlevel_notify_inval_entry(k->session, list[i].parent, list[i].name,
			                                 strlen(list[i].name));
		free(list[i].name);
	}
	free(list);
	stats_add(k->fs->stats, STAT_inodes_recalled, (int64_t)n);
	return n > 0;
}

static void *keep(void *arg)
{
	struct keeper *k = arg;
	struct pollfd fd = { .fd = k->wake, .events = POLLIN };
	uint64_t count, ticked_ms = clock_ms();
	bool barren = false;       /* nothing could be recalled: worth another look at the next tick */

	while (!atomic_load(&k->stopping)) {
		bool tick, dropped;

		if (poll(&fd, 1, TICK_MS) > 0 && read(k->wake, &count, sizeof(count)) < 0)
			continue; /* nothing to reset */
		tick = clock_ms() - ticked_ms >= TICK_MS;
		if (tick)
			ticked_ms = clock_ms();
		dropped = atomic_exchange(&k->any_dropped, false);
		if ((tick && ops_drop_orphans(k->fs) > 0) || dropped)
			views_drop(k->fs->views);
		if ((tick || !barren) && atomic_exchange(&k->full, false))
			barren = !recall(k);
	}
	return NULL;
}

int keeper_start(struct keeper *k, struct fuse_session *se)
{
	int err;

	k->session = se;
	err = pthread_create(&k->thread, NULL, keep, k);

	if (err)
		return -err;
	pthread_setname_np(k->thread, "keeper");
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

void keeper_tell_dropped(struct keeper *k)
{
	if (!atomic_exchange(&k->any_dropped, true))
		wake(k);
}
