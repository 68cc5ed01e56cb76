/* keeper.c - the thread that looks after what nobody asks for. It looks once a
 * second: the kernel doesn't say when a reader of pages has been killed. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fs/fs_priv.h"

#define TICK_MS 1000

struct keeper {
	struct fsys *fs;
	int wake;                  /* eventfd */
	_Atomic bool stopping;
	_Atomic bool any_dropped;  /* since the thread last looked */
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

static void *keep(void *arg)
{
	struct keeper *k = arg;
	struct pollfd fd = { .fd = k->wake, .events = POLLIN };
	uint64_t count;

	while (!atomic_load(&k->stopping)) {
		bool dropped;

		if (poll(&fd, 1, TICK_MS) > 0 && read(k->wake, &count, sizeof(count)) < 0)
			continue; /* nothing to reset */
		dropped = atomic_exchange(&k->any_dropped, false);
		if (ops_drop_orphans(k->fs) > 0 || dropped)
			views_drop(k->fs->views);
	}
	return NULL;
}

int keeper_start(struct keeper *k)
{
	int err = pthread_create(&k->thread, NULL, keep, k);

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

void keeper_tell_dropped(struct keeper *k)
{
	atomic_store(&k->any_dropped, true);
	wake(k);
}
