#include "train/interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/thread.h"
#include "data/loader.h"

struct interrupt {
	pthread_t thread;
	sigset_t signals;
	pthread_mutex_t lock;   /* the loader's is taken under it */
	/* lock: */
	struct loader *loader;
	int signal;
};

static void hear(struct interrupt *i, int signal)
{
	pthread_mutex_lock(&i->lock);
	if (i->signal)
		_exit(128 + signal);
	i->signal = signal;
	if (i->loader)
		loader_interrupt(i->loader);
	pthread_mutex_unlock(&i->lock);
}

/* SIGUSR1 is interrupt_free's. */
static void *interrupt_main(void *arg)
{
	struct interrupt *i = arg;
	int signal;

	while (sigwait(&i->signals, &signal) == 0 && signal != SIGUSR1)
		hear(i, signal);
	return NULL;
}

static sigset_t heard(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	return set;
}

void interrupt_block(void)
{
	sigset_t set = heard();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int interrupt_new(struct interrupt **ret)
{
	struct interrupt *i = calloc(1, sizeof(*i));
	int err;

	if (!i)
		return -ENOMEM;
	i->signals = heard();
	interrupt_block();
	pthread_mutex_init(&i->lock, NULL);
	err = thread_start(&i->thread, "interrupt", 0, interrupt_main, i);
	if (err) {
		free(i);
		return err;
	}
	*ret = i;
	return 0;
}

void interrupt_free(struct interrupt *i)
{
	if (!i)
		return;
	pthread_kill(i->thread, SIGUSR1);
	pthread_join(i->thread, NULL);
	pthread_mutex_destroy(&i->lock);
	free(i);
}

void interrupt_watch(struct interrupt *i, struct loader *l)
{
	pthread_mutex_lock(&i->lock);
	i->loader = l;
	if (l && i->signal)
		loader_interrupt(l);
	pthread_mutex_unlock(&i->lock);
}

int interrupt_signal(struct interrupt *i)
{
	int signal;

	pthread_mutex_lock(&i->lock);
	signal = i->signal;
	pthread_mutex_unlock(&i->lock);
	return signal;
}
