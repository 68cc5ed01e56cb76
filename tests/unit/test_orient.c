/* Orientations out of matrices and SEI messages that may say anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libavcodec/codec_par.h>

#include "worker/orient.h"
#include "worker/sei.h"

#define ONE 65536

static void assert_orientation(struct orientation o, uint32_t degrees, bool mirrored)
{
	assert_int_equal(o.degrees, degrees);
	assert_int_equal(o.mirrored, mirrored);
}

/* A 3 x 2 picture of six colours, as the eight ways show it. */
static void pixels_go_where_they_belong(void **state)
{
	static const struct {
		struct orientation o;
		const char *shown;      /* rows one after the other */
	} cases[] = {
		{{0, false}, "abcdef"}, {{90, false}, "daebfc"},
		{{180, false}, "fedcba"}, {{270, false}, "cfbead"},
		{{0, true}, "cbafed"}, {{90, true}, "fcebda"},
		{{180, true}, "defabc"}, {{270, true}, "adbecf"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t width = orient_swaps_sides(cases[i].o) ? 2 : 3;
		uint8_t src[2 * 10] = {0}, dst[3 * 10] = {0};

		for (int k = 0; k < 6; k++)
			memset(src + k / 3 * 10 + k % 3 * 3, 'a' + k, 3);
		orient_rgb(src, 10, 2, 3, cases[i].o, dst, 10);
		for (uint32_t k = 0; k < 6; k++)
			for (uint32_t c = 0; c < 3; c++)
				assert_int_equal(dst[k / width * 10 + k % width * 3 + c],
				                 cases[i].shown[k]);
	}
}

static struct orientation of_matrix(int32_t a, int32_t b, int32_t c, int32_t d)
{
	const int32_t matrix[9] = {a, b, 0, c, d, 0, 0, 0, 1 << 30};

	return orient_of_matrix(matrix);
}

static void matrices_are_told_apart(void **state)
{
	(void)state;
	assert_orientation(of_matrix(ONE, 0, 0, ONE), 0, false);
	assert_orientation(of_matrix(0, ONE, -ONE, 0), 90, false);
	assert_orientation(of_matrix(-ONE, 0, 0, -ONE), 180, false);
	assert_orientation(of_matrix(0, -ONE, ONE, 0), 270, false);
	assert_orientation(of_matrix(-ONE, 0, 0, ONE), 0, true);
	assert_orientation(of_matrix(0, -ONE, -ONE, 0), 90, true);
	assert_orientation(of_matrix(ONE, 0, 0, -ONE), 180, true);
	assert_orientation(of_matrix(0, ONE, ONE, 0), 270, true);
	/* stretched, nearly so, between quarter turns, without a size */
	assert_orientation(of_matrix(0, 3 * ONE, ONE, 0), 270, true);
	assert_orientation(of_matrix(ONE, 500, -500, ONE), 0, false);
	assert_orientation(of_matrix(ONE, ONE, -ONE, ONE), 0, false);
	assert_orientation(of_matrix(ONE, ONE, ONE, -ONE), 0, false);
	assert_orientation(of_matrix(0, 0, 0, 0), 0, false);
	assert_orientation(of_matrix(INT32_MIN, 0, 0, INT32_MAX), 0, true);
}

static void turns_are_brought_into_a_circle(void **state)
{
	(void)state;
	assert_orientation(orient_make(-90.0, false), 270, false);
	assert_orientation(orient_make(359.5, true), 0, true);
	assert_orientation(orient_make(720.0 + 90.2, false), 90, false);
	assert_orientation(orient_make(45.0, true), 0, false);
	assert_orientation(orient_make(0.0 / 0.0, true), 0, false);
}

static struct orientation ask(enum AVCodecID codec, const uint8_t *extradata, size_t extra,
                              const uint8_t *packet, size_t size)
{
	AVCodecParameters par = {.codec_id = codec, .extradata_size = (int)extra};
	/* not one byte more than there is, so that a sanitizer sees */
	uint8_t *exact = malloc(size ? size : 1), *exact_extra = malloc(extra ? extra : 1);
	struct orientation o;

	assert_non_null(exact);
	assert_non_null(exact_extra);
	memcpy(exact, packet, size);
	memcpy(exact_extra, extradata, extra);
	par.extradata = exact_extra;
	o = sei_orientation(&par, exact, size);
	free(exact);
	free(exact_extra);
	return o;
}

/* An avcC with lengths of four bytes, as far as it is looked at. */
static const uint8_t avcc[] = {1, 100, 0, 10, 0xff, 0xe0, 0};
/* ver_flip and 0x8000 with its zeros escaped, behind a message of another kind. */
static const uint8_t sized[] = {0, 0, 0, 2, 9, 0xf0,
                                0, 0, 0, 14, 6, 5, 3, 1, 2, 3, 47, 4, 0x30, 0, 0, 3, 1, 0x80,
                                0, 0, 0, 2, 0x65, 0x88};

static void a_message_among_others_is_found(void **state)
{
	static const uint8_t annex_b[] = {0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 6, 47, 3, 0x48, 0, 8, 0x80,
	                                  0, 0, 1, 0x65};
	static const uint8_t cancelled[] = {0, 0, 1, 6, 47, 3, 0xc8, 0, 8, 0x80};
	static const uint8_t hevc[] = {0, 0, 1, 0x4e, 1, 47, 3, 0x48, 0, 0x18, 0x80};
	uint8_t hvcc[23 + 5 + 8] = {1};

	(void)state;
	assert_orientation(ask(AV_CODEC_ID_H264, avcc, sizeof(avcc), sized, sizeof(sized)), 0, true);
	assert_orientation(ask(AV_CODEC_ID_H264, avcc, 0, annex_b, sizeof(annex_b)), 270, true);
	assert_orientation(ask(AV_CODEC_ID_H264, avcc, 0, cancelled, sizeof(cancelled)), 0, false);
	assert_orientation(ask(AV_CODEC_ID_HEVC, avcc, 0, hevc, sizeof(hevc)), 270, true);
	assert_orientation(ask(AV_CODEC_ID_VP9, avcc, 0, annex_b, sizeof(annex_b)), 0, false);
	/* in the record of parameter sets */
	hvcc[21] = 3;
	hvcc[22] = 1;
	hvcc[23] = 39;
	hvcc[25] = 1;
	hvcc[27] = 8;
	memcpy(hvcc + 28, hevc + 3, 8);
	assert_orientation(ask(AV_CODEC_ID_HEVC, hvcc, sizeof(hvcc), sized, 0), 270, true);
}

static void cut_and_changed_bytes_are_survived(void **state)
{
	uint8_t changed[sizeof(sized)], extra[sizeof(avcc)];
	unsigned seed = 11;

	(void)state;
	for (size_t n = 0; n <= sizeof(sized); n++)
		(void)ask(AV_CODEC_ID_H264, avcc, sizeof(avcc), sized, n);
	for (int i = 0; i < 100000; i++) {
		memcpy(changed, sized, sizeof(sized));
		memcpy(extra, avcc, sizeof(avcc));
		changed[(size_t)rand_r(&seed) % sizeof(sized)] = (uint8_t)rand_r(&seed);
		changed[(size_t)rand_r(&seed) % sizeof(sized)] = (uint8_t)rand_r(&seed);
		extra[(size_t)rand_r(&seed) % sizeof(avcc)] = (uint8_t)rand_r(&seed);
		(void)ask(i % 2 ? AV_CODEC_ID_H264 : AV_CODEC_ID_HEVC, extra,
		          (size_t)rand_r(&seed) % (sizeof(avcc) + 1), changed,
		          (size_t)rand_r(&seed) % (sizeof(sized) + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pixels_go_where_they_belong),
		cmocka_unit_test(matrices_are_told_apart),
		cmocka_unit_test(turns_are_brought_into_a_circle),
		cmocka_unit_test(a_message_among_others_is_found),
		cmocka_unit_test(cut_and_changed_bytes_are_survived),
	};

	return cmocka_run_group_tests_name("orient", tests, NULL, NULL);
}
