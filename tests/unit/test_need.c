/* From rows to packets, byte ranges and cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/need.h"
#include "media/plan.h"

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

/* 10 packets a GOP of 100 bytes each, side by side but where a hole is. */
static struct table_head *table(uint32_t n, uint64_t hole)
{
	struct table_head *t = calloc(1, sizeof(*t) + n * sizeof(struct table_packet));
	struct table_packet *p;

	assert_non_null(t);
	t->n_packets = n;
	p = (struct table_packet *)(uintptr_t)table_packets(t);
	for (uint32_t i = 0; i < n; i++) {
		p[i] = (struct table_packet){.pts = i, .pos = (int64_t)(100 * i + i / 10 * hole), .size = 100,
		                             .flags = i % 10 == 0 ? TABLE_KEY : 0};
	}
	return t;
}

static struct plan *rows(uint32_t n, uint32_t reorder, const uint32_t *packets)
{
	struct plan *p = calloc(1, sizeof(*p) + n * sizeof(p->rows[0]));

	assert_non_null(p);
	p->n_rows = n;
	p->reorder = reorder;
	for (uint32_t i = 0; i < n; i++)
		p->rows[i] = (struct plan_row){.packet = packets[i], .sync = packets[i] / 10 * 10};
	return p;
}

static void assert_cost(uint64_t hole, uint32_t reorder, uint32_t n, const uint32_t *packets,
                        uint32_t fed, uint32_t ranges)
{
	struct table_head *t = table(50, hole);
	struct plan *p = rows(n, reorder, packets);
	struct need_cost c = need_cost(t, p);

	assert_int_equal(c.packets, fed);
	assert_int_equal(c.bytes, 100 * fed);
	assert_int_equal(c.ranges, ranges);
	free(p);
	free(t);
}

static void a_row_costs_from_its_sync_packet_to_what_pushes_it_out(void **state)
{
	(void)state;
	assert_cost(0, 0, 1, (uint32_t[]){3}, 4, 1);
	assert_cost(0, 2, 1, (uint32_t[]){13}, 6, 1);
	assert_cost(0, 2, 1, (uint32_t[]){49}, 10, 1);
	assert_cost(0, 2, 1, (uint32_t[]){20}, 1, 1);           /* a sync packet alone is drained */
}

static void rows_of_one_run_cost_it_once(void **state)
{
	(void)state;
	assert_cost(0, 0, 3, (uint32_t[]){3, 3, 8}, 9, 1);
	assert_cost(0, 2, 2, (uint32_t[]){9, 11}, 14, 1);       /* the second run begins where the first ends */
	assert_cost(0, 0, 2, (uint32_t[]){0, 40}, 2, 1);        /* near enough for one request */
}

static void ranges_are_as_many_as_lie_apart(void **state)
{
	(void)state;
	assert_cost(MB, 0, 2, (uint32_t[]){3, 31}, 6, 2);
	assert_cost(MB, 2, 1, (uint32_t[]){9}, 12, 2);          /* pushed out by packets behind the hole */
	assert_cost(MB, 2, 0, NULL, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_fed_until_the_frame_is_pushed_out),
		cmocka_unit_test(a_span_goes_from_the_first_byte_to_the_last),
		cmocka_unit_test(a_head_ends_where_packets_lie_apart),
		cmocka_unit_test(a_container_begins_with_a_block_or_is_smaller),
		cmocka_unit_test(nothing_is_needed_outside_of_the_object),
		cmocka_unit_test(a_row_costs_from_its_sync_packet_to_what_pushes_it_out),
		cmocka_unit_test(rows_of_one_run_cost_it_once),
		cmocka_unit_test(ranges_are_as_many_as_lie_apart),
		cmocka_unit_test(a_reader_from_front_to_back_is_kept_ahead_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
