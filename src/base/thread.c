#include "base/thread.h"

#include <signal.h>

int thread_start(pthread_t *ret, const char *name, int open, void *(*run)(void *), void *arg)
{
	sigset_t blocked, before;
	pthread_t thread;
	int err;

	sigfillset(&blocked);
	if (open)
		sigdelset(&blocked, open);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	err = pthread_create(&thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	pthread_setname_np(thread, name);
	*ret = thread;
	return 0;
}
