/* The pool in service: results, sessions, the store's errors, deadlines,
 * shutdown. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/text.h"
#include "gate_store.h"
#include "pool_world.h"

#define LONG_MS 60000       /* a deadline that no test reaches */
#define SHORT_MS 1500       /* enough for a process to start, also under sanitizers */

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

/* -- results -- */

static void two_hundred_jobs_over_three_workers(void **state)
{
	static const uint32_t chunks[] = { 1u << 20, 65536, 1000003, 4096 };
	struct world *w = *state;
	struct request *r[200];

	world_start_pool(w, 3, LONG_MS);
	for (unsigned i = 0; i < 200; i++) {
		r[i] = request_mfcc(w, ACT_SUM, i % WORLD_OBJECTS);
		r[i]->job.spec.mfcc.n_fft = i % WORLD_OBJECTS == WORLD_SMALL ? 1 : chunks[i % 4];
		request_submit(w, r[i]);
	}
	for (unsigned i = 0; i < 200; i++) {
		request_wait(r[i]);
		request_expect_sum(w, r[i], i % WORLD_OBJECTS);
	}
	assert_int_equal(world_stat(w, STAT_decode_jobs), 200);
	assert_int_equal(world_stat(w, STAT_decode_errors), 0);
	assert_int_equal(world_stat(w, STAT_frames_decoded), 400);
	assert_int_equal(world_stat(w, STAT_worker_starts), 3);
	assert_int_equal(world_stat(w, STAT_worker_deaths), 0);
	assert_true(world_stat(w, STAT_decode_us) > 0);
	world_stop_pool(w);
}

static void rows_come_once_each_and_before_the_end(void **state)
{
	struct world *w = *state;
	struct request *r = request_frames(w, ACT_ROWS, WORLD_SMALL);

	world_start_pool(w, 1, LONG_MS);
	assert_int_equal(request_run(w, r), 0);
	assert_int_equal(r->n_rows, ROWS / 2);
	for (unsigned i = 0; i < ROWS; i++) {
		assert_int_equal(r->times[i], i % 2 == 0);
		if (i % 2 == 0) {
			assert_int_equal(r->rows[i].row, i);
			assert_true(r->rows[i].input_hash ==
			            text_hash64(r->input.bytes, sizeof(r->input.bytes)));
		}
	}
	assert_int_equal(r->out_len, ROWS * ROW_BYTES);
	assert_int_equal(((struct child_row *)(void *)(r->out + 6 * ROW_BYTES))->row, 6);
	free(r);
	world_stop_pool(w);
}

static void a_job_without_rows_callback_is_fine(void **state)
{
	struct world *w = *state;
	struct request *r = request_frames(w, ACT_ROWS, WORLD_SMALL);

	world_start_pool(w, 1, LONG_MS);
	r->job.row = NULL;
	assert_int_equal(request_run(w, r), 0);
	free(r);
	world_stop_pool(w);
}

static void input_that_contradicts_itself_is_refused(void **state)
{
	struct world *w = *state;
	struct request *r = request_frames(w, ACT_ROWS, WORLD_SMALL);

	world_start_pool(w, 1, LONG_MS);
	((struct proto_frames *)(void *)r->input.bytes)->n_rows = ROWS + 1;
	expect_failure(w, r, -EINVAL, "hand the job");
	r = request_frames(w, ACT_ROWS, WORLD_SMALL);
	r->job.input = NULL;
	expect_failure(w, r, -EINVAL, "hand the job");
	r = request_mfcc(w, ACT_SUM, WORLD_SMALL);
	r->job.out_size = 0;
	expect_failure(w, r, -EINVAL, "hand the job");
	expect_service(w);
	assert_int_equal(world_stat(w, STAT_worker_deaths), 0);
	world_stop_pool(w);
}

static void far_too_much_read_ahead_is_clipped(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_ASK_AHEAD, WORLD_LARGE);

	world_start_pool(w, 1, LONG_MS);
	assert_int_equal(request_run(w, r), 0);
	free(r);
	world_stop_pool(w);
}

static void done_while_a_want_is_open_leaves_the_rest_in_peace(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_DONE_WHILE_WANTING, WORLD_LARGE);
	struct request *next = request_mfcc(w, ACT_SUM, WORLD_MEDIUM);

	world_start_pool(w, 1, LONG_MS);
	gate_store_set(w->gate, true);
	expect_failure(w, r, -EBADMSG, "had enough");
	request_submit(w, next);
	gate_store_wait_held(w->gate, 2);
	gate_store_set(w->gate, false); /* the first job's answer comes while the second waits */
	request_wait(next);
	request_expect_sum(w, next, WORLD_MEDIUM);
	assert_int_equal(world_stat(w, STAT_worker_deaths), 0);
	world_stop_pool(w);
}

/* -- sessions -- */

static pid_t run_frames(struct world *w, uint64_t session, uint64_t first_packet, uint32_t target)
{
	struct request *r = request_frames(w, ACT_ROWS, WORLD_SMALL);
	pid_t pid;

	((struct proto_frames *)(void *)r->input.bytes)->target = target;
	r->job.session = session;
	r->job.first_packet = first_packet;
	assert_int_equal(request_run(w, r), 0);
	assert_int_equal(r->fed, target + 1);
	pid = (pid_t)r->rows[0].pid;
	free(r);
	return pid;
}

static void a_session_stays_with_the_worker_that_can_go_on(void **state)
{
	struct world *w = *state;
	pid_t first, second;

	world_start_pool(w, 3, LONG_MS);
	first = run_frames(w, 7, 0, 10);
	second = run_frames(w, 8, 0, 10);
	assert_int_not_equal(first, second); /* spares the open decoder of 7 */
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(run_frames(w, 7, 10, 11 + i), first);
		assert_int_equal(run_frames(w, 8, 10, 11 + i), second);
	}
	/* Who has no open decoder to lose goes first, even if idle for a shorter time. */
	for (int i = 0; i < 3; i++)
		assert_int_not_equal(expect_service(w), first);
	assert_int_equal(run_frames(w, 7, 10, 20), first);
	assert_int_equal(run_frames(w, 8, 10, 20), second);
	/* Beyond where it stands: nothing to go on with, so the idle third one. */
	assert_int_not_equal(run_frames(w, 7, 1000, 1001), first);
	world_stop_pool(w);
}

/* -- the store's part in it -- */

static void the_store_error_is_the_answer(void **state)
{
	struct world *w = *state;

	world_start_pool(w, 1, LONG_MS);
	world_replace_object(w, WORLD_LARGE);
	expect_failure(w, request_mfcc(w, ACT_SUM, WORLD_LARGE), -ESTALE, "");
	expect_failure(w, request_mfcc(w, ACT_SWALLOW_ERROR, WORLD_LARGE), -ESTALE, "");
	assert_int_equal(world_stat(w, STAT_decode_errors), 2);
	assert_int_equal(world_stat(w, STAT_worker_deaths), 0);
	expect_service(w);
	world_stop_pool(w);
}

static void the_store_tells_why(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_SUM, WORLD_LARGE);

	world_start_pool(w, 1, LONG_MS);
	world_replace_object(w, WORLD_LARGE);
	request_run(w, r);
	assert_null(strstr(r->why, "the worker's own sentence"));
	assert_true(strlen(r->why) > 0);
	free(r);
	world_stop_pool(w);
}

/* -- deadlines -- */

static void a_worker_that_hangs_costs_one_timeout(void **state)
{
	struct world *w = *state;
	struct request *queued = request_mfcc(w, ACT_SUM, WORLD_SMALL);
	struct request *r = request_mfcc(w, ACT_HANG, WORLD_SMALL);

	world_start_pool(w, 1, SHORT_MS);
	request_submit(w, r);
	request_submit(w, queued);
	request_wait(r);
	assert_int_equal(r->err, -ETIMEDOUT);
	assert_string_equal(r->why, "not decoded within 1.5 s");
	free(r);
	request_wait(queued);
	request_expect_sum(w, queued, WORLD_SMALL);
	assert_int_equal(world_stat(w, STAT_worker_deaths), 1);
	assert_int_equal(world_stat(w, STAT_worker_starts), 2);
	world_stop_pool(w);
}

static void a_deadline_says_when_it_was_the_store(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_SUM, WORLD_LARGE);

	world_start_pool(w, 1, SHORT_MS);
	gate_store_set(w->gate, true);
	assert_int_equal(request_run(w, r), -ETIMEDOUT);
	assert_string_equal(r->why, "not decoded within 1.5 s: "
	                            "still waiting for the store to give bytes 0 to 1048575");
	free(r);
	gate_store_set(w->gate, false); /* comes too late, is dropped */
	expect_service(w);
	world_stop_pool(w);
}

static void rows_told_before_a_deadline_stay_told(void **state)
{
	struct world *w = *state;
	struct request *r = request_frames(w, ACT_ROW_THEN_HANG, WORLD_SMALL);

	world_start_pool(w, 1, SHORT_MS);
	assert_int_equal(request_run(w, r), -ETIMEDOUT);
	assert_int_equal(r->n_rows, 1);
	assert_int_equal(r->times[0], 1);
	free(r);
	world_stop_pool(w);
}

/* -- jobs that nobody waits for -- */

static void drop(struct world *w, struct request *r)
{
	atomic_store(&r->job.dropped, true);
	pool_end_dropped(w->pool);
}

static void expect_dropped(struct request *r)
{
	request_wait(r);
	assert_int_equal(r->err, -ECANCELED);
	assert_int_equal(r->n_done, 1);
	free(r);
}

static void a_dropped_job_ends_while_it_waits_for_bytes(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_SUM, WORLD_LARGE);
	pid_t pid;

	world_start_pool(w, 1, LONG_MS);
	pid = expect_service(w);
	gate_store_set(w->gate, true);
	request_submit(w, r);
	gate_store_wait_held(w->gate, 1);
	drop(w, r);
	expect_dropped(r);
	gate_store_set(w->gate, false); /* the answer finds nobody */
	assert_int_equal(expect_service(w), pid);
	assert_int_equal(world_stat(w, STAT_jobs_dropped), 1);
	assert_int_equal(world_stat(w, STAT_decode_errors), 0);
	assert_int_equal(world_stat(w, STAT_worker_deaths), 0);
	world_stop_pool(w);
}

static void dropped_jobs_leave_the_queue_and_the_others_stay(void **state)
{
	struct world *w = *state;
	struct request *first = request_mfcc(w, ACT_SUM, WORLD_LARGE), *queued[6];

	world_start_pool(w, 1, LONG_MS);
	gate_store_set(w->gate, true);
	request_submit(w, first);
	gate_store_wait_held(w->gate, 1);
	for (unsigned i = 0; i < 6; i++) {
		queued[i] = request_mfcc(w, ACT_SUM, WORLD_SMALL);
		queued[i]->job.spec.mfcc.n_fft = 1;
		/* This one is dropped before it comes. */
		if (i == 4)
			atomic_store(&queued[i]->job.dropped, true);
		request_submit(w, queued[i]);
	}
	drop(w, queued[0]);
	drop(w, queued[2]);
	expect_dropped(queued[0]);
	expect_dropped(queued[2]);
	expect_dropped(queued[4]);
	gate_store_set(w->gate, false);
	request_wait(first);
	request_expect_sum(w, first, WORLD_LARGE);
	for (unsigned i = 1; i < 6; i += 2) {
		request_wait(queued[i]);
		request_expect_sum(w, queued[i], WORLD_SMALL);
	}
	world_stop_pool(w);
}

/* -- shutdown -- */

static void expect_shutdown(struct request *r)
{
	request_wait(r);
	assert_int_equal(r->err, -ESHUTDOWN);
	assert_int_equal(r->n_done, 1);
	free(r);
}

static void shutdown_ends_running_and_queued_jobs(void **state)
{
	struct world *w = *state;
	struct request *running[2], *queued[20];

	world_start_pool(w, 2, LONG_MS);
	for (unsigned i = 0; i < 2; i++) {
		running[i] = request_frames(w, ACT_ROW_THEN_HANG, WORLD_SMALL);
		request_submit(w, running[i]);
	}
	for (unsigned i = 0; i < 20; i++) {
		queued[i] = request_mfcc(w, ACT_SUM, WORLD_LARGE);
		request_submit(w, queued[i]);
	}
	for (unsigned i = 0; i < 2; i++)
		request_wait_row(running[i]);
	world_stop_pool(w);
	for (unsigned i = 0; i < 2; i++)
		expect_shutdown(running[i]);
	for (unsigned i = 0; i < 20; i++)
		expect_shutdown(queued[i]);
	assert_int_equal(world_stat(w, STAT_decode_errors), 0);
}

static void shutdown_does_not_wait_for_the_store(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_SUM, WORLD_LARGE);

	world_start_pool(w, 1, LONG_MS);
	gate_store_set(w->gate, true);
	request_submit(w, r);
	gate_store_wait_held(w->gate, 1);
	world_stop_pool(w);
	expect_shutdown(r);
	gate_store_set(w->gate, false); /* the answer finds nobody */
}

struct again {
	struct request r; /* first */
	struct request *next;
	struct pool *pool;
};

static void (*plain_done)(struct pool_job *job, const struct pool_result *result);

static void submit_next(struct pool_job *job, const struct pool_result *result)
{
	struct again *a = (struct again *)job;

	pool_submit(a->pool, &a->next->job);
	plain_done(job, result);
}

/* From the pool's own thread: queued while it works, refused while it ends. */
static void done_may_submit(void **state)
{
	struct world *w = *state;

	for (int stopping = 0; stopping < 2; stopping++) {
		enum child_act act = stopping ? ACT_ROW_THEN_HANG : ACT_ROWS;
		struct again *a = calloc(1, sizeof(*a));
		struct request *first = request_frames(w, act, WORLD_SMALL);

		world_start_pool(w, 1, LONG_MS);
		a->r = *first;
		a->r.job.input = a->r.input.bytes;
		a->next = request_mfcc(w, ACT_SUM, WORLD_SMALL);
		a->pool = w->pool;
		plain_done = a->r.job.done;
		a->r.job.done = submit_next;
		request_submit(w, &a->r);
		request_wait_row(&a->r);
		if (stopping) {
			world_stop_pool(w);
			expect_shutdown(a->next);
		} else {
			request_wait(a->next);
			request_expect_sum(w, a->next, WORLD_SMALL);
			world_stop_pool(w);
		}
		free(first);
		free(a);
	}
}

static void nothing_to_free_is_fine(void **state)
{
	(void)state;
	pool_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_hundred_jobs_over_three_workers),
		TEST(rows_come_once_each_and_before_the_end),
		TEST(a_job_without_rows_callback_is_fine),
		TEST(input_that_contradicts_itself_is_refused),
		TEST(far_too_much_read_ahead_is_clipped),
		TEST(done_while_a_want_is_open_leaves_the_rest_in_peace),
		TEST(a_session_stays_with_the_worker_that_can_go_on),
		TEST(the_store_error_is_the_answer),
		TEST(the_store_tells_why),
		TEST(a_worker_that_hangs_costs_one_timeout),
		TEST(a_deadline_says_when_it_was_the_store),
		TEST(rows_told_before_a_deadline_stay_told),
		TEST(a_dropped_job_ends_while_it_waits_for_bytes),
		TEST(dropped_jobs_leave_the_queue_and_the_others_stay),
		TEST(shutdown_ends_running_and_queued_jobs),
		TEST(shutdown_does_not_wait_for_the_store),
		TEST(done_may_submit),
		TEST(nothing_to_free_is_fine),
	};

	log_set_level(LOG_LEVEL_ERROR); /* dead workers are warned of, rightly */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
