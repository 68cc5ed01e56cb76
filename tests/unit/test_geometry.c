/* Expected sizes and offsets were computed with Python from torchvision's
 * documented rules: Resize(size) gives the short side `size` and the long one
 * int(size * long / short); CenterCrop starts at int(round((h - size) / 2.0)). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "media/geometry.h"

struct example {
	uint32_t src_h, src_w;
	uint32_t height, width;
	struct geometry g;
};

static void check(const struct example *examples, size_t n, enum resize_mode mode)
{
	for (size_t i = 0; i < n; i++) {
		const struct example *e = &examples[i];
		struct frames_spec spec = {.height = e->height, .width = e->width, .resize = mode};
		struct geometry g;

		assert_int_equal(geometry_make(e->src_h, e->src_w, &spec, &g), 0);
		assert_memory_equal(&g, &e->g, sizeof(g));
	}
}

static void crop_covers_the_row(void **state)
{
	/* {row}, {resized}, {crop}, {region}, {pad} */
	static const struct example examples[] = {
		{720, 1280, 224, 224, {224, 224, 224, 398, 0, 87, 224, 224, 0, 0}},
		{1280, 720, 224, 224, {224, 224, 398, 224, 87, 0, 224, 224, 0, 0}},
		{1080, 1920, 224, 224, {224, 224, 224, 398, 0, 87, 224, 224, 0, 0}},
		{480, 640, 224, 224, {224, 224, 224, 298, 0, 37, 224, 224, 0, 0}},
		{224, 224, 224, 224, {224, 224, 224, 224, 0, 0, 224, 224, 0, 0}},
		{100, 101, 50, 50, {50, 50, 50, 50, 0, 0, 50, 50, 0, 0}},
		{720, 1280, 224, 320, {224, 320, 224, 398, 0, 39, 224, 320, 0, 0}},
		{720, 1280, 320, 224, {320, 224, 320, 568, 0, 172, 320, 224, 0, 0}},
		{1, 16384, 224, 224, {224, 224, 224, 3670016, 0, 1834896, 224, 224, 0, 0}},
		{16384, 16384, 16384, 1, {16384, 1, 16384, 16384, 0, 8192, 16384, 1, 0, 0}},
	};

	(void)state;
	check(examples, sizeof(examples) / sizeof(examples[0]), RESIZE_CROP);
}

static void odd_differences_round_half_to_even(void **state)
{
	/* round(0.5) is 0, round(1.5) is 2, round(2.5) is 2, round(3.5) is 4 */
	static const uint32_t offsets[] = {0, 0, 1, 2, 2, 2, 3, 4, 4};

	(void)state;
	for (uint32_t d = 0; d < sizeof(offsets) / sizeof(offsets[0]); d++) {
		struct frames_spec spec = {.height = 100, .width = 100, .resize = RESIZE_CROP};
		struct geometry g;

		assert_int_equal(geometry_make(100, 100 + d, &spec, &g), 0);
		assert_int_equal(g.resized_width, 100 + d);
		assert_int_equal(g.crop_left, offsets[d]);
	}
}

static void pad_fits_inside(void **state)
{
	static const struct example examples[] = {
		{720, 1280, 224, 224, {224, 224, 126, 224, 0, 0, 126, 224, 49, 0}},
		{1280, 720, 224, 224, {224, 224, 224, 126, 0, 0, 224, 126, 0, 49}},
		{480, 641, 224, 224, {224, 224, 167, 224, 0, 0, 167, 224, 28, 0}},
		{224, 224, 224, 224, {224, 224, 224, 224, 0, 0, 224, 224, 0, 0}},
		{1, 1000, 64, 64, {64, 64, 1, 64, 0, 0, 1, 64, 31, 0}},
		{1000, 1, 64, 64, {64, 64, 64, 1, 0, 0, 64, 1, 0, 31}},
	};

	(void)state;
	check(examples, sizeof(examples) / sizeof(examples[0]), RESIZE_PAD);
}

static void stretch_is_exact(void **state)
{
	static const struct example examples[] = {
		{720, 1280, 224, 320, {224, 320, 224, 320, 0, 0, 224, 320, 0, 0}},
		{1, 1, 16384, 16384, {16384, 16384, 16384, 16384, 0, 0, 16384, 16384, 0, 0}},
	};

	(void)state;
	check(examples, sizeof(examples) / sizeof(examples[0]), RESIZE_STRETCH);
}

static void native_keeps_the_source(void **state)
{
	(void)state;
	for (uint32_t mode = RESIZE_CROP; mode <= RESIZE_PAD; mode++) {
		const struct example e = {181, 321, 0, 0, {181, 321, 181, 321, 0, 0, 181, 321, 0, 0}};

		check(&e, 1, (enum resize_mode)mode);
	}
}

/* Whatever the sizes, the region lies inside of both the resized image and the row. */
static void regions_always_fit(void **state)
{
	static const uint32_t sides[] = {1, 2, 3, 7, 64, 223, 224, 1080, 4097, 16383, 16384};
	enum { N = sizeof(sides) / sizeof(sides[0]) };

	(void)state;
	for (size_t i = 0; i < (size_t)N * N * N * N * 3; i++) {
		struct frames_spec spec = {
			.height = sides[i % N],
			.width = sides[i / N % N],
			.resize = (uint32_t)(i / N / N / N / N),
		};
		struct geometry g;

		assert_int_equal(geometry_make(sides[i / N / N % N], sides[i / N / N / N % N], &spec, &g), 0);
		assert_true(g.region_height >= 1 && g.region_width >= 1);
		assert_true(g.crop_top + g.region_height <= g.resized_height);
		assert_true(g.crop_left + g.region_width <= g.resized_width);
		assert_true(g.pad_top + g.region_height <= g.row_height);
		assert_true(g.pad_left + g.region_width <= g.row_width);
		assert_true(g.row_height == spec.height && g.row_width == spec.width);
	}
}

static void impossible_sizes_are_refused(void **state)
{
	static const struct {
		uint32_t src_h, src_w, height, width, mode;
	} bad[] = {
		{0, 10, 5, 5, RESIZE_CROP}, {10, 0, 5, 5, RESIZE_CROP}, {16385, 10, 5, 5, RESIZE_CROP},
		{10, 16385, 5, 5, RESIZE_CROP}, {10, 10, 0, 5, RESIZE_CROP}, {10, 10, 5, 0, RESIZE_PAD},
		{10, 10, 16385, 5, RESIZE_STRETCH}, {10, 10, 5, UINT32_MAX, RESIZE_CROP},
		{10, 10, 5, 5, 3}, {10, 10, 5, 5, UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct frames_spec spec = {.height = bad[i].height, .width = bad[i].width, .resize = bad[i].mode};
		struct geometry g = {.row_height = 77};

		assert_int_equal(geometry_make(bad[i].src_h, bad[i].src_w, &spec, &g), -EINVAL);
		assert_int_equal(g.row_height, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crop_covers_the_row),
		cmocka_unit_test(odd_differences_round_half_to_even),
		cmocka_unit_test(pad_fits_inside),
		cmocka_unit_test(stretch_is_exact),
		cmocka_unit_test(native_keeps_the_source),
		cmocka_unit_test(regions_always_fit),
		cmocka_unit_test(impossible_sizes_are_refused),
	};

	return cmocka_run_group_tests_name("geometry", tests, NULL, NULL);
}
