/* Threads that signals leave alone. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/thread.h"

struct seen {
	sigset_t mask;
	void *arg;
};

static void *look(void *arg)
{
	struct seen *s = arg;

	pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
	s->arg = arg;
	return s;
}

static void run(int open, struct seen *s)
{
	pthread_t thread;
	void *back;

	assert_int_equal(thread_start(&thread, "looks", open, look, s), 0);
	assert_int_equal(pthread_join(thread, &back), 0);
	assert_ptr_equal(back, s);
	assert_ptr_equal(s->arg, s);
}

static void all_signals_are_blocked_but_one(void **state)
{
	static const int some[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE, SIGUSR1, SIGALRM};
	struct seen none, one;

	(void)state;
	run(0, &none);
	run(SIGUSR1, &one);
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		assert_int_equal(sigismember(&none.mask, some[i]), 1);
		assert_int_equal(sigismember(&one.mask, some[i]), some[i] != SIGUSR1);
	}
}

static void the_callers_mask_stays(void **state)
{
	sigset_t set, now;
	struct seen s;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
	run(0, &s);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
	assert_int_equal(sigismember(&now, SIGUSR2), 1);
	assert_int_equal(sigismember(&now, SIGTERM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_signals_are_blocked_but_one),
		cmocka_unit_test(the_callers_mask_stays),
	};

	return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
