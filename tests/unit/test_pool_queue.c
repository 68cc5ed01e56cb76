/* Jobs without a worker: their bytes are fetched first, within a bound, and no
 * worker waits for the store meanwhile. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "gate_store.h"
#include "pool_world.h"

#define LONG_MS 60000       /* a deadline that no test reaches */
#define SHORT_MS 1500       /* enough for a process to start, also under sanitizers */
#define BLOCK ((size_t)64 << 10)

static struct world world;

static int setup(void **state)
{
	world_init(&world);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	world_done(*state);
	return 0;
}

static struct request *sum_that_needs(struct world *w, unsigned object, uint64_t off, size_t len)
{
	struct request *r = request_mfcc(w, ACT_SUM, object);

	request_need(r, off, len);
	return r;
}

/* A job that needs nothing of the store, with the only worker. All that was submitted
 * before has been seen by the pool when it is done. */
static void work_on_nothing(struct world *w)
{
	struct request *r = request_mfcc(w, ACT_SUM, WORLD_EMPTY);

	request_submit(w, r);
	request_wait(r);
	request_expect_sum(w, r, WORLD_EMPTY);
}

static void drop(struct world *w, struct request *r)
{
	atomic_store(&r->job.dropped, true);
	pool_end_dropped(w->pool);
}

static void expect_end(struct request *r, int err)
{
	request_wait(r);
	assert_int_equal(r->err, err);
	assert_int_equal(r->n_done, 1);
	free(r);
}

static void no_worker_waits_for_the_first_bytes(void **state)
{
	struct world *w = *state;
	struct request *r[3];

	world_start_pool(w, 1, LONG_MS);
	gate_store_set(w->gate, true);
	/* Three objects, one worker, and all three are asked for. */
	for (unsigned i = 0; i < 3; i++) {
		r[i] = sum_that_needs(w, WORLD_MEDIUM + i, 0, BLOCK);
		request_submit(w, r[i]);
	}
	gate_store_wait_held(w->gate, 3);
	assert_int_equal(world_stat(w, STAT_decode_jobs), 0);
	work_on_nothing(w);
	assert_int_equal(world_stat(w, STAT_decode_jobs), 1);
	gate_store_set(w->gate, false);
	for (unsigned i = 0; i < 3; i++) {
		request_wait(r[i]);
		request_expect_sum(w, r[i], WORLD_MEDIUM + i);
	}
	assert_int_equal(world_stat(w, STAT_decode_jobs), 4);
	world_stop_pool(w);
}

static void many_jobs_over_few_workers(void **state)
{
	struct world *w = *state;
	struct request *r[100];

	w->fetch_max = 3 * BLOCK;
	world_start_pool(w, 2, LONG_MS);
	for (unsigned i = 0; i < 100; i++) {
		unsigned object = i % WORLD_OBJECTS;

		r[i] = sum_that_needs(w, object, 0, object < WORLD_MEDIUM ? object == WORLD_SMALL : BLOCK);
		request_submit(w, r[i]);
	}
	for (unsigned i = 0; i < 100; i++) {
		request_wait(r[i]);
		request_expect_sum(w, r[i], i % WORLD_OBJECTS);
	}
	world_stop_pool(w);
}

static void jobs_for_the_same_bytes_ask_once(void **state)
{
	struct world *w = *state;
	struct request *r[16];
	int64_t before;

	world_start_pool(w, 1, LONG_MS);
	before = world_stat(w, STAT_block_misses);
	gate_store_set(w->gate, true);
	for (unsigned i = 0; i < 16; i++) {
		r[i] = sum_that_needs(w, WORLD_MEDIUM, 0, BLOCK);
		request_submit(w, r[i]);
	}
	gate_store_wait_held(w->gate, 1);
	work_on_nothing(w);
	assert_int_equal(gate_store_held(w->gate), 1);
	gate_store_set(w->gate, false);
	for (unsigned i = 0; i < 16; i++) {
		request_wait(r[i]);
		request_expect_sum(w, r[i], WORLD_MEDIUM);
	}
	assert_int_equal(world_stat(w, STAT_block_misses) - before, 2);
	world_stop_pool(w);
}

static void the_bytes_fetched_for_them_are_bounded(void **state)
{
	struct world *w = *state;
	struct request *r[8];

	w->fetch_max = 2 * BLOCK;
	world_start_pool(w, 1, LONG_MS);
	gate_store_set(w->gate, true);
	for (unsigned i = 0; i < 8; i++) {
		r[i] = sum_that_needs(w, WORLD_LARGE, i * 2 * BLOCK, BLOCK);
		request_submit(w, r[i]);
	}
	gate_store_wait_held(w->gate, 2);
	work_on_nothing(w);
	assert_int_equal(gate_store_held(w->gate), 2);
	/* Who is dropped leaves room for the next. */
	drop(w, r[0]);
	gate_store_wait_held(w->gate, 3);
	work_on_nothing(w);
	assert_int_equal(gate_store_held(w->gate), 3);
	expect_end(r[0], -ECANCELED);
	gate_store_set(w->gate, false);
	for (unsigned i = 1; i < 8; i++) {
		request_wait(r[i]);
		request_expect_sum(w, r[i], WORLD_LARGE);
	}
	world_stop_pool(w);
}

static void one_that_needs_more_than_the_bound_goes_without(void **state)
{
	struct world *w = *state;
	struct request *r = sum_that_needs(w, WORLD_LARGE, 0, 2 * BLOCK);

	w->fetch_max = BLOCK;
	world_start_pool(w, 1, LONG_MS);
	request_submit(w, r);
	request_wait(r);
	request_expect_sum(w, r, WORLD_LARGE);
	world_stop_pool(w);
}

static void a_dropped_job_ends_while_its_bytes_are_fetched(void **state)
{
	struct world *w = *state;
	struct request *r = sum_that_needs(w, WORLD_MEDIUM, 0, BLOCK), *other;

	world_start_pool(w, 1, LONG_MS);
	gate_store_set(w->gate, true);
	request_submit(w, r);
	other = sum_that_needs(w, WORLD_MEDIUM, 0, BLOCK);
	request_submit(w, other);
	gate_store_wait_held(w->gate, 1);
	drop(w, r);
	expect_end(r, -ECANCELED);
	gate_store_set(w->gate, false); /* its answer finds nobody; the other's finds the other */
	request_wait(other);
	request_expect_sum(w, other, WORLD_MEDIUM);
	assert_int_equal(world_stat(w, STAT_jobs_dropped), 1);
	assert_int_equal(world_stat(w, STAT_decode_jobs), 1);
	world_stop_pool(w);
}

static void an_error_of_the_store_needs_no_worker(void **state)
{
	struct world *w = *state;
	struct request *r = sum_that_needs(w, WORLD_LARGE, 0, BLOCK);
	struct request *good = sum_that_needs(w, WORLD_MEDIUM, 0, BLOCK);

	world_start_pool(w, 1, LONG_MS);
	world_replace_object(w, WORLD_LARGE);
	request_submit(w, r);
	request_submit(w, good);
	request_wait(r);
	assert_true(strlen(r->why) > 0);
	assert_false(r->has_out);
	expect_end(r, -ESTALE);
	request_wait(good);
	request_expect_sum(w, good, WORLD_MEDIUM);
	assert_int_equal(world_stat(w, STAT_decode_errors), 1);
	assert_int_equal(world_stat(w, STAT_decode_jobs), 1);
	world_stop_pool(w);
}

/* Its rows may be had all the same, or some of them. */
static void a_run_of_frames_goes_on_without_its_bytes(void **state)
{
	struct world *w = *state;
	struct request *r = request_frames(w, ACT_ROWS, WORLD_LARGE);
	struct request *want = request_frames(w, ACT_ROW_THEN_WANT, WORLD_LARGE);

	world_start_pool(w, 1, LONG_MS);
	world_replace_object(w, WORLD_LARGE);
	request_need(r, 0, BLOCK);
	request_need(want, 0, BLOCK);
	assert_int_equal(request_run(w, r), 0);
	assert_int_equal(r->n_rows, ROWS / 2);
	assert_int_equal(request_run(w, want), -ESTALE);
	assert_int_equal(want->n_rows, 1);
	free(r);
	free(want);
	world_stop_pool(w);
}

static void bytes_that_are_late_are_waited_for_by_a_worker(void **state)
{
	struct world *w = *state;
	struct request *r = sum_that_needs(w, WORLD_LARGE, 0, BLOCK);

	world_start_pool(w, 1, SHORT_MS);
	gate_store_set(w->gate, true);
	assert_int_equal(request_run(w, r), -ETIMEDOUT);
	assert_non_null(strstr(r->why, "still waiting for the store"));
	free(r);
	gate_store_set(w->gate, false);
	expect_service(w);
	world_stop_pool(w);
}

static void shutdown_ends_jobs_whose_bytes_are_fetched(void **state)
{
	struct world *w = *state;
	struct request *r[4];

	w->fetch_max = 2 * BLOCK;
	world_start_pool(w, 1, LONG_MS);
	gate_store_set(w->gate, true);
	for (unsigned i = 0; i < 4; i++) {
		r[i] = sum_that_needs(w, WORLD_LARGE, i * BLOCK, BLOCK);
		request_submit(w, r[i]);
	}
	gate_store_wait_held(w->gate, 2);
	world_stop_pool(w);
	for (unsigned i = 0; i < 4; i++)
		expect_end(r[i], -ESHUTDOWN);
	gate_store_set(w->gate, false); /* the answers find nobody */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_worker_waits_for_the_first_bytes),
		TEST(many_jobs_over_few_workers),
		TEST(jobs_for_the_same_bytes_ask_once),
		TEST(the_bytes_fetched_for_them_are_bounded),
		TEST(one_that_needs_more_than_the_bound_goes_without),
		TEST(a_dropped_job_ends_while_its_bytes_are_fetched),
		TEST(an_error_of_the_store_needs_no_worker),
		TEST(a_run_of_frames_goes_on_without_its_bytes),
		TEST(bytes_that_are_late_are_waited_for_by_a_worker),
		TEST(shutdown_ends_jobs_whose_bytes_are_fetched),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
