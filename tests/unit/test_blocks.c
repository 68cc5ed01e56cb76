/* The cache of object bytes: one GET for many readers, whole neighbours in one
 * request, a bound that is never passed, failures that leave no trace. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/stats.h"
#include "hand_store.h"
#include "store/blocks.h"

#define K (UINT64_C(1) << 10)
#define M (UINT64_C(1) << 20)
#define CAPACITY (16 * M)

static struct stats stats;
static struct hand_store hand;
static struct blocks *blocks;

/* One read and how it ended. */
struct reader {
	struct object *obj;
	uint64_t off;
	size_t len;
	int answers, err;
	char why[STORE_WHY_MAX];
	int *order, number; /* order: counts those that ended; number: when this one did */
	struct reader *again; /* started from this one's callback */
};

static int set_up(void **state)
{
	(void)state;
	memset(&stats, 0, sizeof(stats));
	hand_init(&hand, &stats);
	blocks = blocks_new(&hand.store, CAPACITY, &stats);
	return blocks ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	blocks_free(blocks);
	return stats_get(&stats, STAT_block_bytes) == 0 && hand.n == 0 ? 0 : -1;
}

static struct object *make_object(const char *key, uint64_t size)
{
	struct object_meta meta = { .size = size, .etag = "v1" };

	return object_new(key, &meta);
}

static void start(struct reader *r);

static void read_done(void *arg, int err, const char *why, struct blob *bytes)
{
	struct reader *r = arg;

	r->answers++;
	r->err = err;
	if (r->order)
		r->number = ++*r->order;
	if (err) {
		assert_null(bytes);
		snprintf(r->why, sizeof(r->why), "%s", why);
	} else {
		assert_null(why);
		assert_int_equal(blob_len(bytes), r->len);
		for (size_t i = 0; i < r->len; i++) {
			if (blob_data(bytes)[i] != hand_byte(r->off + i))
				fail_msg("byte %zu of a read at %llu", i,
				         (unsigned long long)r->off);
		}
	}
	if (r->again)
		start(r->again);
}

static void start(struct reader *r)
{
	blocks_read(blocks, r->obj, r->off, r->len, read_done, r);
}

/* Reads and has the store answer whatever it asks for. */
static void read_now(struct object *obj, uint64_t off, size_t len)
{
	struct reader r = { .obj = obj, .off = off, .len = len };

	start(&r);
	while (hand.n > 0)
		hand_bytes(&hand, 0);
	assert_int_equal(r.answers, 1);
	assert_int_equal(r.err, 0);
}

static void expect_get(size_t i, uint64_t off, uint64_t len)
{
	assert_true(i < hand.n);
	assert_int_equal(hand.requests[i].kind, 'g');
	assert_int_equal(hand.requests[i].off, off);
	assert_int_equal(hand.requests[i].len, len);
}

static void many_readers_of_a_cold_block_cost_one_get(void **state)
{
	struct object *obj = make_object("k", 100 * K);
	struct reader r[100];

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		r[i] = (struct reader){ .obj = obj, .off = i * 10, .len = 1 + i };
		start(&r[i]);
	}
	assert_int_equal(hand.n, 1);
	expect_get(0, 0, 64 * K);
	assert_string_equal(hand.requests[0].key, "k");
	assert_int_equal(hand.requests[0].prio, STORE_DEMAND);
	hand_bytes(&hand, 0);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(r[i].answers, 1);
		assert_int_equal(r[i].err, 0);
	}
	read_now(obj, 0, 64 * K);
	assert_int_equal(hand.total, 1);
	assert_int_equal(stats_get(&stats, STAT_block_misses), 1);
	assert_int_equal(stats_get(&stats, STAT_block_hits), 1);
	object_unref(obj);
}

static void neighbours_come_in_one_get_and_known_blocks_stay_out(void **state)
{
	struct object *obj = make_object("k", 1000 * K);
	struct reader r = { .obj = obj, .off = 10, .len = 640 * K };

	(void)state;
	read_now(obj, 3 * 64 * K, 1);
	start(&r);
	assert_int_equal(hand.n, 2);
	expect_get(0, 0, 3 * 64 * K);
	expect_get(1, 4 * 64 * K, 7 * 64 * K);
	hand_bytes(&hand, 1);
	assert_int_equal(r.answers, 0);
	hand_bytes(&hand, 0);
	assert_int_equal(r.answers, 1);
	object_unref(obj);
}

static void the_last_block_ends_with_the_object(void **state)
{
	struct object *obj = make_object("k", 64 * K + 5);
	struct reader r = { .obj = obj, .off = 64 * K + 1, .len = 4 };

	(void)state;
	start(&r);
	expect_get(0, 64 * K, 5);
	hand_bytes(&hand, 0);
	assert_int_equal(r.answers, 1);
	assert_int_equal(stats_get(&stats, STAT_block_bytes), 5);
	read_now(obj, 0, 64 * K + 5);
	object_unref(obj);
}

static void a_long_read_is_split_at_the_largest_get(void **state)
{
	struct object *obj = make_object("k", 100 * M);
	struct reader r = { .obj = obj, .off = 50 * M + 1, .len = BLOCKS_READ_MAX };

	(void)state;
	start(&r);
	assert_int_equal(hand.n, 2);
	expect_get(0, 50 * M, 8 * M);
	expect_get(1, 58 * M, 64 * K);
	hand_bytes(&hand, 0);
	hand_bytes(&hand, 0);
	assert_int_equal(r.answers, 1);
	object_unref(obj);
}

static void a_range_outside_is_invalid(void **state)
{
	struct object *obj = make_object("k", 100);
	struct reader r[] = {
		{ .obj = obj, .off = 0, .len = 0 },
		{ .obj = obj, .off = 0, .len = 101 },
		{ .obj = obj, .off = 101, .len = 1 },
		{ .obj = obj, .off = UINT64_MAX, .len = 1 },
		{ .obj = obj, .off = 1, .len = SIZE_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(r) / sizeof(r[0]); i++) {
		start(&r[i]);
		assert_int_equal(r[i].answers, 1);
		assert_int_equal(r[i].err, -EINVAL);
	}
	assert_int_equal(hand.total, 0);
	object_unref(obj);
}

static void a_failed_get_fails_its_waiters_and_leaves_no_trace(void **state)
{
	struct object *obj = make_object("k", 10 * M);
	struct reader a = { .obj = obj, .off = 0, .len = 100 };
	struct reader b = { .obj = obj, .off = 50, .len = 128 * K };
	struct reader c = { .obj = obj, .off = 70 * K, .len = 10 };

	(void)state;
	start(&a);
	start(&b); /* joins block 0, fetches 1 and 2 */
	start(&c); /* joins block 1 */
	assert_int_equal(hand.n, 2);
	hand_fail(&hand, 0, -EIO, "the server hung up");
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.err, -EIO);
	assert_string_equal(a.why, "the server hung up");
	hand_bytes(&hand, 0);
	assert_int_equal(b.err, -EIO);
	assert_string_equal(b.why, "the server hung up");
	assert_int_equal(c.answers, 1);
	assert_int_equal(c.err, 0);
	assert_int_equal(stats_get(&stats, STAT_block_bytes), 128 * K);
	read_now(obj, 0, 100);
	assert_int_equal(hand.total, 3);
	object_unref(obj);
}

static void a_replaced_object_is_stale(void **state)
{
	struct object *obj = make_object("k", 10 * M);
	struct reader r = { .obj = obj, .off = 0, .len = 100 };

	(void)state;
	start(&r);
	hand_fail(&hand, 0, -ESTALE, "the object was replaced");
	assert_int_equal(r.err, -ESTALE);
	assert_int_equal(stats_get(&stats, STAT_block_bytes), 0);
	object_unref(obj);
}

static void versions_do_not_share_blocks(void **state)
{
	struct object *v1 = make_object("k", 100), *v2 = make_object("k", 100);

	(void)state;
	read_now(v1, 0, 100);
	read_now(v2, 0, 100);
	assert_int_equal(hand.total, 2);
	object_unref(v1);
	object_unref(v2);
}

static void the_least_recently_used_goes_first(void **state)
{
	struct object *obj = make_object("k", 100 * M);

	(void)state;
	for (uint64_t i = 0; i < CAPACITY / (64 * K); i++)
		read_now(obj, i * 64 * K, 1);
	assert_int_equal(stats_get(&stats, STAT_block_bytes), CAPACITY);
	read_now(obj, 0, 1);                 /* block 0 again: 1 is the oldest now */
	read_now(obj, 90 * M, 1);            /* pushes 1 out */
	hand.total = 0;
	read_now(obj, 0, 1);
	read_now(obj, 2 * 64 * K, 1);
	read_now(obj, 90 * M, 1);
	assert_int_equal(hand.total, 0);
	read_now(obj, 1 * 64 * K, 1);
	assert_int_equal(hand.total, 1);
	assert_int_equal(stats_get(&stats, STAT_block_bytes), CAPACITY);
	object_unref(obj);
}

static void a_small_capacity_is_rounded_up_to_what_any_read_needs(void **state)
{
	struct object *obj = make_object("k", 100 * M);
	struct blocks *small = blocks_new(&hand.store, 1, &stats);
	struct reader r = { .obj = obj, .off = 1, .len = BLOCKS_READ_MAX };

	(void)state;
	blocks_read(small, obj, r.off, r.len, read_done, &r);
	while (hand.n > 0)
		hand_bytes(&hand, 0);
	assert_int_equal(r.answers, 1);
	assert_int_equal(r.err, 0);
	blocks_free(small);
	object_unref(obj);
}

static void reads_that_would_pass_the_capacity_wait_their_turn(void **state)
{
	struct object *obj = make_object("k", 200 * M);
	int order = 0;
	struct reader r[6];

	(void)state;
	/* Two fit, and the small one would, but must not overtake those before it. */
	for (size_t i = 0; i < 5; i++)
		r[i] = (struct reader){ .obj = obj, .off = i * 8 * M,
			                .len = (i == 1 ? 7 : 8) * M, .order = &order };
	r[5] = (struct reader){ .obj = obj, .off = 100 * M, .len = 1, .order = &order };
	for (size_t i = 0; i < 6; i++)
		start(&r[i]);
	assert_int_equal(hand.n, 2);
	assert_int_equal(stats_get(&stats, STAT_block_bytes), CAPACITY - 1 * M);
	while (hand.n > 0) {
		assert_true(hand.n <= 2);
		hand_bytes(&hand, 0);
		assert_true(stats_get(&stats, STAT_block_bytes) <= (int64_t)CAPACITY);
	}
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(r[i].answers, 1);
		assert_int_equal(r[i].err, 0);
		assert_int_equal(r[i].number, i + 1);
	}
	object_unref(obj);
}

static void a_waiting_read_takes_what_came_meanwhile(void **state)
{
	struct object *obj = make_object("k", 200 * M);
	struct reader a = { .obj = obj, .off = 0, .len = 8 * M };
	struct reader b = { .obj = obj, .off = 8 * M, .len = 8 * M };
	struct reader c = { .obj = obj, .off = 16 * M, .len = 1 };
	struct reader d = { .obj = obj, .off = 16 * M, .len = 1 };

	(void)state;
	start(&a);
	start(&b);
	start(&c);
	start(&d);
	hand_bytes(&hand, 0);
	assert_int_equal(hand.n, 2);
	expect_get(1, 16 * M, 64 * K);
	hand_bytes(&hand, 1);
	assert_int_equal(c.answers + d.answers, 2);
	hand_bytes(&hand, 0);
	assert_int_equal(hand.total, 3);
	object_unref(obj);
}

static void what_is_in_memory_is_read_while_others_wait(void **state)
{
	struct object *obj = make_object("k", 200 * M);
	struct reader big[3];
	struct reader hit = { .obj = obj, .off = 0, .len = 1 };

	(void)state;
	read_now(obj, 0, 1);
	for (size_t i = 0; i < 3; i++)
		big[i] = (struct reader){ .obj = obj, .off = (8 * i + 8) * M,
		                         .len = 8 * M - 64 * K };
	for (size_t i = 0; i < 3; i++)
		start(&big[i]);
	assert_int_equal(hand.n, 2);
	start(&hit);
	assert_int_equal(hit.answers, 1);
	while (hand.n > 0)
		hand_bytes(&hand, 0);
	assert_int_equal(big[2].answers, 1);
	object_unref(obj);
}

static void failures_let_those_who_wait_go_on(void **state)
{
	struct object *obj = make_object("k", 200 * M);
	struct reader r[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		r[i] = (struct reader){ .obj = obj, .off = i * 8 * M, .len = 8 * M };
		start(&r[i]);
	}
	assert_int_equal(hand.n, 2);
	hand_fail(&hand, 0, -EIO, "no");
	assert_int_equal(hand.n, 2);
	hand_bytes(&hand, 1);
	assert_int_equal(r[2].err, 0);
	assert_int_equal(r[2].answers, 1);
	hand_bytes(&hand, 0);
	object_unref(obj);
}

#define MANY 20000

static void a_store_that_fails_at_once_builds_no_stack(void **state)
{
	struct object *obj = make_object("k", 200 * M);
	struct reader blocker = { .obj = obj, .off = 0, .len = 8 * M };
	struct reader second = { .obj = obj, .off = 8 * M, .len = 8 * M };
	struct reader *r = calloc(MANY, sizeof(*r));

	(void)state;
	start(&blocker);
	start(&second);
	for (size_t i = 0; i < MANY; i++) {
		r[i] = (struct reader){ .obj = obj, .off = 100 * M + i * 64, .len = 64 };
		start(&r[i]);
	}
	hand.fail_at_once = -ENOMEM;
	hand_bytes(&hand, 0);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(r[i].answers, 1);
		assert_int_equal(r[i].err, -ENOMEM);
	}
	hand_bytes(&hand, 0);
	free(r);
	object_unref(obj);
}

static void a_reader_may_read_again_from_its_callback(void **state)
{
	struct object *obj = make_object("k", 200 * M);
	struct reader *r = calloc(MANY, sizeof(*r));

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		r[i] = (struct reader){ .obj = obj, .off = i % 100, .len = 10 };
		r[i].again = i + 1 < MANY ? &r[i + 1] : NULL;
	}
	start(&r[0]);
	hand_bytes(&hand, 0);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(r[i].answers, 1);
	assert_int_equal(hand.total, 1);
	free(r);
	object_unref(obj);
}

static void loaded(void *arg, int err, const char *why, struct blob *bytes)
{
	struct reader *r = arg;

	assert_null(bytes);
	assert_int_equal(err == 0, why == NULL);
	r->answers++;
	r->err = err;
}

static void loading_brings_bytes_into_memory_and_gives_none(void **state)
{
	struct object *obj = make_object("a", 3 * BLOCKS_SIZE);
	struct reader r = { .obj = obj }, read = { .obj = obj, .off = 10, .len = BLOCKS_SIZE };

	(void)state;
	blocks_load(blocks, obj, 0, 2 * BLOCKS_SIZE, loaded, &r);
	start(&read);
	assert_int_equal(hand.n, 1);
	expect_get(0, 0, 2 * BLOCKS_SIZE);
	hand_bytes(&hand, 0);
	assert_int_equal(r.answers, 1);
	assert_int_equal(r.err, 0);
	assert_int_equal(read.answers, 1);
	read_now(obj, BLOCKS_SIZE, 100);
	blocks_load(blocks, obj, 1, 1, loaded, &r);
	assert_int_equal(r.answers, 2);
	assert_int_equal(hand.total, 1);
	blocks_load(blocks, obj, 2 * BLOCKS_SIZE, 1, loaded, &r);
	hand_fail(&hand, 0, -ETIMEDOUT, "slow");
	assert_int_equal(r.answers, 3);
	assert_int_equal(r.err, -ETIMEDOUT);
	blocks_load(blocks, obj, 3 * BLOCKS_SIZE, 1, loaded, &r);
	assert_int_equal(r.err, -EINVAL);
	object_unref(obj);
}

static void ahead_fetches_without_a_reader(void **state)
{
	struct object *obj = make_object("k", 1 * M + 5);
	struct reader r = { .obj = obj, .off = 0, .len = 10 };

	(void)state;
	blocks_ahead(blocks, obj, 1, UINT64_MAX);
	assert_int_equal(hand.n, 1);
	expect_get(0, 0, 1 * M + 5);
	assert_int_equal(hand.requests[0].prio, STORE_AHEAD);
	start(&r);
	assert_int_equal(hand.n, 1);
	hand_bytes(&hand, 0);
	assert_int_equal(r.answers, 1);
	read_now(obj, 1 * M, 5);
	blocks_ahead(blocks, obj, 0, 1 * M);
	blocks_ahead(blocks, obj, 1 * M + 5, 1);
	blocks_ahead(blocks, obj, 5, 0);
	assert_int_equal(hand.total, 1);
	object_unref(obj);
}

static void ahead_takes_at_most_half_until_it_is_read(void **state)
{
	struct object *obj = make_object("k", 200 * M), *other = make_object("o", 200 * M);

	(void)state;
	read_now(other, 0, 8 * M);
	blocks_ahead(blocks, obj, 0, 100 * M);
	assert_int_equal(hand.n, 1);
	expect_get(0, 0, 8 * M);
	hand_bytes(&hand, 0);
	blocks_ahead(blocks, obj, 50 * M, 10);
	assert_int_equal(hand.n, 0);
	read_now(other, 0, 8 * M);
	assert_int_equal(hand.total, 2);
	read_now(obj, 0, 128 * K);
	blocks_ahead(blocks, obj, 50 * M, 1 * M);
	expect_get(0, 50 * M, 128 * K);
	hand_bytes(&hand, 0);
	object_unref(obj);
	object_unref(other);
}

static void ahead_gives_up_where_there_is_no_room(void **state)
{
	struct object *obj = make_object("k", 200 * M);
	struct reader r[3];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		r[i] = (struct reader){ .obj = obj, .off = i * 8 * M, .len = 8 * M };
		start(&r[i]);
	}
	blocks_ahead(blocks, obj, 100 * M, 1);
	assert_int_equal(hand.n, 2);
	r[2] = (struct reader){ .obj = obj, .off = 16 * M, .len = 8 * M };
	start(&r[2]);
	hand_bytes(&hand, 0);
	hand_bytes(&hand, 0);
	assert_int_equal(hand.n, 1);
	/* Everything is in use or asked for, but for the first 8 MiB. */
	blocks_ahead(blocks, obj, 100 * M, 64 * K);
	assert_int_equal(hand.n, 2);
	hand_bytes(&hand, 0);
	hand_bytes(&hand, 0);
	assert_true(stats_get(&stats, STAT_block_bytes) <= (int64_t)CAPACITY);
	object_unref(obj);
}

static void ahead_does_not_push_out_its_own_neighbours(void **state)
{
	struct object *obj = make_object("k", 200 * M), *other = make_object("o", 200 * M);
	struct reader busy[2];

	(void)state;
	/* All but two blocks are in use; of those two one lies in the window. */
	read_now(obj, 64 * K, 1);
	read_now(other, 100 * M, 1);
	busy[0] = (struct reader){ .obj = other, .off = 0, .len = 8 * M };
	busy[1] = (struct reader){ .obj = other, .off = 8 * M, .len = 8 * M - 128 * K };
	start(&busy[0]);
	start(&busy[1]);
	blocks_ahead(blocks, obj, 0, 192 * K);
	assert_int_equal(hand.n, 3);
	expect_get(2, 0, 64 * K);
	assert_int_equal(stats_get(&stats, STAT_block_bytes), CAPACITY);
	while (hand.n > 0)
		hand_bytes(&hand, 0);
	hand.total = 0;
	read_now(obj, 0, 128 * K);
	assert_int_equal(hand.total, 0);
	object_unref(obj);
	object_unref(other);
}

static void a_failed_fetch_ahead_is_forgotten(void **state)
{
	struct object *obj = make_object("k", 200 * M);

	(void)state;
	for (int i = 0; i < 10; i++) {
		blocks_ahead(blocks, obj, 0, 8 * M);
		hand_fail(&hand, 0, -EIO, "no");
	}
	assert_int_equal(stats_get(&stats, STAT_block_bytes), 0);
	blocks_ahead(blocks, obj, 0, 8 * M);
	assert_int_equal(hand.n, 1);
	hand_bytes(&hand, 0);
	object_unref(obj);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_readers_of_a_cold_block_cost_one_get),
		TEST(neighbours_come_in_one_get_and_known_blocks_stay_out),
		TEST(the_last_block_ends_with_the_object),
		TEST(a_long_read_is_split_at_the_largest_get),
		TEST(a_range_outside_is_invalid),
		TEST(a_failed_get_fails_its_waiters_and_leaves_no_trace),
		TEST(a_replaced_object_is_stale),
		TEST(versions_do_not_share_blocks),
		TEST(the_least_recently_used_goes_first),
		TEST(a_small_capacity_is_rounded_up_to_what_any_read_needs),
		TEST(reads_that_would_pass_the_capacity_wait_their_turn),
		TEST(a_waiting_read_takes_what_came_meanwhile),
		TEST(what_is_in_memory_is_read_while_others_wait),
		TEST(failures_let_those_who_wait_go_on),
		TEST(a_store_that_fails_at_once_builds_no_stack),
		TEST(a_reader_may_read_again_from_its_callback),
		TEST(loading_brings_bytes_into_memory_and_gives_none),
		TEST(ahead_fetches_without_a_reader),
		TEST(ahead_takes_at_most_half_until_it_is_read),
		TEST(ahead_gives_up_where_there_is_no_room),
		TEST(ahead_does_not_push_out_its_own_neighbours),
		TEST(a_failed_fetch_ahead_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
