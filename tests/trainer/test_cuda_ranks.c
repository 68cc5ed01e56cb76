/* Several GPUs' backends as ranks, over fake CUDA and NCCL: sums, in every order of streams and
 * ranks; what is left of failures, and of ranks that are gone. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "backend/cuda.h"
#include "backend/cuda_nccl.h"
#include "base/buf.h"
#include "base/text.h"
#include "fake_cuda.h"
#include "fake_nccl.h"

enum { RANKS_MAX = 4, SUMS = 3, RELU = 1, STEPS = 2 };

static const size_t sizes[SUMS] = { 1, 40, 300 };

uint64_t __wrap_clock_ns(void);

/* Much time for each look at it. */
uint64_t __wrap_clock_ns(void)
{
	static uint64_t now;

	return now += 500000000;
}

/* What the ranks of one test share, and what came of each. */
struct team {
	int ranks;
	bool one_gpu;
	uint8_t id[CUDA_NCCL_ID];
	void (*work)(struct team *t, int rank, struct backend *b);
	int err[RANKS_MAX];
	float *result[RANKS_MAX][SUMS];
};

static float value(int rank, int step, size_t i)
{
	return (float)((int)((i * 2654435761u + (unsigned)(rank * 7919 + step * 104729)) % 2001) - 1000) /
	       999;
}

/* Asserts are no use in threads: they jump. */
static void play(int rank, void *arg)
{
	struct team *t = arg;
	const struct cuda_options options = { .device = t->one_gpu ? 0 : rank };
	struct backend *b;

	t->err[rank] = cuda_new(&options, &b);
	if (t->err[rank])
		return;
	t->err[rank] = cuda_nccl_join(b, t->id, (unsigned)rank, (unsigned)t->ranks);
	if (!t->err[rank])
		t->work(t, rank, b);
	/* A rank that failed ends its job: leaving in peace is for those that are done. */
	if (t->err[rank])
		fake_nccl_vanish();
	backend_free(b);
}

/* Returns what cuda_nccl_id returned. */
static int run_team(struct team *t)
{
	int err = cuda_nccl_id(t->id);

	if (!err)
		fake_nccl_ranks(t->ranks, play, t);
	return err;
}

static int first_error(const struct team *t)
{
	for (int r = 0; r < t->ranks; r++) {
		if (t->err[r])
			return t->err[r];
	}
	return 0;
}

static void free_results(struct team *t)
{
	for (int r = 0; r < RANKS_MAX; r++) {
		for (int k = 0; k < SUMS; k++) {
			free(t->result[r][k]);
			t->result[r][k] = NULL;
		}
	}
}

/* Some steps: gradients of several sizes go up, are added, and something is computed of one of the
 * sums, which has to wait for it. */
static void add_up(struct team *t, int rank, struct backend *b)
{
	void *buffer[SUMS] = { NULL };
	int err = 0;

	for (int k = 0; k < SUMS && !err; k++) {
		t->result[rank][k] = calloc(sizes[k], sizeof(float));
		err = b->ops->alloc(b, sizes[k] * sizeof(float), &buffer[k]);
	}
	for (int step = 0; step < STEPS && !err; step++) {
		for (int k = 0; k < SUMS && !err; k++) {
			float *host = t->result[rank][k];

			for (size_t i = 0; i < sizes[k]; i++)
				host[i] = value(rank, step, i);
			err = b->ops->upload(b, buffer[k], host, sizes[k] * sizeof(float));
			if (!err)
				err = cuda_nccl_sum(b, buffer[k], sizes[k]);
			if (!err && k == RELU)
				err = b->ops->relu_forward(b, sizes[k], buffer[k], buffer[k]);
		}
	}
	for (int k = 0; k < SUMS && !err; k++)
		err = b->ops->download(b, t->result[rank][k], buffer[k], sizes[k] * sizeof(float));
	t->err[rank] = err;
	for (int k = 0; k < SUMS; k++)
		b->ops->release(b, buffer[k]);
}

static void check_sums(const struct team *t)
{
	for (int k = 0; k < SUMS; k++) {
		for (size_t i = 0; i < sizes[k]; i++) {
			double sum = 0;

			for (int r = 0; r < t->ranks; r++)
				sum += value(r, STEPS - 1, i);
			if (k == RELU)
				sum = fmax(sum, 0);
			if (fabs(t->result[0][k][i] - sum) > 1e-6)
				fail_msg("sum %d, value %zu: %g, not %g", k, i, (double)t->result[0][k][i],
				         sum);
		}
		for (int r = 1; r < t->ranks; r++)
			assert_memory_equal(t->result[0][k], t->result[r][k], sizes[k] * sizeof(float));
	}
}

static void ranks_add_up_what_the_host_would(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 60; seed++) {
		struct team t = { .ranks = 1 + (int)seed % RANKS_MAX, .work = add_up };

		fake_cuda_seed(seed);
		assert_int_equal(run_team(&t), 0);
		assert_int_equal(first_error(&t), 0);
		check_sums(&t);
		free_results(&t);
		assert_int_equal(fake_cuda_live(), 0);
	}
}

/* Ranks that didn't fail themselves hear of it, or had nothing to do with it. */
static void every_failure_reaches_all_and_leaves_nothing(void **state)
{
	struct team t = { .ranks = 2, .work = add_up };
	unsigned calls, returned = 0;

	(void)state;
	fake_cuda_seed(5);
	fake_cuda_fail(0);
	assert_int_equal(run_team(&t), 0);
	calls = fake_cuda_calls();
	free_results(&t);
	assert_true(calls > 100);
	for (unsigned call = 1; call <= calls; call++) {
		int id;

		fake_cuda_seed(5);
		fake_cuda_fail(call);
		id = run_team(&t);
		assert_true(id == 0 || id == -EIO);
		for (int r = 0; r < 2 && !id; r++) {
			int err = t.err[r];

			if (err && err != -ENOMEM && err != -EIO && err != -ENODEV && err != -ECONNRESET &&
			    err != -ETIMEDOUT)
				fail_msg("call %u of %u: rank %d returned %d", call, calls, r, err);
		}
		returned += id || first_error(&t);
		free_results(&t);
		if (fake_cuda_live() != 0)
			fail_msg("call %u of %u failed, %d objects are left", call, calls, fake_cuda_live());
	}
	/* The ends of the two may fail unnoticed. */
	assert_true(returned + 32 >= calls);
	fake_cuda_fail(0);
	assert_int_equal(run_team(&t), 0);
	assert_int_equal(first_error(&t), 0);
	free_results(&t);
}

/* ---- ranks that are gone --------------------------------------------------------------------- */

/* Rank 1 is, before the second sum, which rank 0 then waits in; nothing works any more there. */
static void lose_one(struct team *t, int rank, struct backend *b)
{
	float host[4] = { 1, 2, 3, 4 };
	void *buffer;
	int err = b->ops->alloc(b, sizeof(host), &buffer);

	if (!err)
		err = cuda_nccl_sum(b, buffer, 4);
	if (!err)
		err = b->ops->download(b, host, buffer, sizeof(host));
	if (rank == 1) {
		t->err[rank] = err;
		fake_nccl_vanish();
	} else {
		if (!err)
			err = cuda_nccl_sum(b, buffer, 4);
		if (!err)
			err = b->ops->download(b, host, buffer, sizeof(host));
		t->err[rank] = err;
		if (cuda_nccl_sum(b, buffer, 4) != err || b->ops->upload(b, buffer, host, 4) != err ||
		    b->ops->download(b, host, buffer, 4) != err)
			t->err[rank] = 1;
	}
	b->ops->release(b, buffer);
}

static void a_rank_that_is_gone_is_noticed_by_who_waits_for_it(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++) {
		struct team t = { .ranks = 2, .work = lose_one };

		fake_cuda_seed(seed);
		assert_int_equal(run_team(&t), 0);
		assert_int_equal(t.err[1], 0);
		assert_int_equal(t.err[0], -ECONNRESET);
		assert_int_equal(fake_cuda_live(), 0);
	}
}

static void come_alone(int rank, void *arg)
{
	struct team *t = arg;
	const struct cuda_options options = { .device = rank };
	struct backend *b;

	t->err[rank] = cuda_new(&options, &b);
	if (t->err[rank])
		return;
	t->err[rank] = cuda_nccl_join(b, t->id, (unsigned)rank, 2);
	backend_free(b);
}

static void ranks_that_do_not_come_are_not_waited_for_without_end(void **state)
{
	struct team t = { .ranks = 1 };

	(void)state;
	assert_int_equal(cuda_nccl_id(t.id), 0);
	fake_nccl_ranks(1, come_alone, &t);
	assert_int_equal(t.err[0], -ETIMEDOUT);
	assert_int_equal(fake_cuda_live(), 0);
}

static void sum_of_another_size(struct team *t, int rank, struct backend *b)
{
	float host[4];
	void *buffer;
	int err = b->ops->alloc(b, sizeof(host), &buffer);

	if (!err)
		err = cuda_nccl_sum(b, buffer, rank == 0 ? 4 : 3);
	if (!err)
		err = b->ops->download(b, host, buffer, sizeof(host));
	t->err[rank] = err;
	b->ops->release(b, buffer);
}

static void the_fake_sees_sums_that_do_not_fit(void **state)
{
	struct team t = { .ranks = 2, .work = sum_of_another_size };
	unsigned before = fake_nccl_mismatches();

	(void)state;
	assert_int_equal(run_team(&t), 0);
	assert_int_equal(fake_nccl_mismatches(), before + 1);
	assert_int_equal(t.err[0], -ECONNRESET);
	assert_int_equal(t.err[1], -ECONNRESET);
	assert_int_equal(fake_cuda_live(), 0);
}

static void do_nothing(struct team *t, int rank, struct backend *b)
{
	(void)t;
	(void)rank;
	(void)b;
}

static void two_ranks_on_one_gpu_end_in_an_error(void **state)
{
	struct team t = { .ranks = 2, .one_gpu = true, .work = do_nothing };

	(void)state;
	assert_int_equal(run_team(&t), 0);
	assert_true(t.err[0] < 0 && t.err[1] < 0);
	assert_int_equal(fake_cuda_live(), 0);
}

/* ---- alone ----------------------------------------------------------------------------------- */

static void gpus_are_told_apart(void **state)
{
	uint8_t place[3][CUDA_PLACE];

	(void)state;
	assert_int_equal(cuda_place(0, place[0]), 0);
	assert_int_equal(cuda_place(1, place[1]), 0);
	assert_int_equal(cuda_place(0, place[2]), 0);
	assert_memory_equal(place[0], place[2], CUDA_PLACE);
	assert_memory_not_equal(place[0], place[1], CUDA_PLACE);
}

static void without_others_nothing_is_added(void **state)
{
	const struct cuda_options options = { 0 };
	struct backend *b;
	void *buffer;

	(void)state;
	assert_int_equal(cuda_new(&options, &b), 0);
	assert_int_equal(b->ops->alloc(b, 4, &buffer), 0);
	assert_int_equal(cuda_nccl_sum(b, buffer, 1), -ENOTCONN);
	b->ops->release(b, buffer);
	backend_free(b);
}

static void look(struct team *t, int rank, struct backend *b)
{
	struct buf out;

	buf_init(&out, 1 << 16);
	b->ops->describe(b, &out);
	t->err[rank] = buf_error(&out) || !strstr(out.data, "\nnccl = 2.");
	buf_done(&out);
}

static void describe_names_nccl_where_it_adds_up(void **state)
{
	struct team t = { .ranks = 2, .work = look };

	(void)state;
	assert_int_equal(run_team(&t), 0);
	assert_int_equal(first_error(&t), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranks_add_up_what_the_host_would),
		cmocka_unit_test(every_failure_reaches_all_and_leaves_nothing),
		cmocka_unit_test(a_rank_that_is_gone_is_noticed_by_who_waits_for_it),
		cmocka_unit_test(ranks_that_do_not_come_are_not_waited_for_without_end),
		cmocka_unit_test(the_fake_sees_sums_that_do_not_fit),
		cmocka_unit_test(two_ranks_on_one_gpu_end_in_an_error),
		cmocka_unit_test(gpus_are_told_apart),
		cmocka_unit_test(without_others_nothing_is_added),
		cmocka_unit_test(describe_names_nccl_where_it_adds_up),
	};

	fake_cuda_devices(RANKS_MAX);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
