#include "worker/mel.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLANEY_LINEAR_HZ 1000.0             /* linear below, logarithmic above */
#define SLANEY_LINEAR_MEL 15.0
#define SLANEY_HZ_PER_MEL (200.0 / 3.0)
#define SLANEY_LOG_STEP (log(6.4) / 27.0)   /* of a mel, above */

static double slaney_from_hz(double hz)
{
	if (hz < SLANEY_LINEAR_HZ)
		return hz / SLANEY_HZ_PER_MEL;
	return SLANEY_LINEAR_MEL + log(hz / SLANEY_LINEAR_HZ) / SLANEY_LOG_STEP;
}

static double slaney_to_hz(double mel)
{
	if (mel < SLANEY_LINEAR_MEL)
		return mel * SLANEY_HZ_PER_MEL;
	return SLANEY_LINEAR_HZ * exp(SLANEY_LOG_STEP * (mel - SLANEY_LINEAR_MEL));
}

const struct mel_scale mel_slaney = { slaney_from_hz, slaney_to_hz };

void mel_points(const struct mel_scale *scale, double fmin, double fmax, size_t n, double *ret_hz)
{
	double low = scale->from_hz(fmin), high = scale->from_hz(fmax);
	double step = (high - low) / (double)(n - 1);

	for (size_t i = 0; i < n - 1; i++)
		ret_hz[i] = scale->to_hz(low + (double)i * step);
	ret_hz[n - 1] = scale->to_hz(high);
}

/* The triangle over p[0] < p[1] < p[2], in Hz, at bin k. */
static double triangle(const double *p, double hz)
{
	double rise = (hz - p[0]) / (p[1] - p[0]), fall = (p[2] - hz) / (p[2] - p[1]);

	return fmax(0, fmin(rise, fall)) * 2 / (p[2] - p[0]);
}

/* Fills one band with the bins inside (p[0], p[2]), for which weights has room.
 * Returns how many there are. */
static uint32_t fill_band(struct mel_band *band, const double *p, double bin_hz, uint32_t bins,
                          float *weights)
{
	double below = p[0] / bin_hz;
	uint32_t k = below < bins ? (uint32_t)below : bins;

	while (k < bins && k * bin_hz <= p[0])
		k++;
	band->weights = weights;
	band->first = k;
	for (band->count = 0; k < bins && k * bin_hz < p[2]; k++)
		weights[band->count++] = (float)triangle(p, k * bin_hz);
	return band->count;
}

int mel_bank_init(struct mel_bank *ret, const struct mel_scale *scale, uint32_t n_mels,
                  double fmin, double fmax, uint32_t sr, uint32_t n_fft)
{
	struct mel_bank bank = { .n_mels = n_mels };
	uint32_t bins = n_fft / 2 + 1;
	double *points = calloc((size_t)n_mels + 2, sizeof(*points));
	size_t used = 0;
	int err = -ENOMEM;

	bank.bands = calloc(n_mels, sizeof(*bank.bands));
	/* each triangle ends where the next but one begins: a bin lies in two at most */
	bank.weights = calloc(2 * (size_t)bins, sizeof(*bank.weights));
	if (!points || !bank.bands || !bank.weights)
		goto out;
	mel_points(scale, fmin, fmax, (size_t)n_mels + 2, points);
	for (uint32_t i = 0; i < n_mels; i++)
		used += fill_band(&bank.bands[i], points + i, (double)sr / n_fft, bins,
		                  bank.weights + used);
	*ret = bank;
	memset(&bank, 0, sizeof(bank));
	err = 0;
out:
	mel_bank_done(&bank);
	free(points);
	return err;
}

void mel_bank_done(struct mel_bank *bank)
{
	free(bank->bands);
	free(bank->weights);
	memset(bank, 0, sizeof(*bank));
}

/* Eight partial sums: one sum waits for the adder at every bin. */
static float dot(const float *a, const float *b, size_t n)
{
	float part[8] = { 0 }, sum = 0;
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		for (size_t j = 0; j < 8; j++)
			part[j] += a[i + j] * b[i + j];
	for (size_t j = 0; j < 8; j++)
		sum += part[j];
	for (; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

void mel_bank_apply(const struct mel_bank *bank, const float *power, float *ret)
{
	for (uint32_t i = 0; i < bank->n_mels; i++) {
		const struct mel_band *band = &bank->bands[i];

		ret[i] = dot(band->weights, power + band->first, band->count);
	}
}
