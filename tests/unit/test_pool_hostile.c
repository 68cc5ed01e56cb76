/* The pool against processes that crash, hang, lie and break the protocol:
 * each costs exactly its own job, and service goes on. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/log.h"
#include "gate_store.h"
#include "pool_world.h"

#define LONG_MS 60000

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

struct misdeed {
	enum child_act act;
	int err;
	const char *words;
	unsigned deaths;
};

static const struct misdeed misdeeds[] = {
	{ ACT_CRASH, -EBADMSG, "the decoder process crashed (SIGSEGV)", 1 },
	{ ACT_CRASH_AT_ONCE, -EBADMSG, "the decoder process crashed (SIGSEGV)", 2 },
	{ ACT_EXIT, -EBADMSG, "the decoder process ended with status 1", 1 },
	{ ACT_HANG_UP, -ENOMEM, "the decoder process was killed", 2 },
	{ ACT_HANG_UP_UNREAD, -ENOMEM, "the decoder process was killed", 2 },
	{ ACT_UNKNOWN_TYPE, -EBADMSG, "sent something that is no message", 1 },
	{ ACT_SHORT, -EBADMSG, "sent something that is no message", 1 },
	{ ACT_EMPTY, -EBADMSG, "sent something that is no message", 1 },
	{ ACT_LONG, -EBADMSG, "sent something that is no message", 1 },
	{ ACT_WRONG_JOB, -EBADMSG, "answered another job than its own", 1 },
	{ ACT_OUT_LEN, -EBADMSG, "told an impossible result", 1 },
	{ ACT_POSITIVE_ERR, -EBADMSG, "told an impossible result", 1 },
	{ ACT_FED, -EBADMSG, "told an impossible result", 1 },
	{ ACT_FRAMES_DECODED, -EBADMSG, "told an impossible result", 1 },
	{ ACT_ROW_OF_MFCC, -EBADMSG, "gave a row nobody asked for", 1 },
	{ ACT_WANT_NOTHING, -EBADMSG, "asked for bytes outside the object", 1 },
	{ ACT_WANT_PAST_END, -EBADMSG, "asked for bytes outside the object", 1 },
	{ ACT_WANT_OVERFLOW, -EBADMSG, "asked for bytes outside the object", 1 },
	{ ACT_WANT_TOO_LONG, -EBADMSG, "asked for bytes outside the object", 1 },
	{ ACT_HOARD, -EBADMSG, "asked for more bytes than it may hold", 1 },
	{ ACT_RELEASE_FREE, -EBADMSG, "released a slot it doesn't have", 1 },
	{ ACT_RELEASE_RANGE, -EBADMSG, "released a slot it doesn't have", 1 },
	{ ACT_CLAIM_STALE, -EBADMSG, "the object can't be decoded", 0 },
	{ ACT_CLAIM_NO_MEMORY, -ENOMEM, "the object can't be decoded", 0 },
};
#define N_MISDEEDS (sizeof(misdeeds) / sizeof(misdeeds[0]))

static const struct misdeed frame_misdeeds[] = {
	{ ACT_ROW_TWICE, -EBADMSG, "gave a row nobody asked for", 1 },
	{ ACT_ROW_UNASKED, -EBADMSG, "gave a row nobody asked for", 2 },
	{ ACT_ROW_RANGE, -EBADMSG, "gave a row nobody asked for", 2 },
};

/* Holds that this alone went wrong, and nobody after it suffers. */
static void expect_misdeed(struct world *w, struct request *r, const struct misdeed *m)
{
	int64_t deaths = world_stat(w, STAT_worker_deaths);
	int64_t errors = world_stat(w, STAT_decode_errors);

	expect_failure(w, r, m->err, m->words);
	assert_int_equal(world_stat(w, STAT_decode_errors), errors + 1);
	expect_service(w); /* the pool has one worker: the dead are reaped and replaced by now */
	assert_int_equal(world_stat(w, STAT_worker_deaths), deaths + m->deaths);
	assert_int_equal(world_stat(w, STAT_worker_starts), 1 + deaths + m->deaths);
}

static void each_misdeed_costs_its_own_job(void **state)
{
	struct world *w = *state;

	world_start_pool(w, 1, LONG_MS);
	for (size_t i = 0; i < N_MISDEEDS; i++)
		expect_misdeed(w, request_mfcc(w, misdeeds[i].act, WORLD_SMALL), &misdeeds[i]);
	for (size_t i = 0; i < 3; i++)
		expect_misdeed(w, request_frames(w, frame_misdeeds[i].act, WORLD_SMALL),
		               &frame_misdeeds[i]);
	world_stop_pool(w);
}

static void only_one_want_may_be_open(void **state)
{
	struct world *w = *state;

	world_start_pool(w, 1, LONG_MS);
	gate_store_set(w->gate, true); /* the first isn't answered before the second comes */
	expect_failure(w, request_mfcc(w, ACT_WANT_TWICE, WORLD_LARGE), -EBADMSG,
	               "asked for more bytes than it may hold");
	gate_store_set(w->gate, false);
	expect_service(w);
	world_stop_pool(w);
}

static void a_mixed_crowd_gets_what_each_deserves(void **state)
{
	struct world *w = *state;
	struct request *r[8 * N_MISDEEDS];

	world_start_pool(w, 3, LONG_MS);
	for (size_t i = 0; i < 8 * N_MISDEEDS; i++) {
		r[i] = i % 2 ? request_mfcc(w, misdeeds[i / 2 % N_MISDEEDS].act, WORLD_SMALL)
		             : request_mfcc(w, ACT_SUM, (unsigned)(i / 2 % WORLD_OBJECTS));
		request_submit(w, r[i]);
	}
	for (size_t i = 0; i < 8 * N_MISDEEDS; i++) {
		request_wait(r[i]);
		if (i % 2 == 0) {
			request_expect_sum(w, r[i], (unsigned)(i / 2 % WORLD_OBJECTS));
			continue;
		}
		assert_int_equal(r[i]->err, misdeeds[i / 2 % N_MISDEEDS].err);
		assert_int_equal(r[i]->n_done, 1);
		free(r[i]);
	}
	assert_int_equal(world_stat(w, STAT_decode_errors), 4 * N_MISDEEDS);
	world_stop_pool(w);
}

static void a_worker_that_never_listens_is_killed(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_DEAF, WORLD_SMALL);

	/* Released before it was given, or its socket full: both end it. */
	world_start_pool(w, 1, LONG_MS);
	assert_int_equal(request_run(w, r), -EBADMSG);
	free(r);
	expect_service(w);
	world_stop_pool(w);
}

static void saying_done_twice_costs_nobody(void **state)
{
	struct world *w = *state;
	struct request *r[20];

	world_start_pool(w, 1, LONG_MS);
	for (unsigned i = 0; i < 20; i++) {
		r[i] = request_mfcc(w, i % 2 ? ACT_SUM : ACT_DONE_TWICE, WORLD_LARGE);
		request_submit(w, r[i]);
	}
	for (unsigned i = 0; i < 20; i++) {
		request_wait(r[i]);
		assert_int_equal(r[i]->err, 0);
		if (i % 2)
			request_expect_sum(w, r[i], WORLD_LARGE);
		else
			free(r[i]);
	}
	assert_int_equal(world_stat(w, STAT_worker_deaths), 10);
	world_stop_pool(w);
}

static void dying_after_done_costs_nobody(void **state)
{
	struct world *w = *state;
	struct request *r[20];

	world_start_pool(w, 2, LONG_MS);
	for (unsigned i = 0; i < 20; i++) {
		r[i] = request_mfcc(w, i % 2 ? ACT_SUM : ACT_DIE_AFTER_DONE, WORLD_LARGE);
		request_submit(w, r[i]);
	}
	for (unsigned i = 0; i < 20; i++) {
		request_wait(r[i]);
		assert_int_equal(r[i]->err, 0);
		free(r[i]);
	}
	world_stop_pool(w);
}

static void a_sentence_is_made_fit_to_print(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_WHY, WORLD_SMALL);

	world_start_pool(w, 1, LONG_MS);
	assert_int_equal(request_run(w, r), -ENODATA);
	assert_int_equal(strlen(r->why), PROTO_WHY_MAX - 1);
	assert_memory_equal(r->why, "xxx?x?x?xxxx", 12);
	free(r);
	world_stop_pool(w);
}

static void descriptors_sent_to_us_are_dropped(void **state)
{
	struct world *w = *state;

	world_start_pool(w, 1, LONG_MS);
	for (int i = 0; i < 50; i++) {
		struct request *r = request_mfcc(w, ACT_SEND_DESCRIPTOR, WORLD_SMALL);

		assert_int_equal(request_run(w, r), 0);
		free(r);
	}
	pool_free(w->pool);
	w->pool = NULL;
	assert_int_equal(world_stat(w, STAT_worker_deaths), 0);
	assert_int_equal(world_count_descriptors(w), w->open_before);
}

/* Sanitizers need more than a limit would leave. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void the_memory_limit_is_named(void **state)
{
	struct world *w = *state;
	char why[256];

	assert_int_equal(world_try_pool(w, NULL, 1, LONG_MS, 192u << 20, why), 0);
	expect_failure(w, request_mfcc(w, ACT_BOMB, WORLD_SMALL), -EBADMSG,
	               "crashed (SIGABRT), at its memory limit of 192 MiB");
	expect_service(w);
	world_stop_pool(w);
}
#endif

/* -- killed from outside -- */

static void an_idle_worker_killed_costs_nobody(void **state)
{
	struct world *w = *state;

	world_start_pool(w, 1, LONG_MS);
	for (int i = 0; i < 10; i++) {
		pid_t pid = expect_service(w);

		kill_and_wait(pid, i % 2 ? SIGKILL : SIGTERM);
		assert_int_not_equal(expect_service(w), pid);
	}
	assert_int_equal(world_stat(w, STAT_worker_deaths), 10);
	assert_int_equal(world_stat(w, STAT_worker_starts), 11);
	assert_int_equal(world_stat(w, STAT_decode_errors), 0);
	assert_int_equal(world_stat(w, STAT_decode_jobs), 20);
	world_stop_pool(w);
}

/* A stopped process can't read the job it is sent: dead then, it never knew. */
static void a_job_nobody_read_is_given_to_another(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_SUM, WORLD_LARGE);
	pid_t pid;

	world_start_pool(w, 1, LONG_MS);
	pid = expect_service(w);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	request_submit(w, r);
	kill_and_wait(pid, SIGKILL);
	request_wait(r);
	assert_int_not_equal(request_sum(r)->pid, pid);
	request_expect_sum(w, r, WORLD_LARGE);
	assert_int_equal(world_stat(w, STAT_decode_jobs), 2);
	world_stop_pool(w);
}

static struct request *request_raise(struct world *w, int sig)
{
	struct request *r = request_mfcc(w, ACT_RAISE, WORLD_SMALL);

	r->job.spec.mfcc.hop_length = (uint32_t)sig;
	return r;
}

static void a_signal_tells_whether_the_file_is_to_blame(void **state)
{
	static const int crashes[] = { SIGSEGV, SIGABRT, SIGILL, SIGBUS, SIGFPE, SIGSYS, SIGXCPU, SIGXFSZ };
	static const int kills[] = { SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE };
	struct world *w = *state;
	int64_t deaths = 0;

	world_start_pool(w, 1, LONG_MS);
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
		expect_failure(w, request_raise(w, crashes[i]), -EBADMSG, sigabbrev_np(crashes[i]));
		expect_service(w);
		assert_int_equal(world_stat(w, STAT_worker_deaths), ++deaths);
	}
	for (size_t i = 0; i < sizeof(kills) / sizeof(kills[0]); i++) {
		expect_failure(w, request_raise(w, kills[i]), -ENOMEM, sigabbrev_np(kills[i]));
		expect_service(w);
		assert_int_equal(world_stat(w, STAT_worker_deaths), deaths += 2);
	}
	world_stop_pool(w);
}

/* Rows that came before are not handed over again. */
static void a_worker_killed_at_work_costs_its_job_nothing(void **state)
{
	struct world *w = *state;

	world_start_pool(w, 2, LONG_MS);
	for (int i = 0; i < 2; i++) {
		struct request *r = request_frames(w, ACT_ROW_THEN_WANT, i ? WORLD_LARGE : WORLD_MEDIUM);

		gate_store_set(w->gate, true);
		request_submit(w, r);
		request_wait_row(r);
		gate_store_wait_held(w->gate, 1);
		kill_and_wait((pid_t)r->rows[0].pid, i ? SIGTERM : SIGKILL);
		gate_store_set(w->gate, false);
		request_wait(r);
		assert_string_equal(r->why, "");
		assert_int_equal(r->err, 0);
		assert_int_equal(r->n_done, 1);
		assert_int_equal(r->times[0], 1);
		free(r);
	}
	assert_int_equal(world_stat(w, STAT_worker_deaths), 2);
	assert_int_equal(world_stat(w, STAT_decode_errors), 0);
	assert_int_equal(world_stat(w, STAT_decode_jobs), 2);
	expect_service(w);
	world_stop_pool(w);
}

static void bytes_for_a_dead_worker_are_dropped(void **state)
{
	struct world *w = *state;
	struct request *r = request_frames(w, ACT_ROW_THEN_WANT, WORLD_LARGE);

	world_start_pool(w, 1, LONG_MS);
	gate_store_set(w->gate, true);
	request_submit(w, r);
	request_wait_row(r);
	gate_store_wait_held(w->gate, 1);
	kill_and_wait((pid_t)r->rows[0].pid, SIGKILL);
	gate_store_set(w->gate, false);
	request_wait(r);
	assert_int_equal(r->err, 0);
	free(r);
	expect_service(w);
	world_stop_pool(w);
}

/* The job of a worker that was killed may have taken the memory of others, or others
 * its own: its second try begins when nobody else is at work, and nobody joins it. */
static void the_second_try_runs_alone(void **state)
{
	struct world *w = *state;
	struct request *killed = request_frames(w, ACT_ROW_THEN_WANT, WORLD_LARGE);
	struct request *beside = request_frames(w, ACT_ROW_THEN_WANT, WORLD_MEDIUM);
	struct request *later = request_mfcc(w, ACT_SUM, WORLD_SMALL);

	world_start_pool(w, 3, LONG_MS);
	gate_store_set(w->gate, true);
	request_submit(w, killed);
	request_submit(w, beside);
	request_wait_row(killed);
	request_wait_row(beside);
	gate_store_wait_held(w->gate, 2);
	kill_and_wait((pid_t)killed->rows[0].pid, SIGKILL);
	while (world_stat(w, STAT_worker_starts) < 4)
		world_wait_a_turn(w);
	request_submit(w, later);
	world_wait_a_turn(w);
	assert_int_equal(world_stat(w, STAT_decode_jobs), 2); /* one worker is at work, two are idle */
	gate_store_set(w->gate, false);
	request_wait(killed);
	request_wait(beside);
	assert_int_equal(killed->err, 0);
	assert_int_equal(killed->times[0], 1);
	assert_int_equal(beside->err, 0);
	request_wait(later);
	request_expect_sum(w, later, WORLD_SMALL);
	free(killed);
	free(beside);
	world_stop_pool(w);
}

static void killed_alone_twice_is_enomem(void **state)
{
	struct world *w = *state;
	struct request *other = request_frames(w, ACT_ROW_THEN_WANT, WORLD_LARGE);
	struct request *victim = request_raise(w, SIGKILL);

	world_start_pool(w, 2, LONG_MS);
	expect_service(w); /* the victim's bytes are in memory */
	gate_store_set(w->gate, true);
	request_submit(w, other);
	request_wait_row(other);
	request_submit(w, victim);
	while (world_stat(w, STAT_worker_deaths) < 1)
		world_wait_a_turn(w);
	gate_store_set(w->gate, false);
	request_wait(victim);
	assert_int_equal(victim->err, -ENOMEM);
	assert_non_null(strstr(victim->why, "was killed (SIGKILL), 2 times with no other one at work"));
	free(victim);
	request_wait(other);
	assert_int_equal(other->err, 0);
	free(other);
	expect_service(w);
	/* The first time it had another one beside it, which doesn't count. */
	assert_int_equal(world_stat(w, STAT_worker_deaths), 3);
	world_stop_pool(w);
}

static bool is_our_child(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Whoever has finished a job is killed, whatever it is doing by now. The second try is on a
 * worker that has finished none. */
static void killing_at_random_fails_nothing(void **state)
{
	struct world *w = *state;
	struct request *r[150];
	unsigned kills = 0;

	world_start_pool(w, 3, LONG_MS);
	for (unsigned i = 0; i < 150; i++) {
		r[i] = request_mfcc(w, ACT_SUM, WORLD_LARGE);
		request_submit(w, r[i]);
	}
	for (unsigned i = 0; i < 150; i++) {
		pid_t pid;

		request_wait(r[i]);
		pid = (pid_t)request_sum(r[i])->pid;
		assert_int_equal(r[i]->err, 0);
		if (i % 3 == 0 && is_our_child(pid) && kill(pid, SIGKILL) == 0)
			kills++;
		request_expect_sum(w, r[i], WORLD_LARGE);
	}
	assert_true(kills > 0);
	assert_int_equal(world_stat(w, STAT_decode_errors), 0);
	expect_service(w);
	world_stop_pool(w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_misdeed_costs_its_own_job),
		TEST(only_one_want_may_be_open),
		TEST(a_mixed_crowd_gets_what_each_deserves),
		TEST(a_worker_that_never_listens_is_killed),
		TEST(saying_done_twice_costs_nobody),
		TEST(dying_after_done_costs_nobody),
		TEST(a_sentence_is_made_fit_to_print),
		TEST(descriptors_sent_to_us_are_dropped),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		TEST(the_memory_limit_is_named),
#endif
		TEST(an_idle_worker_killed_costs_nobody),
		TEST(a_job_nobody_read_is_given_to_another),
		TEST(a_signal_tells_whether_the_file_is_to_blame),
		TEST(a_worker_killed_at_work_costs_its_job_nothing),
		TEST(bytes_for_a_dead_worker_are_dropped),
		TEST(the_second_try_runs_alone),
		TEST(killed_alone_twice_is_enomem),
		TEST(killing_at_random_fails_nothing),
	};

	log_set_level(LOG_LEVEL_ERROR); /* dead workers are warned of, rightly */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
