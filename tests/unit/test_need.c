/* From rows to packets, byte ranges and cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/need.h"

#define KB ((uint64_t)1024)
#define MB ((uint64_t)1 << 20)

static void packets_are_fed_until_the_frame_is_pushed_out(void **state)
{
	(void)state;
	assert_int_equal(need_fed_end(10, 0, false, 100), 11);
	assert_int_equal(need_fed_end(10, 2, false, 100), 13);
	assert_int_equal(need_fed_end(10, 2, true, 100), 11);
	assert_int_equal(need_fed_end(98, 5, false, 100), 100);
	assert_int_equal(need_fed_end(99, 5, false, 100), 100);
	assert_int_equal(need_fed_end(0, UINT32_MAX, false, 100), 1 + TABLE_REORDER_MAX);
	assert_int_equal(need_fed_end(UINT32_MAX - 1, 16, false, UINT32_MAX), UINT32_MAX);
}

static void a_span_goes_from_the_first_byte_to_the_last(void **state)
{
	const struct table_packet p[] = {
		{.pos = 5000, .size = 100}, {.pos = 900, .size = 50}, {.pos = 7000, .size = 10},
		{.pos = 100, .size = 10},
	};
	struct need_range r = need_span(p, 0, 3);

	(void)state;
	assert_int_equal(r.off, 900);
	assert_int_equal(r.len, 7010 - 900);
	r = need_span(p, 1, 2);
	assert_int_equal(r.off, 900);
	assert_int_equal(r.len, 50);
	assert_int_equal(need_span(p, 2, 2).len, 0);
	assert_int_equal(need_span(p, 3, 2).len, 0);
}

static void a_head_ends_where_packets_lie_apart(void **state)
{
	const struct table_packet p[] = {
		{.pos = 1000, .size = 100}, {.pos = 1100, .size = 500},
		{.pos = 1600 + NEED_GAP, .size = 7}, {.pos = 1608 + 2 * NEED_GAP, .size = 9},
		{.pos = 0, .size = 5},
	};
	struct need_range r = need_head(p, 0, 5, MB);

	(void)state;
	assert_int_equal(r.off, 1000);
	assert_int_equal(r.len, 607 + NEED_GAP);                /* one byte too far to the fourth */
	assert_int_equal(need_head(p, 3, 5, MB).len, 9);        /* backwards */
	assert_int_equal(need_head(p, 0, 1, MB).len, 100);
	assert_int_equal(need_head(p, 0, 5, 300).len, 300);
	assert_int_equal(need_head(p, 2, 2, MB).len, 0);
}

static void a_container_begins_with_a_block_or_is_smaller(void **state)
{
	(void)state;
	assert_int_equal(need_container(10).len, 10);
	assert_int_equal(need_container(MB).len, NEED_GAP);
	assert_int_equal(need_container(MB).off, 0);
	assert_int_equal(need_container(0).len, 0);
}

static void nothing_is_needed_outside_of_the_object(void **state)
{
	struct need_range r = need_within(100, 50, 1000, 30);

	(void)state;
	assert_int_equal(r.off, 100);
	assert_int_equal(r.len, 30);
	assert_int_equal(need_within(990, 50, 1000, 30).len, 10);
	assert_int_equal(need_within(1000, UINT64_MAX, 1000, 30).len, 0);
	assert_int_equal(need_within(1, UINT64_MAX, 1000, UINT64_MAX).len, 999);
}

/* A reader that reads 128 KiB after 128 KiB: what is fetched before it is asked for has
 * no holes, is never asked for twice, and is at most a window ahead. */
static void a_reader_from_front_to_back_is_kept_ahead_of(void **state)
{
	uint64_t ahead = 0, pieces = 0;

	(void)state;
	assert_int_equal(need_ahead(128 * KB, 128 * KB, 0).len, 0);
	for (uint64_t end = 128 * KB; end <= 256 * MB; end += 128 * KB) {
		struct need_range r = need_ahead(end, end, ahead);

		if (r.len == 0)
			continue;
		assert_int_equal(r.off, ahead > end ? ahead : end);
		assert_true(r.off + r.len - end <= 16 * MB);
		ahead = r.off + r.len;
		assert_true(ahead - end >= MB);
		pieces++;
	}
	assert_true(pieces < 60);       /* 8 MiB each, once it is on its way */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_fed_until_the_frame_is_pushed_out),
		cmocka_unit_test(a_span_goes_from_the_first_byte_to_the_last),
		cmocka_unit_test(a_head_ends_where_packets_lie_apart),
		cmocka_unit_test(a_container_begins_with_a_block_or_is_smaller),
		cmocka_unit_test(nothing_is_needed_outside_of_the_object),
		cmocka_unit_test(a_reader_from_front_to_back_is_kept_ahead_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
