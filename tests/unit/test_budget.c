/* The memory bound: never passed, served in order, nobody forgotten. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/stats.h"

struct job {
	struct budget_wait wait; /* first */
	struct budget *budget;
	int *granted_count;
	int granted_as;          /* 1 for the first that was granted, ... */
	int release_at_once;
};

static void note_grant(struct budget_wait *w)
{
	struct job *j = (struct job *)w;

	j->granted_as = ++*j->granted_count;
	if (j->release_at_once)
		budget_release(j->budget, j->wait.bytes);
}

static void a_job_larger_than_all_can_never_run(void **state)
{
	struct stats stats = { 0 };
	struct budget *b = budget_new(100, &stats);
	struct budget_wait w = { .bytes = 101, .granted = note_grant };

	(void)state;
	assert_int_equal(budget_total(b), 100);
	assert_int_equal(budget_reserve(b, &w), -ENOMEM);
	w.bytes = 100;
	assert_int_equal(budget_reserve(b, &w), 1);
	assert_int_equal(stats_get(&stats, STAT_memory_reserved), 100);
	budget_release(b, 100);
	assert_int_equal(stats_get(&stats, STAT_memory_reserved), 0);
	budget_free(b);
	budget_free(NULL);
}

static void waiters_are_served_strictly_in_order(void **state)
{
	struct stats stats = { 0 };
	struct budget *b = budget_new(100, &stats);
	int count = 0;
	struct job first = { { .bytes = 60, .granted = note_grant }, b, &count, 0, 0 };
	struct job large = { { .bytes = 90, .granted = note_grant }, b, &count, 0, 0 };
	struct job small = { { .bytes = 10, .granted = note_grant }, b, &count, 0, 0 };

	(void)state;
	assert_int_equal(budget_reserve(b, &first.wait), 1);
	assert_int_equal(budget_reserve(b, &large.wait), 0);
	/* It would fit now, but would let the large one starve. */
	assert_int_equal(budget_reserve(b, &small.wait), 0);
	assert_int_equal(count, 0);
	budget_release(b, 30);
	assert_int_equal(count, 0);
	budget_release(b, 30);
	assert_int_equal(large.granted_as, 1);
	assert_int_equal(small.granted_as, 2);
	assert_int_equal(first.granted_as, 0);
	assert_int_equal(stats_get(&stats, STAT_memory_reserved), 100);
	budget_release(b, 90);
	budget_release(b, 10);
	budget_free(b);
}

#define MANY 100000

static void jobs_that_release_inside_their_grant_do_not_recurse(void **state)
{
	struct stats stats = { 0 };
	struct budget *b = budget_new(100, &stats);
	struct job *jobs = calloc(MANY, sizeof(*jobs));
	struct job first = { { .bytes = 100, .granted = note_grant }, b, NULL, 0, 0 };
	int count = 0;

	(void)state;
	assert_int_equal(budget_reserve(b, &first.wait), 1);
	for (int i = 0; i < MANY; i++) {
		jobs[i] = (struct job){ { .bytes = 100, .granted = note_grant }, b, &count, 0, 1 };
		assert_int_equal(budget_reserve(b, &jobs[i].wait), 0);
	}
	budget_release(b, 100);
	assert_int_equal(count, MANY);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(jobs[i].granted_as, i + 1);
	assert_int_equal(stats_get(&stats, STAT_memory_reserved), 0);
	free(jobs);
	budget_free(b);
}

#define TOTAL 1000
#define THREADS 4
#define ROUNDS 2000

static _Atomic size_t in_use;
static _Atomic int violations;

struct waiter {
	struct budget_wait wait; /* first */
	struct budget *budget;
	sem_t granted;
	unsigned seed;
};

static void wake(struct budget_wait *w)
{
	sem_post(&((struct waiter *)w)->granted);
}

static void *reserve_and_release(void *arg)
{
	struct waiter *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		w->seed = w->seed * 1103515245 + 12345;
		w->wait.bytes = 1 + (w->seed >> 8) % TOTAL;
		w->wait.granted = wake;
		if (budget_reserve(w->budget, &w->wait) == 0)
			sem_wait(&w->granted);
		if (atomic_fetch_add(&in_use, w->wait.bytes) + w->wait.bytes > TOTAL)
			atomic_fetch_add(&violations, 1);
		atomic_fetch_sub(&in_use, w->wait.bytes);
		budget_release(w->budget, w->wait.bytes);
	}
	return NULL;
}

static void threads_never_hold_more_than_the_total(void **state)
{
	struct stats stats = { 0 };
	struct budget *b = budget_new(TOTAL, &stats);
	struct waiter waiters[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		waiters[i].budget = b;
		waiters[i].seed = i + 1;
		sem_init(&waiters[i].granted, 0, 0);
		assert_int_equal(pthread_create(&threads[i], NULL, reserve_and_release,
		                                &waiters[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		sem_destroy(&waiters[i].granted);
	}
	assert_int_equal(violations, 0);
	assert_int_equal(in_use, 0);
	assert_int_equal(stats_get(&stats, STAT_memory_reserved), 0);
	budget_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_larger_than_all_can_never_run),
		cmocka_unit_test(waiters_are_served_strictly_in_order),
		cmocka_unit_test(jobs_that_release_inside_their_grant_do_not_recurse),
		cmocka_unit_test(threads_never_hold_more_than_the_total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
