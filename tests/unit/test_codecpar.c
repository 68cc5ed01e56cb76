/* Codec parameters survive the way through bytes; bytes that aren't such are refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libavcodec/avcodec.h>

#include "worker/codecpar.h"

static AVCodecParameters *make(int extradata_size)
{
	AVCodecParameters *p = avcodec_parameters_alloc();

	assert_non_null(p);
	p->codec_type = AVMEDIA_TYPE_VIDEO;
	p->codec_id = AV_CODEC_ID_H264;
	p->codec_tag = 0x31637661;
	p->format = AV_PIX_FMT_YUV420P10LE;
	p->bit_rate = INT64_C(5000000000);
	p->bits_per_coded_sample = 24;
	p->bits_per_raw_sample = 10;
	p->profile = 100;
	p->level = -99;
	p->width = 1920;
	p->height = 1080;
	p->sample_aspect_ratio = (AVRational){4, 3};
	p->field_order = AV_FIELD_TT;
	p->color_range = AVCOL_RANGE_JPEG;
	p->color_primaries = AVCOL_PRI_BT2020;
	p->color_trc = AVCOL_TRC_SMPTE2084;
	p->color_space = AVCOL_SPC_BT2020_NCL;
	p->chroma_location = AVCHROMA_LOC_TOPLEFT;
	p->video_delay = 2;
	if (extradata_size) {
		p->extradata = av_mallocz((size_t)extradata_size + AV_INPUT_BUFFER_PADDING_SIZE);
		assert_non_null(p->extradata);
		p->extradata_size = extradata_size;
		for (int i = 0; i < extradata_size; i++)
			p->extradata[i] = (uint8_t)(i * 7 + 1);
	}
	return p;
}

static void assert_same(const AVCodecParameters *a, const AVCodecParameters *b)
{
	static const uint8_t zeros[AV_INPUT_BUFFER_PADDING_SIZE];

	assert_int_equal(a->codec_type, b->codec_type);
	assert_int_equal(a->codec_id, b->codec_id);
	assert_int_equal(a->codec_tag, b->codec_tag);
	assert_int_equal(a->format, b->format);
	assert_true(a->bit_rate == b->bit_rate);
	assert_int_equal(a->bits_per_coded_sample, b->bits_per_coded_sample);
	assert_int_equal(a->bits_per_raw_sample, b->bits_per_raw_sample);
	assert_int_equal(a->profile, b->profile);
	assert_int_equal(a->level, b->level);
	assert_int_equal(a->width, b->width);
	assert_int_equal(a->height, b->height);
	assert_int_equal(av_cmp_q(a->sample_aspect_ratio, b->sample_aspect_ratio), 0);
	assert_int_equal(a->field_order, b->field_order);
	assert_int_equal(a->color_range, b->color_range);
	assert_int_equal(a->color_primaries, b->color_primaries);
	assert_int_equal(a->color_trc, b->color_trc);
	assert_int_equal(a->color_space, b->color_space);
	assert_int_equal(a->chroma_location, b->chroma_location);
	assert_int_equal(a->video_delay, b->video_delay);
	assert_int_equal(a->extradata_size, b->extradata_size);
	if (a->extradata_size) {
		assert_memory_equal(a->extradata, b->extradata, (size_t)a->extradata_size);
		assert_memory_equal(b->extradata + b->extradata_size, zeros, sizeof(zeros));
	}
}

static void parameters_survive(void **state)
{
	static const int sizes[] = {0, 1, 39, 5000, 1000000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		AVCodecParameters *in = make(sizes[i]), *out = NULL;
		size_t cap = 1 << 20, len = 0;
		uint8_t *bytes = malloc(cap);

		assert_non_null(bytes);
		assert_int_equal(codecpar_pack(in, bytes, cap, &len), 0);
		assert_true(len >= (size_t)sizes[i] && len < (size_t)sizes[i] + 256);
		assert_int_equal(codecpar_unpack(bytes, len, &out), 0);
		assert_same(in, out);
		avcodec_parameters_free(&out);
		avcodec_parameters_free(&in);
		free(bytes);
	}
}

static void what_does_not_fit_is_refused(void **state)
{
	AVCodecParameters *p = make(100);
	uint8_t bytes[1024];
	size_t len = 0;

	(void)state;
	assert_int_equal(codecpar_pack(p, bytes, sizeof(bytes), &len), 0);
	for (size_t cap = 0; cap < len; cap++) {
		uint8_t *exact = malloc(cap ? cap : 1);
		size_t ignored = 123;

		assert_int_equal(codecpar_pack(p, exact, cap, &ignored), -EBADMSG);
		assert_int_equal(ignored, 123);
		free(exact);
	}
	p->codec_type = AVMEDIA_TYPE_AUDIO;
	assert_int_equal(codecpar_pack(p, bytes, sizeof(bytes), &len), -EBADMSG);
	avcodec_parameters_free(&p);
}

static void wrong_lengths_are_refused(void **state)
{
	AVCodecParameters *p = make(100), *out = NULL;
	uint8_t bytes[1024] = {0};
	size_t len = 0;

	(void)state;
	assert_int_equal(codecpar_pack(p, bytes, sizeof(bytes), &len), 0);
	for (size_t n = 0; n < sizeof(bytes); n++) {
		if (n == len)
			continue;
		assert_int_equal(codecpar_unpack(bytes, n, &out), -EBADMSG);
		assert_null(out);
	}
	avcodec_parameters_free(&p);
}

/* Another major version of libavcodec numbers codecs and formats differently. */
static void another_version_is_refused(void **state)
{
	AVCodecParameters *p = make(0), *out = NULL;
	uint8_t bytes[256];
	size_t len = 0;

	(void)state;
	assert_int_equal(codecpar_pack(p, bytes, sizeof(bytes), &len), 0);
	bytes[8]++;     /* the low byte of the magic, which is the version */
	assert_int_equal(codecpar_unpack(bytes, len, &out), -EBADMSG);
	avcodec_parameters_free(&p);
}

static void bytes_changed_are_survived(void **state)
{
	AVCodecParameters *p = make(50);
	uint8_t bytes[512], changed[512];
	size_t len = 0;
	unsigned seed = 1;

	(void)state;
	assert_int_equal(codecpar_pack(p, bytes, sizeof(bytes), &len), 0);
	for (int i = 0; i < 20000; i++) {
		AVCodecParameters *out = NULL;
		int err;

		memcpy(changed, bytes, len);
		for (int j = 0; j < 3; j++)
			changed[(size_t)rand_r(&seed) % len] = (uint8_t)rand_r(&seed);
		err = codecpar_unpack(changed, len, &out);
		assert_true(err == 0 || err == -EBADMSG);
		if (!err)
			assert_int_equal(out->extradata_size, 50);
		avcodec_parameters_free(&out);
	}
	avcodec_parameters_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_survive),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(wrong_lengths_are_refused),
		cmocka_unit_test(another_version_is_refused),
		cmocka_unit_test(bytes_changed_are_survived),
	};

	return cmocka_run_group_tests_name("codecpar", tests, NULL, NULL);
}
