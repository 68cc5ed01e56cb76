#include "media/spec.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct frames_spec spec_frames_default = {
	.sampling = SAMPLING_UNIFORM,
	.num_frames = 16,
	.height = 224,
	.width = 224,
	.square = 1,
	.resize = RESIZE_CROP,
};

/* A row a preset. */
static const struct mfcc_spec presets[] = {
	[MFCC_LIBROSA] = {
		.preset = MFCC_LIBROSA,
		.sr = 22050,
		.n_mfcc = 20,
		.n_fft = 2048,
		.win_length = 2048,
		.hop_length = 512,
		.n_mels = 128,
		.channel = -1,
		.top_db = 80,
		.duration = 30,
	},
};

#define N_PRESETS (sizeof(presets) / sizeof(presets[0]))

const struct mfcc_spec *spec_mfcc_default(enum mfcc_preset preset)
{
	assert((size_t)preset < N_PRESETS);
	return &presets[preset];
}

/* ---- canonical ------------------------------------------------------------------ */

struct spec spec_frames(const struct frames_spec *f)
{
	struct spec s;

	memset(&s, 0, sizeof(s));
	s.kind = SPEC_FRAMES;
	s.frames = *f;
	if (s.frames.height == 0) {
		/* nothing is resized */
		s.frames.square = 0;
		s.frames.resize = RESIZE_CROP;
	}
	return s;
}

struct spec spec_mfcc(const struct mfcc_spec *m)
{
	struct spec s;

	memset(&s, 0, sizeof(s));
	s.kind = SPEC_MFCC;
	s.mfcc = *m;
	if (s.mfcc.fmax == s.mfcc.sr / 2.0)
		s.mfcc.fmax = 0;
	if (s.mfcc.top_db < 0)
		s.mfcc.top_db = -1;
	/* of two zeros the positive one */
	s.mfcc.fmin += 0.0;
	s.mfcc.fmax += 0.0;
	s.mfcc.top_db += 0.0;
	s.mfcc.lifter += 0.0;
	s.mfcc.duration += 0.0;
	return s;
}

/* ---- what may be asked for ---------------------------------------------------------- */

static int refuse(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SPEC_WHY_MAX, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int check_range(const char *key, uint32_t value, uint32_t min, uint32_t max, char *why)
{
	if (value >= min && value <= max)
		return 0;
	return refuse(why, "%s = %" PRIu32 ": must be %" PRIu32 " to %" PRIu32, key, value, min, max);
}

static int check_counts(const struct mfcc_spec *m, char *why)
{
	int err;

	if (m->preset >= N_PRESETS)
		return refuse(why, "preset = %" PRIu32 ": there is none of this number", m->preset);
	err = check_range("sr", m->sr, MFCC_SR_MIN, MFCC_SR_MAX, why);
	if (!err)
		err = check_range("n_fft", m->n_fft, 1, MFCC_N_FFT_MAX, why);
	if (!err)
		err = check_range("win_length", m->win_length, 1, MFCC_N_FFT_MAX, why);
	if (!err)
		err = check_range("hop_length", m->hop_length, 1, MFCC_HOP_MAX, why);
	if (!err)
		err = check_range("n_mels", m->n_mels, 1, MFCC_N_MELS_MAX, why);
	if (!err)
		err = check_range("n_mfcc", m->n_mfcc, 1, MFCC_N_MELS_MAX, why);
	if (err)
		return err;
	if (m->win_length > m->n_fft)
		return refuse(why, "win_length = %" PRIu32 ": must be at most n_fft, which is %" PRIu32,
		              m->win_length, m->n_fft);
	if (m->n_mfcc > m->n_mels)
		return refuse(why, "n_mfcc = %" PRIu32 ": must be at most n_mels, which is %" PRIu32,
		              m->n_mfcc, m->n_mels);
	if (m->channel < -1)
		return refuse(why, "channel = %" PRId32 ": must not be below 0", m->channel);
	return 0;
}

static double highest_hz(const struct mfcc_spec *m)
{
	return m->fmax == 0 ? m->sr / 2.0 : m->fmax;
}

/* Comparisons are written so that NaN fails them. */
static int check_bands(const struct mfcc_spec *m, char *why)
{
	double fmax = highest_hz(m);

	if (!(m->fmin >= 0 && m->fmin <= MFCC_SR_MAX))
		return refuse(why, "fmin = %g: must be a number of Hz", m->fmin);
	if (!(fmax > 0 && fmax <= MFCC_SR_MAX))
		return refuse(why, "fmax = %g: must be a number of Hz up to half of sr", fmax);
	if (m->fmin >= fmax)
		return refuse(why, "fmin = %g: must be below fmax, which is %g", m->fmin, fmax);
	if (m->fmin + 1 > fmax)
		return refuse(why, "fmin = %g: must be at least 1 Hz below fmax, which is %g", m->fmin,
		              fmax);
	return 0;
}

static int check_duration(const struct mfcc_spec *m, char *why)
{
	double longest = (double)MFCC_SAMPLES_MAX / m->sr;
	uint64_t columns;

	if (m->duration > 0 && m->duration * m->sr < 1)
		return refuse(why, "duration = %g: is not one sample at sr = %" PRIu32, m->duration,
		              m->sr);
	if (!(m->duration >= 0 && m->duration * m->sr <= (double)MFCC_SAMPLES_MAX))
		return refuse(why, "duration = %g: must be 0 to %g seconds", m->duration, longest);
	return m->duration > 0 ? mfcc_shape(m, mfcc_fixed_samples(m), &columns, why) : 0;
}

int mfcc_check(const struct mfcc_spec *m, char *why)
{
	int err = check_counts(m, why);

	if (!err)
		err = check_bands(m, why);
	if (err)
		return err;
	if (!isfinite(m->top_db))
		return refuse(why, "top_db = %g: must be a number", m->top_db);
	if (!(m->lifter >= 0 && isfinite(m->lifter)))
		return refuse(why, "lifter = %g: must not be below 0", m->lifter);
	return check_duration(m, why);
}

int mfcc_shape(const struct mfcc_spec *m, uint64_t n, uint64_t *ret_columns, char *why)
{
	uint64_t columns;

	/* an odd n_fft is padded by one sample less than it is long */
	if (n == 0 && m->n_fft % 2 == 1)
		return refuse(why, "no sample gives no column with an odd n_fft");
	if (n > MFCC_SAMPLES_MAX)
		return refuse(why, "%" PRIu64 " samples are more than %" PRIu64, n, MFCC_SAMPLES_MAX);
	columns = mfcc_columns(m, n);
	if (columns > MFCC_COLUMNS_MAX)
		return refuse(why, "%" PRIu64 " columns are more than %" PRIu64, columns,
		              MFCC_COLUMNS_MAX);
	*ret_columns = columns;
	return 0;
}

static int check_frames(const struct frames_spec *f, char *why)
{
	int err = 0;

	if (f->sampling > SAMPLING_ALL)
		return refuse(why, "sampling = %" PRIu32 ": there is none of this number", f->sampling);
	if (f->resize > RESIZE_PAD)
		return refuse(why, "resize = %" PRIu32 ": there is none of this number", f->resize);
	if ((f->sampling == SAMPLING_ALL) != (f->num_frames == 0))
		return refuse(why, "num_frames = all goes with sampling = uniform");
	if (f->num_frames)
		err = check_range("num_frames", f->num_frames, 1, SPEC_FRAMES_MAX, why);
	if (err)
		return err;
	if (f->height > SPEC_SIDE_MAX || f->width > SPEC_SIDE_MAX || !f->height != !f->width)
		return refuse(why, "size = %" PRIu32 "x%" PRIu32 ": must have sides from 1 to %u pixels",
		              f->height, f->width, SPEC_SIDE_MAX);
	return 0;
}

int spec_check(const struct spec *s, char *why)
{
	const struct mfcc_spec *m = &s->mfcc;
	int err;

	switch ((enum spec_kind)s->kind) {
	case SPEC_NONE:
		return 0;
	case SPEC_FRAMES:
		return check_frames(&s->frames, why);
	case SPEC_MFCC:
		err = mfcc_check(m, why);
		if (!err && m->fmax > m->sr / 2.0)
			err = refuse(why, "fmax = %g: must be at most half of sr, which is %g", m->fmax,
			             m->sr / 2.0);
		return err;
	}
	return refuse(why, "there is no kind of array number %" PRIu32, s->kind);
}

/* ---- arrays ---------------------------------------------------------------------------- */

static struct spec_array array(const char *descr, uint32_t element, unsigned n_dims,
                               const uint64_t *shape)
{
	struct spec_array a = { .descr = descr, .element = element, .n_dims = n_dims };

	a.row_bytes = element;
	for (unsigned i = 0; i < n_dims; i++) {
		a.shape[i] = shape[i];
		if (i)
			a.row_bytes *= shape[i];
	}
	a.bytes = shape[0] * a.row_bytes;
	return a;
}

struct spec_array spec_frames_array(const struct frames_spec *f, uint64_t rows, uint64_t height,
                                    uint64_t width)
{
	const uint64_t shape[] = { rows, height, width, 3 };    /* RGB */

	(void)f;    /* one element type and layout so far */
	return array("|u1", sizeof(uint8_t), 4, shape);
}

struct spec_array spec_mfcc_array(const struct mfcc_spec *m, uint64_t columns)
{
	const uint64_t shape[] = { m->n_mfcc, columns };

	return array("<f4", sizeof(float), 2, shape);
}

uint64_t spec_mfcc_columns_of(const struct mfcc_spec *m, uint64_t bytes)
{
	uint64_t column = spec_mfcc_array(m, 1).bytes;

	return bytes % column ? 0 : bytes / column;
}
