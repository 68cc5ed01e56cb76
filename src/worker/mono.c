#include "worker/mono.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "worker/audio.h"
#include "worker/mfcc.h"
#include "worker/pcm.h"
#include "worker/resample.h"
#include "worker/why.h"

struct mono {
	const struct mfcc_spec *spec;
	struct audio *audio;
	struct resampler *resampler;  /* NULL: the file has the wanted rate */
	uint64_t limit;               /* samples at the file's rate that are wanted */
	uint64_t taken;               /* of them */
	float *mix;                   /* one chunk of one channel */
	size_t mix_len;               /* floats that fit */
	struct buf out;               /* floats at spec->sr */
};

static int buf_failure(const struct buf *b, char *why)
{
	if (buf_error(b) == -EMSGSIZE)
		return why_set(why, -ENOMEM, "its audio is longer than %" PRIu64 " samples",
		               MFCC_SAMPLES_MAX);
	return why_set(why, -ENOMEM, "no memory for its audio");
}

static int open_all(struct mono *m, char *why)
{
	const struct mfcc_spec *s = m->spec;
	uint32_t rate = audio_rate(m->audio), channels = audio_channels(m->audio);

	if (s->channel >= 0 && (uint32_t)s->channel >= channels)
		return why_set(why, -ENODATA, "channel %" PRId32 " was asked for, it has %" PRIu32
		               " channel%s", s->channel, channels, channels == 1 ? "" : "s");
	m->limit = s->duration > 0 ? (uint64_t)(s->duration * rate) : UINT64_MAX;
	buf_init(&m->out, MFCC_SAMPLES_MAX * sizeof(float));
	if (rate == s->sr)
		return 0;
	switch (resampler_new(rate, s->sr, &m->resampler)) {
	case 0:
		return 0;
	case -ENOMEM:
		return why_set(why, -ENOMEM, "no memory to resample it");
	default:
		return why_set(why, -EBADMSG, "audio at %" PRIu32 " Hz can't be resampled to"
		               " %" PRIu32, rate, s->sr);
	}
}

/* A NaN would spoil every column by way of the clip's maximum; librosa refuses
 * such a clip too. */
static int check_finite(const struct mono *m, size_t n, char *why)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(m->mix[i]))
			return why_set(why, -EBADMSG, "sample %" PRIu64 " of its audio is not a"
			               " number", m->taken + i);
	return 0;
}

static int take(struct mono *m, const float *samples, size_t frames, char *why)
{
	uint32_t channels = audio_channels(m->audio);
	int err;

	if (frames > m->mix_len) {
		free(m->mix);
		m->mix_len = 0;
		m->mix = calloc(frames, sizeof(*m->mix));
		if (!m->mix)
			return why_set(why, -ENOMEM, "no memory for its audio");
		m->mix_len = frames;
	}
	if (m->spec->channel >= 0)
		pcm_pick(samples, frames, channels, (uint32_t)m->spec->channel, m->mix);
	else
		pcm_mean(samples, frames, channels, m->mix);
	err = check_finite(m, frames, why);
	if (err)
		return err;
	if (!m->resampler)
		buf_add(&m->out, m->mix, frames * sizeof(*m->mix));
	else if (resampler_push(m->resampler, m->mix, frames, &m->out) < 0)
		return why_set(why, -ENOMEM, "no memory to resample it");
	m->taken += frames;
	return buf_error(&m->out) ? buf_failure(&m->out, why) : 0;
}

static int take_all(struct mono *m, char *why)
{
	while (m->taken < m->limit) {
		const float *samples;
		size_t frames;
		int err = audio_read(m->audio, &samples, &frames, why);

		if (err)
			return err;
		if (frames == 0)
			break;
		if (frames > m->limit - m->taken)
			frames = (size_t)(m->limit - m->taken);
		err = take(m, samples, frames, why);
		if (err)
			return err;
	}
	return 0;
}

/* Samples that librosa.resample gives of n, in its own arithmetic: doubles. */
static double resampled_length(uint64_t n, uint32_t rate_in, uint32_t rate_out)
{
	double ratio = (double)rate_out / rate_in;

	return ceil((double)n * ratio);
}

/* Makes the signal n samples long, with zeros where there are fewer. */
static int fix_length(struct mono *m, double n, char *why)
{
	static const float zeros[1024];
	size_t want;

	if (n > (double)MFCC_SAMPLES_MAX)
		return why_set(why, -ENOMEM, "its audio is longer than %" PRIu64 " samples",
		               MFCC_SAMPLES_MAX);
	want = (size_t)n * sizeof(float);
	while (m->out.len < want && !buf_error(&m->out)) {
		size_t part = want - m->out.len;

		buf_add(&m->out, zeros, part < sizeof(zeros) ? part : sizeof(zeros));
	}
	if (buf_error(&m->out))
		return buf_failure(&m->out, why);
	m->out.len = want;
	return 0;
}

static int finish(struct mono *m, char *why)
{
	const struct mfcc_spec *s = m->spec;
	int err;

	if (m->resampler) {
		if (resampler_finish(m->resampler, &m->out) < 0)
			return why_set(why, -ENOMEM, "no memory to resample it");
		err = fix_length(m, resampled_length(m->taken, audio_rate(m->audio), s->sr), why);
		if (err)
			return err;
	}
	return s->duration > 0 ? fix_length(m, (double)mfcc_fixed_samples(s), why) : 0;
}

int mono_decode(struct input *in, const char *extension, const struct mfcc_spec *spec,
                float **ret_samples, size_t *ret_n, char *why)
{
	struct mono m = { .spec = spec };
	int err;

	err = audio_open(in, extension, &m.audio, why);
	if (err)
		return err;
	audio_ahead(m.audio, spec->duration > 0 ? spec->duration : INFINITY);
	err = open_all(&m, why);
	if (!err)
		err = take_all(&m, why);
	if (!err)
		err = finish(&m, why);
	if (!err) {
		*ret_n = m.out.len / sizeof(float);
		*ret_samples = (float *)(void *)buf_take(&m.out);
		if (!*ret_samples)
			err = why_set(why, -ENOMEM, "no memory for its audio");
	}
	buf_done(&m.out);
	free(m.mix);
	resampler_free(m.resampler);
	audio_close(m.audio);
	return err;
}
