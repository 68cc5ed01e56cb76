/* Byte ranges, sorted, merged and cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/ranges.h"

#define SPACE 64 /* bytes that the random test models as flags */

static void expect_merged(struct range *r, size_t n, uint64_t gap, const struct range *want,
                          size_t n_want)
{
	assert_int_equal(ranges_merge(r, n, gap), n_want);
	for (size_t i = 0; i < n_want; i++) {
		assert_int_equal(r[i].off, want[i].off);
		assert_int_equal(r[i].len, want[i].len);
	}
}

static void neighbours_and_overlaps_become_one(void **state)
{
	struct range r[] = { { 30, 10 }, { 0, 10 }, { 10, 5 }, { 32, 3 }, { 38, 4 },
		             { 100, 0 }, { 50, 1 } };
	const struct range want[] = { { 0, 15 }, { 30, 12 }, { 50, 1 } };

	(void)state;
	expect_merged(r, 7, 0, want, 3);
}

static void a_gap_as_cheap_as_a_request_is_read_too(void **state)
{
	struct range r[] = { { 0, 10 }, { 14, 1 }, { 20, 5 } };
	struct range again[] = { { 0, 10 }, { 14, 1 }, { 20, 5 } };
	const struct range at_4[] = { { 0, 15 }, { 20, 5 } };
	const struct range at_5[] = { { 0, 25 } };

	(void)state;
	expect_merged(r, 3, 4, at_4, 2);
	expect_merged(again, 3, 5, at_5, 1);
}

static void nothing_stays_nothing(void **state)
{
	struct range empty = { 5, 0 };

	(void)state;
	assert_int_equal(ranges_merge(NULL, 0, 0), 0);
	assert_int_equal(ranges_merge(&empty, 1, UINT64_MAX), 0);
	assert_int_equal(ranges_total(NULL, 0), 0);
}

static void the_end_of_64_bits_is_not_passed(void **state)
{
	struct range r[] = { { UINT64_MAX - 1, 100 }, { 5, UINT64_MAX }, { UINT64_MAX, 7 },
		             { 0, 1 } };
	const struct range want[] = { { 0, 1 }, { 5, UINT64_MAX - 5 } };

	(void)state;
	expect_merged(r, 4, 0, want, 2);
	assert_int_equal(ranges_total(r, 2), UINT64_MAX - 4);
	r[1].len = UINT64_MAX;
	assert_int_equal(ranges_total(r, 2), UINT64_MAX);
}

static void cutting_gives_the_fewest_pieces(void **state)
{
	struct range r = { 7, 25 };
	struct range piece;
	uint64_t pieces = ranges_pieces(25, 10), off = 7;

	(void)state;
	assert_int_equal(pieces, 3);
	assert_int_equal(ranges_pieces(20, 10), 2);
	assert_int_equal(ranges_pieces(0, 10), 0);
	assert_int_equal(ranges_pieces(UINT64_MAX, 1), UINT64_MAX);
	while (pieces-- > 0) {
		piece = ranges_cut(&r, 10);
		assert_int_equal(piece.off, off);
		assert_int_equal(piece.len, pieces ? 10 : 5);
		off += piece.len;
	}
	assert_int_equal(r.len, 0);
}

/* The merged ranges must cover the bytes of the given ones, and the gaps up to
 * the bound between them, and nothing else. */
static void random_ranges_cover_the_same_bytes(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct range r[8];
		char want[SPACE] = { 0 }, got[SPACE] = { 0 };
		size_t n = 0, last = SPACE;
		uint64_t gap = (uint64_t)(round % 6);

		for (size_t i = 0; i < 8; i++) {
			seed = seed * 1664525 + 1013904223;
			r[i].off = (seed >> 8) % 48;
			r[i].len = (seed >> 20) % 10;
			memset(want + r[i].off, 1, r[i].len);
		}
		for (size_t i = 0; i < SPACE; i++) {
			if (!want[i])
				continue;
			if (last < i && i - last - 1 <= gap)
				memset(want + last, 1, i - last);
			last = i;
		}
		n = ranges_merge(r, 8, gap);
		for (size_t i = 0; i < n; i++) {
			assert_true(r[i].len > 0);
			assert_true(i == 0 || r[i].off > r[i - 1].off + r[i - 1].len + gap);
			memset(got + r[i].off, 1, r[i].len);
		}
		assert_memory_equal(got, want, SPACE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_and_overlaps_become_one),
		cmocka_unit_test(a_gap_as_cheap_as_a_request_is_read_too),
		cmocka_unit_test(nothing_stays_nothing),
		cmocka_unit_test(the_end_of_64_bits_is_not_passed),
		cmocka_unit_test(cutting_gives_the_fewest_pieces),
		cmocka_unit_test(random_ranges_cover_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
