/* Tasks run in order, on the queue's own threads, all of them. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/workq.h"

#define TASKS 1000

static int order[TASKS];
static int n_done;

static void note_order(void *arg)
{
	order[n_done++] = (int)(intptr_t)arg;
}

static void one_thread_keeps_the_order(void **state)
{
	struct workq *q = workq_new("order", 1);

	(void)state;
	assert_non_null(q);
	n_done = 0;
	for (intptr_t i = 0; i < TASKS; i++)
		assert_int_equal(workq_submit(q, note_order, (void *)i), 0);
	workq_free(q);
	assert_int_equal(n_done, TASKS);
	for (int i = 0; i < TASKS; i++)
		assert_int_equal(order[i], i);
}

struct meeting {
	pthread_barrier_t all_here;
	_Atomic int done;
};

static void meet(void *arg)
{
	struct meeting *m = arg;

	/* Passes only if as many tasks run at once as the queue has threads. */
	pthread_barrier_wait(&m->all_here);
	atomic_fetch_add(&m->done, 1);
}

static void all_threads_work_at_once(void **state)
{
	struct workq *q = workq_new("meet", 4);
	struct meeting m = { .done = 0 };

	(void)state;
	assert_non_null(q);
	pthread_barrier_init(&m.all_here, NULL, 4);
	for (int i = 0; i < 40; i++)
		assert_int_equal(workq_submit(q, meet, &m), 0);
	workq_free(q);
	assert_int_equal(m.done, 40);
	pthread_barrier_destroy(&m.all_here);
}

struct submitter {
	struct workq *q;
	sem_t started;
	int accepted, err;
	_Atomic int ran;
	char thread_name[16];
	int usr1_blocked;
};

static void note_run(void *arg)
{
	struct submitter *s = arg;

	atomic_fetch_add(&s->ran, 1);
}

static void submit_until_refused(void *arg)
{
	struct submitter *s = arg;
	sigset_t mask;

	pthread_getname_np(pthread_self(), s->thread_name, sizeof(s->thread_name));
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	s->usr1_blocked = sigismember(&mask, SIGUSR1);
	sem_post(&s->started);
	while ((s->err = workq_submit(s->q, note_run, s)) == 0)
		s->accepted++;
}

static void a_queue_that_ends_runs_what_it_took_and_refuses_more(void **state)
{
	struct submitter s = { .q = workq_new("refuse", 2) };

	(void)state;
	assert_non_null(s.q);
	sem_init(&s.started, 0, 0);
	assert_int_equal(workq_submit(s.q, submit_until_refused, &s), 0);
	sem_wait(&s.started);
	workq_free(s.q);
	assert_int_equal(s.err, -ESHUTDOWN);
	assert_int_equal(s.ran, s.accepted);
	assert_string_equal(s.thread_name, "refuse");
	assert_int_equal(s.usr1_blocked, 1);
	sem_destroy(&s.started);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_keeps_the_order),
		cmocka_unit_test(all_threads_work_at_once),
		cmocka_unit_test(a_queue_that_ends_runs_what_it_took_and_refuses_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
