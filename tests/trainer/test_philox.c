/* Random numbers: the published vectors, and what is made of the bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/philox.h"
#include "data/clip.h"
#include "data/order.h"

/* "philox4x32 10" in Random123's kat_vectors: counter, key, result. */
static const uint32_t vectors[][10] = {
	{ 0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 },
	{ 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
	  0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd },
	{ 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
	  0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 },
};

static void the_published_vectors_come_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint32_t result[4];

		philox4x32(vectors[i], vectors[i] + 4, result);
		assert_memory_equal(result, vectors[i] + 6, sizeof(result));
	}
}

static void seed_use_and_both_numbers_each_matter(void **state)
{
	uint32_t bits[5][4];

	(void)state;
	philox_draw(1, PHILOX_ORDER, 2, 3, bits[0]);
	philox_draw(1 + (1ull << 32), PHILOX_ORDER, 2, 3, bits[1]);
	philox_draw(1, PHILOX_AUGMENT, 2, 3, bits[2]);
	philox_draw(1, PHILOX_ORDER, 3, 3, bits[3]);
	philox_draw(1, PHILOX_ORDER, 2, 3 + (1ull << 32), bits[4]);
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(bits[i], bits[j], sizeof(bits[i]));
}

static void numbers_stay_in_their_range(void **state)
{
	(void)state;
	assert_int_equal(philox_below(0, 7), 0);
	assert_int_equal(philox_below(UINT32_MAX, 7), 6);
	assert_int_equal(philox_below(UINT32_MAX, 1), 0);
	assert_true(philox_unit(0) == 0);
	assert_true(philox_unit(UINT32_MAX) < 1);
	assert_true(philox_unit(UINT32_MAX) > 0.9999999f);
}

#define N 1000

static void an_order_is_a_permutation_of_its_own(void **state)
{
	uint32_t list[2][N];
	int seen[N] = { 0 }, same = 0;

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		list[0][i] = list[1][N - 1 - i] = i;
	/* Whatever the list was, the order is the same. */
	assert_int_equal(order_sort(5, PHILOX_ORDER, 1, list[0], N), 0);
	assert_int_equal(order_sort(5, PHILOX_ORDER, 1, list[1], N), 0);
	assert_memory_equal(list[0], list[1], sizeof(list[0]));
	for (int i = 0; i < N; i++)
		seen[list[0][i]]++;
	for (int i = 0; i < N; i++)
		assert_int_equal(seen[i], 1);
	/* Another epoch is another order: on average one place in N agrees by chance. */
	assert_int_equal(order_sort(5, PHILOX_ORDER, 2, list[1], N), 0);
	for (int i = 0; i < N; i++)
		same += list[0][i] == list[1][i];
	assert_true(same < 10);
}

static void leaving_samples_out_leaves_the_others_in_order(void **state)
{
	uint32_t all[N], half[N / 2];
	size_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		all[i] = i;
		half[i / 2] = i / 2 * 2;
	}
	assert_int_equal(order_sort(9, PHILOX_ORDER, 0, all, N), 0);
	assert_int_equal(order_sort(9, PHILOX_ORDER, 0, half, N / 2), 0);
	for (int i = 0; i < N; i++) {
		if (all[i] % 2 == 0)
			assert_int_equal(half[n++], all[i]);
	}
	assert_int_equal(n, N / 2);
}

static void crops_reach_every_place_and_lie_inside(void **state)
{
	const struct clip_spec spec = { .video = true, .t = 1, .h = 10, .w = 12 };
	int rows[4] = { 0 }, columns[7] = { 0 }, flips = 0;
	struct crop centre = order_centre(&spec, 7, 6);

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		struct crop crop = order_crop(3, 0, i, &spec, 7, 6, true);

		assert_in_range(crop.y, 0, 3);
		assert_in_range(crop.x, 0, 6);
		assert_in_range(crop.flip, 0, 1);
		rows[crop.y]++;
		columns[crop.x]++;
		flips += crop.flip;
		assert_int_equal(order_crop(3, 0, i, &spec, 7, 6, false).flip, 0);
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(rows[i], N / 4 - 70, N / 4 + 70);
	for (int i = 0; i < 7; i++)
		assert_in_range(columns[i], N / 7 - 60, N / 7 + 60);
	assert_in_range(flips, N / 2 - 80, N / 2 + 80);
	assert_int_equal(centre.y, 1);
	assert_int_equal(centre.x, 3);
	assert_int_equal(centre.flip, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vectors_come_out),
		cmocka_unit_test(seed_use_and_both_numbers_each_matter),
		cmocka_unit_test(numbers_stay_in_their_range),
		cmocka_unit_test(an_order_is_a_permutation_of_its_own),
		cmocka_unit_test(leaving_samples_out_leaves_the_others_in_order),
		cmocka_unit_test(crops_reach_every_place_and_lie_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
