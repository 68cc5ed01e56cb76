/* The parts of the MFCC by their definitions. Against librosa: test_mfcc.py. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/proto.h"
#include "worker/dct.h"
#include "worker/mel.h"
#include "worker/mfcc.h"
#include "worker/pcm.h"

static const struct mfcc_spec librosa = {
	.preset = MFCC_LIBROSA, .sr = 22050, .n_mfcc = 20, .n_fft = 2048, .win_length = 2048,
	.hop_length = 512, .n_mels = 128, .channel = -1, .top_db = 80,
};

static void assert_near(double a, double b, double tolerance)
{
	if (!(fabs(a - b) <= tolerance))
		fail_msg("%.17g is not %.17g", a, b);
}

/* Values of librosa.hz_to_mel. */
static void mel_scale_is_slaneys(void **state)
{
	(void)state;
	assert_near(mel_slaney.from_hz(0), 0, 0);
	assert_near(mel_slaney.from_hz(60), 0.9, 1e-12);
	assert_near(mel_slaney.from_hz(1000), 15, 1e-12);
	assert_near(mel_slaney.from_hz(6400), 42, 1e-12);
	assert_near(mel_slaney.from_hz(11025), 49.91059448015905, 1e-11);
	for (double hz = 0; hz < 30000; hz += 123.4)
		assert_near(mel_slaney.to_hz(mel_slaney.from_hz(hz)), hz, 1e-9 * (hz + 1));
}

/* librosa.mel_frequencies(n_mels=5, fmin=0, fmax=8000). */
static void mel_points_are_equally_spaced_in_mel(void **state)
{
	double hz[5];

	(void)state;
	mel_points(&mel_slaney, 0, 8000, 5, hz);
	assert_near(hz[0], 0, 0);
	assert_near(hz[4], 8000, 1e-9);
	for (int i = 1; i < 4; i++)
		assert_near(mel_slaney.from_hz(hz[i]), i * mel_slaney.from_hz(8000) / 4, 1e-9);
}

/* Slaney's norm gives each triangle area 1 in Hz: so must the sum over bins, where
 * there are many in each. */
static void filters_have_area_one(void **state)
{
	const uint32_t sr = 22050, n_fft = 65536;
	struct mel_bank bank;

	(void)state;
	assert_int_equal(mel_bank_init(&bank, &mel_slaney, 40, 0, sr / 2.0, sr, n_fft), 0);
	for (uint32_t i = 0; i < bank.n_mels; i++) {
		double sum = 0;

		for (uint32_t k = 0; k < bank.bands[i].count; k++)
			sum += bank.bands[i].weights[k];
		assert_near(sum * sr / n_fft, 1, 1e-4);
	}
	mel_bank_done(&bank);
}

/* (band, bin) of the bank as the formula has it, computed densely. */
static double dense_weight(const double *p, double hz)
{
	double w = fmin((hz - p[0]) / (p[1] - p[0]), (p[2] - hz) / (p[2] - p[1]));

	return fmax(0, w) * 2 / (p[2] - p[0]);
}

static void check_bank(uint32_t n_mels, double low, double high, uint32_t sr, uint32_t n_fft)
{
	uint32_t bins = n_fft / 2 + 1;
	double *points = calloc(n_mels + 2, sizeof(*points));
	float *unit = calloc(bins, sizeof(*unit)), *mels = calloc(n_mels, sizeof(*mels));
	struct mel_bank bank;

	assert_non_null(points);
	assert_non_null(unit);
	assert_non_null(mels);
	mel_points(&mel_slaney, low, high, n_mels + 2, points);
	assert_int_equal(mel_bank_init(&bank, &mel_slaney, n_mels, low, high, sr, n_fft), 0);
	for (uint32_t k = 0; k < bins; k++) {
		unit[k] = 1;
		mel_bank_apply(&bank, unit, mels);
		for (uint32_t i = 0; i < n_mels; i++)
			assert_near(mels[i], dense_weight(points + i, (double)k * sr / n_fft),
			            1e-7);
		unit[k] = 0;
	}
	mel_bank_done(&bank);
	free(points);
	free(unit);
	free(mels);
}

static void sparse_filters_equal_the_formula(void **state)
{
	(void)state;
	check_bank(128, 0, 11025, 22050, 2048);
	check_bank(40, 0, 8000, 16000, 401);
	check_bank(23, 20, 3700, 8000, 256);
	check_bank(500, 0, 11025, 22050, 512);      /* triangles between two bins */
	check_bank(10, 1000, 30000, 16000, 512);    /* beyond Nyquist there are no bins */
	check_bank(1024, 500, 501, 22050, 4096);
	check_bank(1, 0, 4000, 8000, 1);
}

static void dct_is_orthonormal(void **state)
{
	enum { N = 40 };
	double *dct = calloc(N * N, sizeof(*dct));

	(void)state;
	assert_non_null(dct);
	dct_fill(dct, N, N);
	for (int k = 0; k < N; k++) {
		for (int l = 0; l < N; l++) {
			double product = 0;

			for (int i = 0; i < N; i++)
				product += dct[i * N + k] * dct[i * N + l];
			assert_near(product, k == l, 1e-13);
		}
	}
	free(dct);
}

static void dct_of_a_constant_is_its_first_coefficient(void **state)
{
	double dct[16 * 5], out[5];
	float v[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		v[i] = 3;
	dct_fill(dct, 16, 5);
	dct_apply(dct, 16, 5, v, -INFINITY, out);
	assert_near(out[0], 3 * sqrt(16), 1e-12);
	for (int k = 1; k < 5; k++)
		assert_near(out[k], 0, 1e-12);
	dct_apply(dct, 16, 5, v, 7, out); /* none counts as less than 7 */
	assert_near(out[0], 7 * sqrt(16), 1e-12);
}

static void lifter_scales_the_coefficients(void **state)
{
	double plain[8 * 4], lifted[8 * 4];

	(void)state;
	dct_fill(plain, 8, 4);
	dct_fill(lifted, 8, 4);
	dct_lift(lifted, 8, 4, 22);
	for (int i = 0; i < 8; i++)
		for (int k = 0; k < 4; k++)
			assert_near(lifted[i * 4 + k],
			            plain[i * 4 + k] * (1 + 11 * sin(M_PI * (k + 1) / 22)), 1e-14);
}

static void columns_are_one_more_than_hops(void **state)
{
	struct mfcc_spec s = librosa;
	char why[PROTO_WHY_MAX];
	uint64_t columns;

	(void)state;
	assert_int_equal(mfcc_shape(&s, 0, &columns, why), 0);
	assert_int_equal(columns, 1);
	assert_int_equal(mfcc_shape(&s, 511, &columns, why), 0);
	assert_int_equal(columns, 1);
	assert_int_equal(mfcc_shape(&s, 512, &columns, why), 0);
	assert_int_equal(columns, 2);
	assert_int_equal(mfcc_shape(&s, 661500, &columns, why), 0);
	assert_int_equal(columns, 1292);
	s.n_fft = 2047;
	s.win_length = 2047;
	assert_int_equal(mfcc_shape(&s, 512, &columns, why), 0);
	assert_int_equal(columns, 1);
	assert_int_equal(mfcc_shape(&s, 513, &columns, why), 0);
	assert_int_equal(columns, 2);
	assert_int_equal(mfcc_shape(&s, 0, &columns, why), -EINVAL);
	s.hop_length = 1;
	assert_int_equal(mfcc_shape(&s, MFCC_COLUMNS_MAX + 1, &columns, why), -EINVAL);
	assert_int_equal(mfcc_shape(&s, UINT64_MAX, &columns, why), -EINVAL);
}

static void nothing_at_all_is_silence(void **state)
{
	char why[PROTO_WHY_MAX];
	float out[20];

	(void)state;
	assert_int_equal(mfcc_compute(&librosa, NULL, 0, out, why), 0);
	assert_near(out[0], -100 * sqrt(128), 1e-3);
	for (int k = 1; k < 20; k++)
		assert_near(out[k], 0, 1e-3);
}

/* One change at a time to a spec that is good. */
static void bad_specs_are_refused(void **state)
{
	char why[PROTO_WHY_MAX];

	(void)state;
	assert_int_equal(mfcc_check(&librosa, why), 0);
#define REFUSED(field, value)                                         \
	do {                                                          \
		struct mfcc_spec s = librosa;                         \
                                                                      \
		s.field = (value);                                    \
		why[0] = '\0';                                        \
		assert_int_equal(mfcc_check(&s, why), -EINVAL);       \
		assert_non_null(strstr(why, #field));                 \
	} while (0)
	REFUSED(preset, 1000);
	REFUSED(sr, 0);
	REFUSED(sr, MFCC_SR_MAX + 1);
	REFUSED(sr, UINT32_MAX);
	REFUSED(n_fft, 0);
	REFUSED(n_fft, MFCC_N_FFT_MAX + 1);
	REFUSED(win_length, 0);
	REFUSED(win_length, 2049);
	REFUSED(hop_length, 0);
	REFUSED(hop_length, UINT32_MAX);
	REFUSED(n_mels, 0);
	REFUSED(n_mels, MFCC_N_MELS_MAX + 1);
	REFUSED(n_mfcc, 0);
	REFUSED(n_mfcc, 129);
	REFUSED(channel, -2);
	REFUSED(channel, INT32_MIN);
	REFUSED(fmin, -1);
	REFUSED(fmin, NAN);
	REFUSED(fmin, 11024.5);
	REFUSED(fmax, 0.5);
	REFUSED(fmax, -INFINITY);
	REFUSED(fmax, INFINITY);
	REFUSED(top_db, NAN);
	REFUSED(top_db, INFINITY);
	REFUSED(lifter, -1);
	REFUSED(lifter, INFINITY);
	REFUSED(duration, -1);
	REFUSED(duration, NAN);
	REFUSED(duration, INFINITY);
	REFUSED(duration, 1e-9);
#undef REFUSED
}

static void mean_is_summed_in_order_and_divided(void **state)
{
	const float six[] = { 1, 2, 3, 4, 5, 6, 0.5f, -0.5f, 0.25f, -0.25f, 0, 0.125f };
	float out[2];

	(void)state;
	pcm_mean(six, 2, 6, out);
	assert_near(out[0], 3.5, 0);
	assert_near(out[1], 0.125f / 6, 1e-9);
	pcm_mean(six, 2, 1, out);
	assert_near(out[1], 2, 0);
	pcm_pick(six, 2, 6, 5, out);
	assert_near(out[0], 6, 0);
	assert_near(out[1], 0.125, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mel_scale_is_slaneys),
		cmocka_unit_test(mel_points_are_equally_spaced_in_mel),
		cmocka_unit_test(filters_have_area_one),
		cmocka_unit_test(sparse_filters_equal_the_formula),
		cmocka_unit_test(dct_is_orthonormal),
		cmocka_unit_test(dct_of_a_constant_is_its_first_coefficient),
		cmocka_unit_test(lifter_scales_the_coefficients),
		cmocka_unit_test(columns_are_one_more_than_hops),
		cmocka_unit_test(nothing_at_all_is_silence),
		cmocka_unit_test(bad_specs_are_refused),
		cmocka_unit_test(mean_is_summed_in_order_and_divided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
