/* What may be asked for, which askings are the same, and the arrays they give. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "media/spec.h"

static bool same(const struct spec *a, const struct spec *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void what_gives_the_same_values_is_equal(void **state)
{
	struct mfcc_spec m = *spec_mfcc_default(MFCC_LIBROSA), n = m;
	struct frames_spec f = spec_frames_default, g = f;
	struct spec a = spec_mfcc(&m), b;

	(void)state;
	n.fmax = 11025;             /* half of sr, said aloud */
	n.fmin = -0.0;
	n.lifter = -0.0;
	b = spec_mfcc(&n);
	assert_true(same(&a, &b));
	n.sr = 16000;
	b = spec_mfcc(&n);
	assert_false(same(&a, &b));
	assert_true(b.mfcc.fmax == 11025);
	m.top_db = -1;
	n = m;
	n.top_db = -7;
	a = spec_mfcc(&m);
	b = spec_mfcc(&n);
	assert_true(same(&a, &b));

	f.height = f.width = f.square = 0;
	g = f;
	g.resize = RESIZE_PAD;
	a = spec_frames(&f);
	b = spec_frames(&g);
	assert_true(same(&a, &b));
	f.height = f.width = g.height = g.width = 64;
	a = spec_frames(&f);
	b = spec_frames(&g);
	assert_false(same(&a, &b));
}

/* A frames_spec is shorter than the union: what is behind it counts in memcmp. */
static void no_byte_of_a_spec_is_left_to_chance(void **state)
{
	struct spec a, b;

	(void)state;
	memset(&a, 0x55, sizeof(a));
	memset(&b, 0xaa, sizeof(b));
	a = spec_frames(&spec_frames_default);
	b = spec_frames(&spec_frames_default);
	assert_true(same(&a, &b));
	assert_int_equal(a.kind, SPEC_FRAMES);
	assert_int_equal(((const uint8_t *)&a)[sizeof(a) - 1], 0);
}

static void defaults_may_be_asked_for(void **state)
{
	struct spec f = spec_frames(&spec_frames_default);
	struct spec m = spec_mfcc(spec_mfcc_default(MFCC_LIBROSA));
	char why[SPEC_WHY_MAX];

	(void)state;
	assert_int_equal(spec_check(&f, why), 0);
	assert_int_equal(spec_check(&m, why), 0);
	f.kind = 99;
	assert_int_equal(spec_check(&f, why), -EINVAL);
}

#define REFUSED(make, from, type, field, value, sentence)       \
	do {                                                    \
		type changed = (from);                          \
		char why[SPEC_WHY_MAX] = "";                    \
		struct spec s;                                  \
                                                                \
		changed.field = (value);                        \
		s = make(&changed);                             \
		assert_int_equal(spec_check(&s, why), -EINVAL); \
		assert_string_equal(why, sentence);             \
	} while (0)
#define MFCC(field, value, sentence) \
	REFUSED(spec_mfcc, *spec_mfcc_default(MFCC_LIBROSA), struct mfcc_spec, field, value, sentence)
#define FRAMES(field, value, sentence) \
	REFUSED(spec_frames, spec_frames_default, struct frames_spec, field, value, sentence)

static void what_cannot_be_made_is_refused_with_its_key(void **state)
{
	(void)state;
	MFCC(sr, 99, "sr = 99: must be 100 to 768000");
	MFCC(sr, UINT32_MAX, "sr = 4294967295: must be 100 to 768000");
	MFCC(n_fft, 65537, "n_fft = 65537: must be 1 to 65536");
	MFCC(win_length, 2049, "win_length = 2049: must be at most n_fft, which is 2048");
	MFCC(hop_length, 0, "hop_length = 0: must be 1 to 1048576");
	MFCC(n_mels, 0, "n_mels = 0: must be 1 to 1024");
	MFCC(n_mfcc, 129, "n_mfcc = 129: must be at most n_mels, which is 128");
	MFCC(fmax, 11026, "fmax = 11026: must be at most half of sr, which is 11025");
	MFCC(fmin, 11025, "fmin = 11025: must be below fmax, which is 11025");
	MFCC(fmin, 11024.5, "fmin = 11024.5: must be at least 1 Hz below fmax, which is 11025");
	MFCC(lifter, -1, "lifter = -1: must not be below 0");
	MFCC(duration, 0.00001, "duration = 1e-05: is not one sample at sr = 22050");
	MFCC(duration, 1e6, "duration = 1e+06: must be 0 to 97391.5 seconds");
	MFCC(channel, -2, "channel = -2: must not be below 0");
	MFCC(preset, 99, "preset = 99: there is none of this number");
	FRAMES(num_frames, 0, "num_frames = all goes with sampling = uniform");
	FRAMES(num_frames, 65537, "num_frames = 65537: must be 1 to 65536");
	FRAMES(width, 0, "size = 224x0: must have sides from 1 to 16384 pixels");
	FRAMES(height, 16385, "size = 16385x224: must have sides from 1 to 16384 pixels");
}

static void no_number_passes_as_one(void **state)
{
	static const double none[] = { NAN, INFINITY, -INFINITY };
	char why[SPEC_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct mfcc_spec m[5];

		for (size_t k = 0; k < 5; k++)
			m[k] = *spec_mfcc_default(MFCC_LIBROSA);
		m[0].fmin = m[1].fmax = m[2].lifter = m[3].duration = m[4].top_db = none[i];
		for (size_t k = 0; k < 5; k++)
			assert_int_equal(mfcc_check(&m[k], why), -EINVAL);
	}
}

/* Longer than any file: told when it is asked for, not when it is read. */
static void an_array_of_too_many_columns_is_refused(void **state)
{
	struct mfcc_spec m = *spec_mfcc_default(MFCC_LIBROSA);
	char why[SPEC_WHY_MAX];
	struct spec s;

	(void)state;
	m.duration = 3600;
	m.hop_length = 1;
	s = spec_mfcc(&m);
	assert_int_equal(spec_check(&s, why), -EINVAL);
	assert_string_equal(why, "79380001 columns are more than 16777216");
}

static void arrays_are_described_once(void **state)
{
	struct spec_array a = spec_frames_array(&spec_frames_default, 16, 224, 224);

	(void)state;
	assert_string_equal(a.descr, "|u1");
	assert_int_equal(a.n_dims, 4);
	assert_int_equal(a.row_bytes, 224 * 224 * 3);
	assert_int_equal(a.bytes, 16 * 224 * 224 * 3);
	a = spec_mfcc_array(spec_mfcc_default(MFCC_LIBROSA), 1292);
	assert_string_equal(a.descr, "<f4");
	assert_int_equal(a.n_dims, 2);
	assert_int_equal(a.shape[0], 20);
	assert_int_equal(a.row_bytes, 1292 * 4);
	assert_int_equal(a.bytes, 20 * 1292 * 4);
	assert_int_equal(spec_mfcc_columns_of(spec_mfcc_default(MFCC_LIBROSA), a.bytes), 1292);
	assert_int_equal(spec_mfcc_columns_of(spec_mfcc_default(MFCC_LIBROSA), a.bytes - 4), 0);
	/* the largest of all */
	a = spec_frames_array(&spec_frames_default, SPEC_FRAMES_MAX, SPEC_SIDE_MAX, SPEC_SIDE_MAX);
	assert_true(a.bytes == UINT64_C(65536) * 16384 * 16384 * 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_gives_the_same_values_is_equal),
		cmocka_unit_test(no_byte_of_a_spec_is_left_to_chance),
		cmocka_unit_test(defaults_may_be_asked_for),
		cmocka_unit_test(what_cannot_be_made_is_refused_with_its_key),
		cmocka_unit_test(no_number_passes_as_one),
		cmocka_unit_test(an_array_of_too_many_columns_is_refused),
		cmocka_unit_test(arrays_are_described_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
