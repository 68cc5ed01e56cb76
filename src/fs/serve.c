/* serve.c - the threads that take requests from the kernel.
 *
 * They block in read() on the one descriptor, and the kernel wakes one of them for a request.
 * If they polled it, each request would wake them all, and all but one would have come for
 * nothing. Descriptors of their own (FUSE_DEV_IOC_CLONE) won't do: an answer has to go through
 * the one that its request came from, and ours come from other threads.
 *
 * A read() that waits ends with a signal. One that is sent before the thread has reached its
 * read() is lost, so it is sent until the thread has ended. */
#include "fs/serve.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

/* Requests never block a thread, so one a core would do; beyond some they only cool each
 * other's caches, since the kernel wakes the one that has waited longest. */
#define THREADS_MIN 2
#define THREADS_MAX 8
#define WAKE SIGURG            /* nobody misses it, and a stray one has always done nothing */
#define WAKE_AGAIN_NS 5000000  /* 5 ms */

struct serve {
	struct fuse_session *session;
	int ended;
	_Atomic bool stopping;
	pthread_t threads[THREADS_MAX];
	unsigned n_threads;
};

static unsigned threads_wanted(void)
{
	cpu_set_t cores;
	int n = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : THREADS_MAX;

	return n < THREADS_MIN ? THREADS_MIN : n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

static void do_nothing(int signal)
{
	(void)signal;
}

static void *serve_main(void *arg)
{
	struct serve *s = arg;
	struct fuse_buf buf = { 0 };

	while (!atomic_load(&s->stopping)) {
		int got = fuse_session_receive_buf(s->session, &buf);

		if (got == -EINTR || got == -EAGAIN)
			continue;
		if (got <= 0) {
			eventfd_write(s->ended, 1);
			break;
		}
		fuse_session_process_buf(s->session, &buf);
	}
	free(buf.mem);
	return NULL;
}

/* They hear that one signal only. */
static int start_threads(struct serve *s)
{
	const unsigned wanted = threads_wanted();
	int err = 0;

	while (s->n_threads < wanted && !err) {
		err = thread_start(&s->threads[s->n_threads], "fuse", WAKE, serve_main, s);
		s->n_threads += !err;
	}
	return s->n_threads > 0 ? 0 : err;
}

int serve_start(struct fuse_session *se, int ended, struct serve **ret_serve)
{
	struct sigaction wake = { .sa_handler = do_nothing };  /* no SA_RESTART */
	struct serve *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->session = se;
	s->ended = ended;
	sigaction(WAKE, &wake, NULL);
	err = start_threads(s);
	if (err) {
		free(s);
		return err;
	}
	*ret_serve = s;
	return 0;
}

static void join(pthread_t thread)
{
	struct timespec until;

	do {
		pthread_kill(thread, WAKE);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += WAKE_AGAIN_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
	} while (pthread_timedjoin_np(thread, NULL, &until) == ETIMEDOUT);
}

void serve_stop(struct serve *s)
{
	if (!s)
		return;
	atomic_store(&s->stopping, true);
	for (unsigned i = 0; i < s->n_threads; i++)
		join(s->threads[i]);
	free(s);
}
