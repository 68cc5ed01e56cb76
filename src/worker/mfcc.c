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

#define PIECE 16384u                /* samples taken at once, beside a window */
#define KEPT_FIRST 1024u            /* columns of log mels that there is room for at first */

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
	float *bands;               /* (n_mels,), dB: of one column */

	float *samples;             /* (win_length + PIECE,): the last ones */
	uint64_t base;              /* of all samples, the number of samples[0] */
	size_t len;                 /* of samples */
	uint64_t next;              /* column to be computed */
	uint64_t stop;              /* no column from here on */

	float *out;                 /* (n_mfcc, stride) */
	uint64_t room;              /* columns that fit */
	uint64_t stride;            /* room, then the number of columns */

	/* With top_db: */
	float *kept;                /* (kept_room, n_mels): dB of columns 0 to n_kept */
	uint64_t kept_room, kept_max;   /* columns */
	uint64_t n_kept;            /* columns; the others have been written to out */
	float max_db;               /* of all bands so far */
	uint64_t settled;           /* columns from here on were written with this maximum */
	float min_before;           /* of the bands that were written before those; */
	float min_since;            /* of theirs */
	bool again;                 /* columns n_kept to settled are computed again */
};

/* Periodic Hann. A window of one sample is 1, as scipy has it. */
static void fill_window(double *window, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		window[i] = n == 1 ? 1 : 0.5 - 0.5 * cos(2 * M_PI * i / n);
}

void mfcc_free(struct mfcc *m)
{
	if (!m)
		return;
	if (m->plan)
		fftw_destroy_plan(m->plan);
	fftw_free(m->frame);
	fftw_free(m->spectrum);
	mel_bank_done(&m->bank);
	free(m->window);
	free(m->power);
	free(m->dct);
	free(m->column);
	free(m->bands);
	free(m->samples);
	free(m->kept);
	free(m);
}

static int allocate(struct mfcc *m)
{
	const struct mfcc_spec *s = m->spec;
	size_t bins = s->n_fft / 2 + 1;

	m->window = calloc(s->win_length, sizeof(*m->window));
	m->frame = fftw_alloc_real(s->n_fft);
	m->spectrum = fftw_alloc_complex(bins);
	m->power = calloc(bins, sizeof(*m->power));
	m->dct = calloc((size_t)s->n_mels * s->n_mfcc, sizeof(*m->dct));
	m->column = calloc(s->n_mfcc, sizeof(*m->column));
	m->bands = calloc(s->n_mels, sizeof(*m->bands));
	m->samples = calloc(s->win_length + PIECE, sizeof(*m->samples));
	if (!m->window || !m->frame || !m->spectrum || !m->power || !m->dct || !m->column ||
	    !m->bands || !m->samples)
		return -ENOMEM;
	/* ESTIMATE measures nothing: the same plan, so the same bits, every time */
	m->plan = fftw_plan_dft_r2c_1d((int)s->n_fft, m->frame, m->spectrum, FFTW_ESTIMATE);
	return m->plan ? 0 : -ENOMEM;
}

int mfcc_new(const struct mfcc_spec *spec, float *out, uint64_t room, size_t keep,
             struct mfcc **ret, char *why)
{
	struct mfcc *m;
	int err = mfcc_check(spec, why);

	if (err)
		return err;
	m = calloc(1, sizeof(*m));
	if (!m)
		return why_set(why, -ENOMEM, "no memory for an MFCC");
	m->spec = spec;
	m->recipe = &recipes[spec->preset];
	m->out = out;
	m->room = m->stride = room;
	m->stop = UINT64_MAX;
	if (spec->top_db >= 0)
		m->kept_max = keep / (spec->n_mels * sizeof(float));
	m->max_db = -INFINITY;
	m->min_before = m->min_since = INFINITY;
	err = allocate(m);
	if (!err)
		err = mel_bank_init(&m->bank, m->recipe->scale, spec->n_mels, spec->fmin,
		                    spec->fmax == 0 ? spec->sr / 2.0 : spec->fmax, spec->sr, spec->n_fft);
	if (err) {
		mfcc_free(m);
		return why_set(why, err, "no memory for an MFCC");
	}
	memset(m->frame, 0, spec->n_fft * sizeof(*m->frame));
	fill_window(m->window, spec->win_length);
	dct_fill(m->dct, spec->n_mels, spec->n_mfcc);
	if (spec->lifter > 0)
		dct_lift(m->dct, spec->n_mels, spec->n_mfcc, spec->lifter);
	*ret = m;
	return 0;
}

/* Column t is centred on sample t * hop_length; its window starts here, maybe before
 * the clip does. */
static int64_t window_start(const struct mfcc *m, uint64_t t)
{
	const struct mfcc_spec *s = m->spec;
	uint32_t lead = (s->n_fft - s->win_length) / 2;

	return (int64_t)(t * s->hop_length) - s->n_fft / 2 + lead;
}

/* Samples that have come. */
static uint64_t taken(const struct mfcc *m)
{
	return m->base + m->len;
}

/* Puts the windowed samples of column t into m->frame; outside of the clip there are
 * zeros. */
static void load_frame(struct mfcc *m, uint64_t t)
{
	const struct mfcc_spec *s = m->spec;
	uint32_t lead = (s->n_fft - s->win_length) / 2;
	int64_t start = window_start(m, t), end = start + s->win_length, n = (int64_t)taken(m);
	int64_t from = start < 0 ? 0 : start, to = end > n ? n : end;
	const float *samples = m->samples;
	double *frame = m->frame + lead;

	if (from >= to) {
		memset(frame, 0, s->win_length * sizeof(*frame));
		return;
	}
	samples += from - (int64_t)m->base;
	memset(frame, 0, (size_t)(from - start) * sizeof(*frame));
	for (int64_t i = from; i < to; i++)
		frame[i - start] = m->window[i - start] * *samples++;
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

static float lowest(const float *v, size_t n)
{
	float min = v[0];

	for (size_t i = 1; i < n; i++)
		min = v[i] < min ? v[i] : min;
	return min;
}

static float floor_db(const struct mfcc *m)
{
	return m->spec->top_db >= 0 ? m->max_db - (float)m->spec->top_db : -INFINITY;
}

static void write_column(struct mfcc *m, uint64_t t, const float *bands)
{
	const struct mfcc_spec *s = m->spec;

	dct_apply(m->dct, s->n_mels, s->n_mfcc, bands, floor_db(m), m->column);
	for (uint32_t k = 0; k < s->n_mfcc; k++)
		m->out[k * m->stride + t] = (float)m->column[k];
}

/* Room for column t among the kept. Without memory for that it is as if fewer were
 * to be kept. */
static bool may_keep(struct mfcc *m, uint64_t t)
{
	uint64_t room = m->kept_room ? 2 * m->kept_room : KEPT_FIRST;
	float *kept;

	if (t < m->kept_room)
		return true;
	if (t >= m->kept_max)
		return false;
	room = room < m->kept_max ? room : m->kept_max;
	kept = realloc(m->kept, room * m->spec->n_mels * sizeof(*kept));
	if (!kept) {
		m->kept_max = t;
		return false;
	}
	m->kept = kept;
	m->kept_room = room;
	return true;
}

static void louder(struct mfcc *m, uint64_t t, float max_db)
{
	m->max_db = max_db;
	m->settled = t;
	m->min_before = fminf(m->min_before, m->min_since);
	m->min_since = INFINITY;
}

static void compute_column(struct mfcc *m, uint64_t t)
{
	uint32_t n_mels = m->spec->n_mels;
	bool keep = !m->again && may_keep(m, t);
	float *bands = keep ? m->kept + t * n_mels : m->bands;

	load_frame(m, t);
	log_mel_column(m, bands);
	if (m->spec->top_db >= 0 && !m->again) {
		float max_db = highest(bands, n_mels);

		if (max_db > m->max_db)
			louder(m, t, max_db);
		if (!keep)
			m->min_since = fminf(m->min_since, lowest(bands, n_mels));
	}
	if (keep)
		m->n_kept = t + 1;
	else
		write_column(m, t, bands);
}

/* Columns up to `end`, as far as there is room for them. */
static int compute_until(struct mfcc *m, uint64_t end, char *why)
{
	for (; m->next < end; m->next++) {
		if (m->next >= m->room)
			return why_set(why, -ENOMEM, "its MFCC takes more than the %" PRIu64 " bytes"
			               " that memory= has room for",
			               m->room * m->spec->n_mfcc * sizeof(float));
		compute_column(m, m->next);
	}
	return 0;
}

/* Forgets the samples that no further column needs. */
static void drop_samples(struct mfcc *m)
{
	int64_t start = window_start(m, m->next);
	uint64_t first = start < 0 ? 0 : (uint64_t)start;
	size_t drop;

	if (first <= m->base)
		return;
	drop = first < taken(m) ? (size_t)(first - m->base) : m->len;
	m->base += drop;
	m->len -= drop;
	memmove(m->samples, m->samples + drop, m->len * sizeof(*m->samples));
}

/* One past the last column whose window lies within the samples that have come. */
static uint64_t complete_columns(const struct mfcc *m)
{
	const struct mfcc_spec *s = m->spec;
	int64_t span = (int64_t)taken(m) - window_start(m, 0) - s->win_length;
	uint64_t end = span < 0 ? 0 : (uint64_t)span / s->hop_length + 1;

	return end < m->stop ? end : m->stop;
}

int mfcc_push(struct mfcc *m, const float *samples, size_t n, char *why)
{
	if (n > MFCC_SAMPLES_MAX || taken(m) > MFCC_SAMPLES_MAX - n)
		return why_set(why, -EINVAL, "its audio is longer than %" PRIu64 " samples",
		               MFCC_SAMPLES_MAX);
	while (n && m->next < m->stop) {
		size_t room = m->spec->win_length + PIECE - m->len, part = n < room ? n : room;
		int err;

		memcpy(m->samples + m->len, samples, part * sizeof(*samples));
		m->len += part;
		samples += part;
		n -= part;
		err = compute_until(m, complete_columns(m), why);
		if (err)
			return err;
		/* Less than a window is left of a full buffer. */
		if (part == room)
			drop_samples(m);
	}
	return m->next < m->stop ? 0 : 1;
}

/* From columns that are `room` apart to those that there are. */
static void close_up(struct mfcc *m, uint64_t columns)
{
	if (columns > m->n_kept && columns < m->stride)
		for (uint32_t k = 1; k < m->spec->n_mfcc; k++)
			memmove(m->out + k * columns + m->n_kept,
			        m->out + k * m->stride + m->n_kept,
			        (size_t)(columns - m->n_kept) * sizeof(*m->out));
	m->stride = columns;
}

int mfcc_finish(struct mfcc *m, uint64_t *ret_columns, char *why)
{
	uint64_t columns = m->stride;
	int err = 0;

	if (m->again && m->next < m->stop)
		return why_set(why, -EBADMSG, "its audio ended earlier the second time");
	if (!m->again) {
		err = mfcc_shape(m->spec, taken(m), &columns, why);
		if (!err)
			err = compute_until(m, columns, why);
		if (err)
			return err;
		close_up(m, columns);
		for (uint64_t t = 0; t < m->n_kept; t++)
			write_column(m, t, m->kept + t * m->spec->n_mels);
		/* Those that were cut off at a floor too low, if any band was below it. */
		m->again = m->settled > m->n_kept && m->min_before < floor_db(m);
		if (m->again) {
			m->base = 0;
			m->len = 0;
			m->next = m->n_kept;
			m->stop = m->settled;
			return 1;
		}
	}
	*ret_columns = columns;
	return 0;
}

int mfcc_compute(const struct mfcc_spec *spec, const float *samples, size_t n, float *out,
                 char *why)
{
	struct mfcc *m = NULL;
	uint64_t columns;
	int err = mfcc_check(spec, why);

	if (!err)
		err = mfcc_shape(spec, n, &columns, why);
	if (!err)
		err = mfcc_new(spec, out, columns, MFCC_KEEP, &m, why);
	while (!err) {
		err = mfcc_push(m, samples, n, why);
		if (err >= 0)
			err = mfcc_finish(m, &columns, why);
		if (err <= 0)
			break;
		err = 0;
	}
	mfcc_free(m);
	return err;
}
