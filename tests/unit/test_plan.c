/* Which frames are the rows, and from where they are decoded. Expected rows are
 * worked out by hand, or by a direct search over all frames. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/plan.h"

/* A table of n packets in decode order, time base 1/1000, to be filled. */
static struct table_head *table(uint32_t n)
{
	struct table_head *t = calloc(1, sizeof(*t) + n * sizeof(struct table_packet));
	struct table_packet *p;

	assert_non_null(t);
	t->magic = TABLE_MAGIC;
	t->object_size = 1u << 30;
	t->n_packets = n;
	t->audio_stream = -1;
	t->time_base_num = 1;
	t->time_base_den = 1000;
	t->width = 64;
	t->height = 48;
	p = (struct table_packet *)(uintptr_t)table_packets(t);
	for (uint32_t j = 0; j < n; j++)
		p[j] = (struct table_packet){ .pts = 40 * j, .dts = 40 * j, .pos = 100 * j, .size = 100, .duration = 40 };
	return t;
}

static struct table_packet *packets(struct table_head *t)
{
	return (struct table_packet *)(uintptr_t)table_packets(t);
}

static struct plan *make(const struct table_head *t, enum sampling sampling, uint32_t n)
{
	const struct frames_spec s = { .sampling = sampling, .num_frames = n };
	struct plan *p = NULL;
	char why[256];

	assert_int_equal(plan_make(t, &s, why, &p), 0);
	return p;
}

static void uniform_rows_lie_in_the_middle_of_equal_segments(void **state)
{
	struct table_head *t = table(10);
	struct plan *p;
	static const uint32_t expected[] = { 1, 3, 6, 8 };  /* 10 frames, middles at 1.25, 3.75, 6.25, 8.75 */

	(void)state;
	packets(t)[0].flags = TABLE_KEY;
	p = make(t, SAMPLING_UNIFORM, 4);
	assert_int_equal(p->n_rows, 4);
	assert_int_equal(p->duration, 400);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(p->rows[i].ordinal, expected[i]);
		assert_int_equal(p->rows[i].sync, 0);
	}
	free(p);
	free(t);
}

/* A middle that falls exactly on a frame's pts takes that frame: where doubles go wrong. */
static void uniform_is_exact_on_frame_boundaries(void **state)
{
	(void)state;
	for (uint32_t n = 32; n <= 32 * 20; n += 32) {
		struct table_head *t = table(n);
		struct plan *p;

		packets(t)[0].flags = TABLE_KEY;
		for (uint32_t j = 0; j < n; j++) {
			packets(t)[j].pts = 1001 * j;
			packets(t)[j].duration = 1001;
		}
		p = make(t, SAMPLING_UNIFORM, 16);
		for (uint32_t i = 0; i < 16; i++)
			assert_int_equal(p->rows[i].ordinal, (2 * i + 1) * (n / 32));
		free(p);
		free(t);
	}
}

static void uniform_follows_variable_frame_rates(void **state)
{
	static const int64_t pts[] = { 0, 10, 20, 500, 900, 910 };
	struct table_head *t = table(6);
	struct plan *p;

	(void)state;
	packets(t)[0].flags = TABLE_KEY;
	for (uint32_t j = 0; j < 6; j++)
		packets(t)[j].pts = pts[j];
	packets(t)[5].duration = 90;  /* ends at 1000 */
	p = make(t, SAMPLING_UNIFORM, 4);  /* 125, 375, 625, 875 */
	assert_int_equal(p->rows[0].pts, 20);
	assert_int_equal(p->rows[1].pts, 20);
	assert_int_equal(p->rows[1].first, 0);
	assert_int_equal(p->rows[2].pts, 500);
	assert_int_equal(p->rows[3].pts, 500);
	assert_int_equal(p->rows[3].first, 2);
	free(p);
	free(t);
}

static void the_last_gap_stands_in_for_a_duration_that_is_not_stored(void **state)
{
	struct table_head *t = table(3);
	struct plan *p;

	(void)state;
	packets(t)[0].flags = TABLE_KEY;
	packets(t)[2].pts = 100;
	packets(t)[2].duration = 0;
	p = make(t, SAMPLING_UNIFORM, 2);
	assert_int_equal(p->duration, 160);  /* 100 + (100 - 40) */
	free(p);
	free(t);
}

static void linspace_is_floor_of_exact_fractions(void **state)
{
	struct table_head *t = table(10);
	struct plan *p;
	static const uint32_t expected[] = { 0, 2, 4, 6, 9 };

	(void)state;
	packets(t)[0].flags = TABLE_KEY;
	p = make(t, SAMPLING_LINSPACE, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(p->rows[i].ordinal, expected[i]);
	free(p);
	p = make(t, SAMPLING_LINSPACE, 1);
	assert_int_equal(p->rows[0].ordinal, 0);
	free(p);
	free(t);
}

static void short_clips_repeat_frames(void **state)
{
	struct table_head *t = table(1);
	struct plan *p;

	(void)state;
	packets(t)[0].flags = TABLE_KEY;
	p = make(t, SAMPLING_UNIFORM, 16);
	for (uint32_t i = 0; i < 16; i++) {
		assert_int_equal(p->rows[i].ordinal, 0);
		assert_int_equal(p->rows[i].first, 0);
	}
	free(p);
	free(t);
}

/* IBBP in decode order: I0 P3 B1 B2 P6 B4 B5, then an open GOP: I9 B7 B8. */
static struct table_head *open_gop(void)
{
	static const int64_t order[] = { 0, 3, 1, 2, 6, 4, 5, 9, 7, 8 };
	struct table_head *t = table(10);

	for (uint32_t j = 0; j < 10; j++)
		packets(t)[j].pts = 40 * order[j];
	packets(t)[0].flags = packets(t)[7].flags = TABLE_KEY;
	return t;
}

static void decoding_starts_at_the_last_sync_packet_not_shown_later(void **state)
{
	struct table_head *t = open_gop();
	struct plan *p = make(t, SAMPLING_ALL, 0);

	(void)state;
	assert_int_equal(p->n_rows, 10);
	assert_int_equal(p->reorder, 1);
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(p->rows[i].pts, 40 * i);
		/* Frames 7 and 8 come after I9 in the file, but need the GOP before. */
		assert_int_equal(p->rows[i].sync, i == 9 ? 7 : 0);
	}
	free(p);
	free(t);
}

static void frames_before_the_first_sync_packet_are_not_shown(void **state)
{
	struct table_head *t = open_gop();
	struct plan *p;

	(void)state;
	packets(t)[0].flags = 0;  /* cut out of a longer stream: only I9 decodes */
	p = make(t, SAMPLING_ALL, 0);
	assert_int_equal(p->n_shown, 1);
	assert_int_equal(p->rows[0].pts, 360);
	free(p);
	free(t);
}

static void hidden_packets_are_decoded_from_but_not_shown(void **state)
{
	struct table_head *t = table(10);
	struct plan *p;

	(void)state;
	packets(t)[0].flags = TABLE_KEY | TABLE_HIDDEN;
	for (uint32_t j = 1; j < 4; j++)
		packets(t)[j].flags = TABLE_HIDDEN;
	p = make(t, SAMPLING_UNIFORM, 1);
	assert_int_equal(p->n_shown, 6);
	assert_int_equal(p->start, 160);
	assert_int_equal(p->rows[0].pts, 280);
	assert_int_equal(p->rows[0].sync, 0);
	free(p);
	/* The only sync packet is hidden: the first shown frame stands in, exactly. */
	p = make(t, SAMPLING_KEYFRAMES, 2);
	assert_int_equal(p->rows[0].pts, 160);
	assert_int_equal(p->rows[1].pts, 160);
	free(p);
	free(t);
}

static void keyframes_are_the_nearest_at_or_before(void **state)
{
	struct table_head *t = table(20);
	struct plan *p;
	static const uint32_t expected[] = { 0, 5, 10, 15 };  /* middles 2.5, 7.5, 12.5, 17.5 */

	(void)state;
	for (uint32_t j = 0; j < 20; j += 5)
		packets(t)[j].flags = TABLE_KEY;
	p = make(t, SAMPLING_KEYFRAMES, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(p->rows[i].packet, expected[i]);
		assert_int_equal(p->rows[i].sync, expected[i]);
	}
	free(p);
	free(t);
}

static void without_pts_output_order_counts_from_the_first_packet(void **state)
{
	struct table_head *t = table(8);
	struct plan *p;

	(void)state;
	packets(t)[0].flags = packets(t)[4].flags = TABLE_KEY;
	packets(t)[3].pts = TABLE_NOPTS;
	p = make(t, SAMPLING_UNIFORM, 4);
	assert_true(p->by_ordinal);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(p->rows[i].ordinal, 2 * i + 1);
		assert_int_equal(p->rows[i].sync, 0);
		assert_true(p->rows[i].pts == TABLE_NOPTS);
	}
	free(p);
	free(t);
}

static void what_cannot_be_shown_is_an_error_with_a_sentence(void **state)
{
	const struct frames_spec s = { .sampling = SAMPLING_UNIFORM, .num_frames = 4 };
	struct table_head *t = table(3);
	struct plan *p = NULL;
	char why[256] = "";

	(void)state;
	assert_int_equal(plan_make(t, &s, why, &p), -EBADMSG);  /* no sync packet at all */
	assert_true(strlen(why) > 0);
	t->video_stream = -1;
	assert_int_equal(plan_make(t, &s, why, &p), -ENODATA);
	assert_null(p);
	free(t);
}

/* Random orders and flags, against the definition applied frame by frame. */
static void random_tables_agree_with_the_definition(void **state)
{
	uint32_t seed = 12345;

	(void)state;
	for (int round = 0; round < 300; round++) {
		uint32_t n = 1 + (seed = seed * 1664525 + 1013904223) / 7 % 60;
		struct table_head *t = table(n);
		struct table_packet *k = packets(t);
		struct plan *p = NULL;
		const struct frames_spec s = { .sampling = SAMPLING_ALL };
		char why[256];
		uint32_t shown = 0;

		for (uint32_t j = 0; j < n; j++) {
			seed = seed * 1664525 + 1013904223;
			k[j].pts = 40 * (int64_t)j + (int64_t)((seed >> 8) % 7) * 40 * 60 - 3 * 40 * 60 + (int64_t)j;
			k[j].flags = (seed >> 20) % 5 == 0 ? TABLE_KEY : 0;
			k[j].flags |= (seed >> 24) % 9 == 0 ? TABLE_HIDDEN : 0;
		}
		int err = plan_make(t, &s, why, &p);
		for (uint32_t j = 0; j < n; j++) {
			int64_t sync = -1;
			for (uint32_t i = 0; i <= j; i++)
				if (k[i].flags & TABLE_KEY && k[i].pts <= k[j].pts)
					sync = i;
			if (sync < 0 || k[j].flags & TABLE_HIDDEN)
				continue;
			shown++;
			assert_int_equal(err, 0);
			uint32_t r = 0;
			while (r < p->n_rows && p->rows[r].packet != j)
				r++;
			assert_true(r < p->n_rows);
			assert_int_equal(p->rows[r].sync, sync);
			assert_int_equal(p->rows[r].pts, k[j].pts);
		}
		if (shown == 0)
			assert_int_equal(err, -EBADMSG);
		else
			assert_int_equal(p->n_rows, shown);
		for (uint32_t r = 1; p && r < p->n_rows; r++)
			assert_true(p->rows[r - 1].pts < p->rows[r].pts);
		free(p);
		free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uniform_rows_lie_in_the_middle_of_equal_segments),
		cmocka_unit_test(uniform_is_exact_on_frame_boundaries),
		cmocka_unit_test(uniform_follows_variable_frame_rates),
		cmocka_unit_test(the_last_gap_stands_in_for_a_duration_that_is_not_stored),
		cmocka_unit_test(linspace_is_floor_of_exact_fractions),
		cmocka_unit_test(short_clips_repeat_frames),
		cmocka_unit_test(decoding_starts_at_the_last_sync_packet_not_shown_later),
		cmocka_unit_test(frames_before_the_first_sync_packet_are_not_shown),
		cmocka_unit_test(hidden_packets_are_decoded_from_but_not_shown),
		cmocka_unit_test(keyframes_are_the_nearest_at_or_before),
		cmocka_unit_test(without_pts_output_order_counts_from_the_first_packet),
		cmocka_unit_test(what_cannot_be_shown_is_an_error_with_a_sentence),
		cmocka_unit_test(random_tables_agree_with_the_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
