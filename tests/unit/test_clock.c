/* Timestamps that start again, go back or leap: what comes out is one clock in the
 * order of the file, and a clock that is right stays as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/clock.h"

/* 25 frames a second in units of 1/1000 s. */
#define FRAME 40
#define MAX 64u

static const struct clock_rules stream = {.dts = true, .leaps = true, .reorders = true, .tenth = 100};
static const struct clock_rules file = {.dts = true, .reorders = true, .tenth = 100};
static const struct clock_rules bare = {.reorders = true, .tenth = 100};

struct packets {
	struct table_packet p[MAX];
	uint32_t n;
};

static void add(struct packets *s, int64_t pts, int64_t dts, uint32_t flags)
{
	assert_true(s->n < MAX);
	s->p[s->n++] = (struct table_packet){.pts = pts, .dts = dts, .size = 1, .flags = flags};
}

/* I P B B P B B ... of n = 3k + 1 frames in output order from `start` on. */
static void add_gop(struct packets *s, int64_t start, unsigned n)
{
	int64_t dts = start - FRAME;

	add(s, start, dts, TABLE_KEY);
	for (unsigned i = 1; i < n; i += 3) {
		add(s, start + (i + 2) * FRAME, dts += FRAME, 0);
		add(s, start + i * FRAME, dts += FRAME, 0);
		add(s, start + (i + 1) * FRAME, dts += FRAME, 0);
	}
}

static int ascending(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The shown frames follow each other at one frame's distance, in the order of the
 * file but for the reordering inside a GOP. */
static void assert_even(const struct packets *s)
{
	int64_t pts[MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		if (!(s->p[i].flags & TABLE_HIDDEN))
			pts[n++] = s->p[i].pts;
	}
	qsort(pts, n, sizeof(pts[0]), ascending);
	for (uint32_t i = 1; i < n; i++)
		assert_int_equal(pts[i] - pts[i - 1], FRAME);
}

static void one_clock_stays_as_it_is(void **state)
{
	const struct clock_rules *rules[] = {&stream, &file, &bare};
	struct packets s = {0}, before;

	(void)state;
	add_gop(&s, 1000, 13);
	add_gop(&s, 1000 + 13 * FRAME, 10);
	/* An open GOP: two packets that are shown before the sync packet. */
	add(&s, 1000 + 25 * FRAME, 1000 + 22 * FRAME, TABLE_KEY);
	add(&s, 1000 + 23 * FRAME, 1000 + 23 * FRAME, 0);
	add(&s, 1000 + 24 * FRAME, 1000 + 24 * FRAME, 0);
	before = s;
	for (size_t i = 0; i < 3; i++) {
		assert_false(clock_join(s.p, s.n, rules[i]));
		assert_memory_equal(&s, &before, sizeof(s));
	}
}

static void a_clock_that_starts_again_goes_on(void **state)
{
	const struct clock_rules *rules[] = {&stream, &file, &bare};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct packets s = {0};

		add_gop(&s, 1000, 13);
		add_gop(&s, 1000, 13);
		add_gop(&s, 1000, 4);
		add_gop(&s, 500, 13);
		assert_true(clock_join(s.p, s.n, rules[i]));
		assert_even(&s);
		assert_int_equal(s.p[0].pts, 1000);
		assert_int_equal(s.p[13].pts, 1000 + 13 * FRAME);
		assert_int_equal(s.p[13].dts, 1000 - FRAME);    /* the file's */
	}
}

static void parts_of_one_frame_follow_each_other(void **state)
{
	struct packets s = {0};

	(void)state;
	add_gop(&s, 0, 4);
	for (int i = 0; i < 3; i++)
		add(&s, 0, 0, TABLE_KEY);
	assert_true(clock_join(s.p, s.n, &stream));
	assert_even(&s);
}

/* The second part begins in the middle of a GOP: no sync packet tells. */
static void decode_times_that_go_back_begin_a_stretch(void **state)
{
	struct packets s = {0};

	(void)state;
	add_gop(&s, 1000, 13);
	add_gop(&s, 1000, 10);
	s.p[13].flags = 0;
	assert_true(clock_join(s.p, s.n, &file));
	assert_even(&s);
}

static void without_decode_times_a_sync_packet_tells(void **state)
{
	struct packets s = {0};

	(void)state;
	add_gop(&s, 1000, 4);
	add_gop(&s, 1000 + 4 * FRAME, 4);
	add_gop(&s, 1000, 10);
	s.p[8].flags = 0;
	assert_true(clock_join(s.p, s.n, &bare));
	assert_even(&s);
}

static void a_codec_that_does_not_reorder_tells_by_itself(void **state)
{
	const struct clock_rules plain = {.tenth = 100};
	struct packets s = {0};

	(void)state;
	for (int part = 0; part < 3; part++) {
		for (int i = 0; i < 5; i++)
			add(&s, i * FRAME, TABLE_NOPTS, part == 0 && i == 0 ? TABLE_KEY : 0);
	}
	/* A reference that is never shown has a time of its own. */
	add(&s, 7, TABLE_NOPTS, TABLE_HIDDEN);
	add(&s, 5 * FRAME, TABLE_NOPTS, 0);
	assert_true(clock_join(s.p, s.n, &plain));
	assert_even(&s);
}

static void a_leap_is_a_break_where_it_means_one(void **state)
{
	struct packets s = {0}, before;

	(void)state;
	add_gop(&s, 1000, 13);
	add_gop(&s, 1000 + 3600 * 1000, 13);
	before = s;
	assert_false(clock_join(s.p, s.n, &file));
	assert_memory_equal(&s, &before, sizeof(s));
	assert_true(clock_join(s.p, s.n, &stream));
	assert_even(&s);
}

static void a_still_of_ten_seconds_is_none(void **state)
{
	struct packets s = {0};

	(void)state;
	add_gop(&s, 1000, 13);
	add_gop(&s, 1000 + 13 * FRAME + 10000 - 2 * FRAME, 13);
	assert_false(clock_join(s.p, s.n, &stream));
}

/* A gap in the second part is a gap, also after that has been moved. */
static void what_follows_a_break_keeps_its_distances(void **state)
{
	struct packets s = {0};

	(void)state;
	add_gop(&s, 0, 4);
	add_gop(&s, 0, 4);
	add_gop(&s, 5000, 4);
	assert_true(clock_join(s.p, s.n, &stream));
	assert_int_equal(s.p[4].pts, 4 * FRAME);
	assert_int_equal(s.p[8].pts, 4 * FRAME + 5000);
}

/* What an edit list cuts out shares its times with what is shown before it. */
static void an_edit_list_is_no_break(void **state)
{
	struct packets s = {0}, before;

	(void)state;
	add_gop(&s, 0, 13);
	add_gop(&s, 7 * FRAME, 13);
	for (unsigned i = 13; i < s.n; i++) {
		if (s.p[i].pts < 13 * FRAME)
			s.p[i].flags |= TABLE_HIDDEN;
	}
	before = s;
	assert_false(clock_join(s.p, s.n, &file));
	assert_memory_equal(&s, &before, sizeof(s));
}

static void an_edit_list_may_show_two_frames_at_one_time(void **state)
{
	struct packets s = {0};

	(void)state;
	add_gop(&s, 0, 13);
	add_gop(&s, 7 * FRAME, 13);
	for (unsigned i = 13; i < s.n; i++) {
		if (s.p[i].pts < 12 * FRAME)
			s.p[i].flags |= TABLE_HIDDEN;
	}
	assert_false(clock_join(s.p, s.n, &file));
}

static void a_stored_duration_is_how_long_the_last_one_lasts(void **state)
{
	struct packets s = {0};

	(void)state;
	add(&s, 0, 0, TABLE_KEY);
	add(&s, FRAME, FRAME, 0);
	s.p[1].duration = 70;
	add(&s, 0, 0, TABLE_KEY);
	assert_true(clock_join(s.p, s.n, &file));
	assert_int_equal(s.p[2].pts, FRAME + 70);
}

static void impossible_times_are_left_alone(void **state)
{
	struct packets s = {0}, before;

	(void)state;
	assert_false(clock_join(s.p, 0, &stream));
	add(&s, INT64_MAX, INT64_MAX, TABLE_KEY);
	add(&s, INT64_MIN + 1, INT64_MIN + 1, TABLE_KEY);
	add(&s, 0, TABLE_NOPTS, TABLE_KEY);
	before = s;
	assert_false(clock_join(s.p, s.n, &stream));
	assert_memory_equal(&s, &before, sizeof(s));
	s.n = 0;
	add(&s, TABLE_NOPTS, 5, TABLE_KEY);
	add(&s, TABLE_NOPTS, 0, TABLE_KEY);
	assert_false(clock_join(s.p, s.n, &stream));
}

/* Whatever they are: no stretch is shown before the one that precedes it. */
static void random_times_come_out_in_order(void **state)
{
	uint32_t seed = 99;

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct packets s = {0};
		int64_t shown = INT64_MIN;

		for (int gop = 0; gop < 6; gop++) {
			seed = seed * 1664525 + 1013904223;
			add_gop(&s, (seed >> 8) % 20000, 1 + 3 * ((seed >> 4) % 3));
		}
		clock_join(s.p, s.n, &stream);
		for (uint32_t i = 0; i < s.n;) {
			int64_t last = INT64_MIN;

			do {
				assert_true(s.p[i].pts > shown);
				last = s.p[i].pts > last ? s.p[i].pts : last;
			} while (++i < s.n && !(s.p[i].flags & TABLE_KEY));
			shown = last;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_clock_stays_as_it_is),
		cmocka_unit_test(a_clock_that_starts_again_goes_on),
		cmocka_unit_test(parts_of_one_frame_follow_each_other),
		cmocka_unit_test(decode_times_that_go_back_begin_a_stretch),
		cmocka_unit_test(without_decode_times_a_sync_packet_tells),
		cmocka_unit_test(a_codec_that_does_not_reorder_tells_by_itself),
		cmocka_unit_test(a_leap_is_a_break_where_it_means_one),
		cmocka_unit_test(a_still_of_ten_seconds_is_none),
		cmocka_unit_test(what_follows_a_break_keeps_its_distances),
		cmocka_unit_test(an_edit_list_is_no_break),
		cmocka_unit_test(an_edit_list_may_show_two_frames_at_one_time),
		cmocka_unit_test(a_stored_duration_is_how_long_the_last_one_lasts),
		cmocka_unit_test(impossible_times_are_left_alone),
		cmocka_unit_test(random_times_come_out_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
