#include "worker/mfcc.h"

#include <errno.h>
#include <fftw3.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "worker/dct.h"
#include "worker/mel.h"
#include "worker/why.h"

/* What sets one preset apart from another; the numbers that a user may change
 * stand in the spec. One row per preset. */
struct recipe {
	const struct mel_scale *scale;
	float power_min;            /* of a mel band; below it counts as this: librosa's amin */
};

static const struct recipe recipes[] = {
	[MFCC_LIBROSA] = { &mel_slaney, 1e-10f },
};

#define N_RECIPES (sizeof(recipes) / sizeof(recipes[0]))

/* One clip's computation. Double precision in front of the power spectrum: in
 * float the noise of the FFT itself reaches up to 1e-2 in the quiet bands of a
 * pure tone. */
struct mfcc {
	const struct mfcc_spec *spec;
	const struct recipe *recipe;
	double *window;             /* (win_length,) */
	double *frame;              /* (n_fft,), zero outside the window */
	fftw_complex *spectrum;     /* (n_fft / 2 + 1,) */
	fftw_plan plan;             /* frame -> spectrum */
	float *power;               /* (n_fft / 2 + 1,) */
	struct mel_bank bank;
	double *dct;                /* (n_mels, n_mfcc), the lifter included */
	double *column;             /* (n_mfcc,) */
	float *log_mels;            /* (T, n_mels), dB */
};

static int check_lengths(const struct mfcc_spec *s, char *why)
{
	if (s->sr < MFCC_SR_MIN || s->sr > MFCC_SR_MAX)
		return why_set(why, -EINVAL, "sr = %" PRIu32 " is not in %u..%u", s->sr,
		               MFCC_SR_MIN, MFCC_SR_MAX);
	if (s->n_fft < 1 || s->n_fft > MFCC_N_FFT_MAX)
		return why_set(why, -EINVAL, "n_fft = %" PRIu32 " is not in 1..%u", s->n_fft,
		               MFCC_N_FFT_MAX);
	if (s->win_length < 1 || s->win_length > s->n_fft)
		return why_set(why, -EINVAL, "win_length = %" PRIu32 " is not in 1..n_fft"
		               " = %" PRIu32, s->win_length, s->n_fft);
	if (s->hop_length < 1 || s->hop_length > MFCC_HOP_MAX)
		return why_set(why, -EINVAL, "hop_length = %" PRIu32 " is not in 1..%u",
		               s->hop_length, MFCC_HOP_MAX);
	if (s->n_mels < 1 || s->n_mels > MFCC_N_MELS_MAX)
		return why_set(why, -EINVAL, "n_mels = %" PRIu32 " is not in 1..%u", s->n_mels,
		               MFCC_N_MELS_MAX);
	if (s->n_mfcc < 1 || s->n_mfcc > s->n_mels)
		return why_set(why, -EINVAL, "n_mfcc = %" PRIu32 " is not in 1..n_mels = %" PRIu32,
		               s->n_mfcc, s->n_mels);
	if (s->channel < -1)
		return why_set(why, -EINVAL, "channel = %" PRId32 " is below 0", s->channel);
	return 0;
}

static double highest_hz(const struct mfcc_spec *s)
{
	return s->fmax == 0 ? s->sr / 2.0 : s->fmax;
}

/* Comparisons are written so that NaN fails them. */
static int check_values(const struct mfcc_spec *s, char *why)
{
	if (!(s->fmin >= 0 && highest_hz(s) >= s->fmin + 1 && highest_hz(s) <= MFCC_SR_MAX))
		return why_set(why, -EINVAL, "fmin = %g, fmax = %g is not a range of at least 1 Hz",
		               s->fmin, highest_hz(s));
	if (!isfinite(s->top_db))
		return why_set(why, -EINVAL, "top_db is not a number");
	if (!(s->lifter >= 0 && isfinite(s->lifter)))
		return why_set(why, -EINVAL, "lifter = %g is below 0", s->lifter);
	if (s->duration > 0 && s->duration * s->sr < 1)
		return why_set(why, -EINVAL, "duration = %g s is shorter than a sample",
		               s->duration);
	if (!(s->duration >= 0 && s->duration * s->sr <= (double)MFCC_SAMPLES_MAX))
		return why_set(why, -EINVAL, "duration = %g s is not in 0..%g s", s->duration,
		               (double)MFCC_SAMPLES_MAX / s->sr);
	return 0;
}

int mfcc_check(const struct mfcc_spec *spec, char *why)
{
	uint64_t columns;
	int err;

	if (spec->preset >= N_RECIPES)
		return why_set(why, -EINVAL, "there is no preset number %" PRIu32, spec->preset);
	err = check_lengths(spec, why);
	if (!err)
		err = check_values(spec, why);
	if (!err && spec->duration > 0)
		err = mfcc_shape(spec, mfcc_fixed_samples(spec), &columns, why);
	return err;
}

int mfcc_shape(const struct mfcc_spec *spec, uint64_t n, uint64_t *ret_columns, char *why)
{
	uint64_t columns;

	/* an odd n_fft is padded by one sample less than it is long */
	if (n == 0 && spec->n_fft % 2 == 1)
		return why_set(why, -EINVAL, "no sample gives no column with an odd n_fft");
	if (n > MFCC_SAMPLES_MAX)
		return why_set(why, -EINVAL, "%" PRIu64 " samples are more than %" PRIu64, n,
		               MFCC_SAMPLES_MAX);
	columns = mfcc_columns(spec, n);
	if (columns > MFCC_COLUMNS_MAX)
		return why_set(why, -EINVAL, "%" PRIu64 " columns are more than %" PRIu64, columns,
		               MFCC_COLUMNS_MAX);
	*ret_columns = columns;
	return 0;
}

/* Periodic Hann. A window of one sample is 1, as scipy has it. */
static void fill_window(double *window, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		window[i] = n == 1 ? 1 : 0.5 - 0.5 * cos(2 * M_PI * i / n);
}

static void mfcc_done(struct mfcc *m)
{
	if (m->plan)
		fftw_destroy_plan(m->plan);
	fftw_free(m->frame);
	fftw_free(m->spectrum);
	mel_bank_done(&m->bank);
	free(m->window);
	free(m->power);
	free(m->dct);
	free(m->column);
	free(m->log_mels);
}

/* *m is to be given to mfcc_done whatever this returns. */
static int mfcc_init(struct mfcc *m, const struct mfcc_spec *s, uint64_t columns)
{
	size_t bins = s->n_fft / 2 + 1;

	memset(m, 0, sizeof(*m));
	m->spec = s;
	m->recipe = &recipes[s->preset];
	m->window = calloc(s->win_length, sizeof(*m->window));
	m->frame = fftw_alloc_real(s->n_fft);
	m->spectrum = fftw_alloc_complex(bins);
	m->power = calloc(bins, sizeof(*m->power));
	m->dct = calloc((size_t)s->n_mels * s->n_mfcc, sizeof(*m->dct));
	m->column = calloc(s->n_mfcc, sizeof(*m->column));
	m->log_mels = calloc(columns, s->n_mels * sizeof(*m->log_mels));
	if (!m->window || !m->frame || !m->spectrum || !m->power || !m->dct || !m->column ||
	    !m->log_mels)
		return -ENOMEM;
	/* ESTIMATE measures nothing: the same plan, so the same bits, every time */
	m->plan = fftw_plan_dft_r2c_1d((int)s->n_fft, m->frame, m->spectrum, FFTW_ESTIMATE);
	if (!m->plan)
		return -ENOMEM;
	memset(m->frame, 0, s->n_fft * sizeof(*m->frame));
	fill_window(m->window, s->win_length);
	dct_fill(m->dct, s->n_mels, s->n_mfcc);
	if (s->lifter > 0)
		dct_lift(m->dct, s->n_mels, s->n_mfcc, s->lifter);
	return mel_bank_init(&m->bank, m->recipe->scale, s->n_mels, s->fmin, highest_hz(s), s->sr,
	                     s->n_fft);
}

/* Puts the windowed samples of column t into m->frame. Column t is centred on
 * sample t * hop_length; outside of the clip there are zeros. */
static void load_frame(struct mfcc *m, const float *samples, size_t n, uint64_t t)
{
	const struct mfcc_spec *s = m->spec;
	uint32_t lead = (s->n_fft - s->win_length) / 2;
	int64_t start = (int64_t)(t * s->hop_length) - s->n_fft / 2 + lead;
	int64_t end = start + s->win_length;
	int64_t from = start < 0 ? 0 : start, to = end > (int64_t)n ? (int64_t)n : end;
	double *frame = m->frame + lead;

	if (from >= to) {
		memset(frame, 0, s->win_length * sizeof(*frame));
		return;
	}
	memset(frame, 0, (size_t)(from - start) * sizeof(*frame));
	for (int64_t i = from; i < to; i++)
		frame[i - start] = m->window[i - start] * samples[i];
	memset(frame + (to - start), 0, (size_t)(end - to) * sizeof(*frame));
}

/* From m->frame to n_mels values in dB. */
static void log_mel_column(struct mfcc *m, float *ret_db)
{
	size_t bins = m->spec->n_fft / 2 + 1;
	float least = m->recipe->power_min;

	fftw_execute(m->plan);
	for (size_t k = 0; k < bins; k++) {
		const double *x = m->spectrum[k];

		m->power[k] = (float)(x[0] * x[0] + x[1] * x[1]);
	}
	mel_bank_apply(&m->bank, m->power, ret_db);
	for (uint32_t i = 0; i < m->spec->n_mels; i++) {
		float power = ret_db[i] > least ? ret_db[i] : least;

		ret_db[i] = 10 * log10f(power);
	}
}

static float highest(const float *v, size_t n)
{
	float max = v[0];

	for (size_t i = 1; i < n; i++)
		max = v[i] > max ? v[i] : max;
	return max;
}

int mfcc_compute(const struct mfcc_spec *spec, const float *samples, size_t n, float *out,
                 char *why)
{
	float floor_db = -INFINITY;
	struct mfcc m = { 0 };
	uint64_t columns;
	int err;

	err = mfcc_check(spec, why);
	if (!err)
		err = mfcc_shape(spec, n, &columns, why);
	if (err)
		return err;
	err = mfcc_init(&m, spec, columns);
	if (err) {
		why_set(why, err, "no memory for the MFCC of %zu samples", n);
		goto out;
	}
	for (uint64_t t = 0; t < columns; t++) {
		load_frame(&m, samples, n, t);
		log_mel_column(&m, m.log_mels + t * spec->n_mels);
	}
	if (spec->top_db >= 0)
		floor_db = highest(m.log_mels, columns * spec->n_mels) - (float)spec->top_db;
	for (uint64_t t = 0; t < columns; t++) {
		dct_apply(m.dct, spec->n_mels, spec->n_mfcc, m.log_mels + t * spec->n_mels,
		          floor_db, m.column);
		for (uint32_t k = 0; k < spec->n_mfcc; k++)
			out[k * columns + t] = (float)m.column[k];
	}
out:
	mfcc_done(&m);
	return err;
}
