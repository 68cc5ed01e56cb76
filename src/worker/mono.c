#include "worker/mono.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/buf.h"
#include "worker/audio.h"
#include "worker/pcm.h"
#include "worker/resample.h"
#include "worker/why.h"

#define ZEROS 4096u                 /* samples a read, of those that pad */

struct mono {
	const struct mfcc_spec *spec;
	struct audio *audio;
	struct resampler *resampler;  /* NULL: the file has the wanted rate */
	uint64_t limit;               /* samples at the file's rate that are wanted */
	uint64_t taken;               /* of them */
	bool ended;                   /* no more will be taken */
	uint64_t given;               /* samples at spec->sr that have gone out */
	uint64_t signal;              /* of them at most before padding; known once ended */
	uint64_t total;               /* of them with it: likewise, unless the duration is fixed */
	float *mix;                   /* one chunk of one channel */
	size_t mix_len;               /* floats that fit */
	struct buf out;               /* of the resampler: floats at spec->sr */
};

static const float zeros[ZEROS];

static int no_memory(char *why)
{
	return why_set(why, -ENOMEM, "no memory for its audio");
}

static int prepare(struct mono *m, char *why)
{
	const struct mfcc_spec *s = m->spec;
	uint32_t rate = audio_rate(m->audio), channels = audio_channels(m->audio);

	if (s->channel >= 0 && (uint32_t)s->channel >= channels)
		return why_set(why, -ENODATA, "channel %" PRId32 " was asked for, it has %" PRIu32
		               " channel%s", s->channel, channels, channels == 1 ? "" : "s");
	m->limit = s->duration > 0 ? (uint64_t)(s->duration * rate) : UINT64_MAX;
	m->signal = UINT64_MAX;
	m->total = s->duration > 0 ? mfcc_fixed_samples(s) : UINT64_MAX;
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

int mono_open(struct input *in, const char *extension, const struct mfcc_spec *spec,
              struct mono **ret, char *why)
{
	struct mono *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return no_memory(why);
	m->spec = spec;
	buf_init(&m->out, SIZE_MAX);
	err = audio_open(in, extension, &m->audio, why);
	if (!err) {
		audio_ahead(m->audio, spec->duration > 0 ? spec->duration : INFINITY);
		err = prepare(m, why);
	}
	if (err) {
		mono_close(m);
		return err;
	}
	*ret = m;
	return 0;
}

void mono_close(struct mono *m)
{
	if (!m)
		return;
	buf_done(&m->out);
	free(m->mix);
	resampler_free(m->resampler);
	audio_close(m->audio);
	free(m);
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

/* frames of all channels into mix. */
static int mix(struct mono *m, const float *samples, size_t frames, char *why)
{
	uint32_t channels = audio_channels(m->audio);

	if (frames > m->mix_len) {
		free(m->mix);
		m->mix_len = 0;
		m->mix = calloc(frames, sizeof(*m->mix));
		if (!m->mix)
			return no_memory(why);
		m->mix_len = frames;
	}
	if (m->spec->channel >= 0)
		pcm_pick(samples, frames, channels, (uint32_t)m->spec->channel, m->mix);
	else
		pcm_mean(samples, frames, channels, m->mix);
	return check_finite(m, frames, why);
}

/* Samples that librosa.resample gives of n, in its own arithmetic: doubles. */
static uint64_t resampled_length(uint64_t n, uint32_t rate_in, uint32_t rate_out)
{
	double ratio = (double)rate_out / rate_in, length = ceil((double)n * ratio);

	return length < 0x1p63 ? (uint64_t)length : UINT64_MAX / 2;
}

/* Nothing more is taken: what there is in all can be told. */
static int end(struct mono *m, const float **ret_samples, size_t *ret_n, char *why)
{
	m->ended = true;
	m->signal = m->taken;
	*ret_n = 0;
	if (m->resampler) {
		m->signal = resampled_length(m->taken, audio_rate(m->audio), m->spec->sr);
		if (resampler_finish(m->resampler, &m->out) < 0 || buf_error(&m->out))
			return why_set(why, -ENOMEM, "no memory to resample it");
		*ret_samples = (const float *)(const void *)m->out.data;
		*ret_n = m->out.len / sizeof(float);
	}
	if (m->total == UINT64_MAX)
		m->total = m->signal;
	return 0;
}

/* The next piece of the signal at spec->sr; *ret_n may be 0 before the end. */
static int advance(struct mono *m, const float **ret_samples, size_t *ret_n, char *why)
{
	const float *samples;
	size_t frames = 0;
	int err = 0;

	if (m->taken < m->limit)
		err = audio_read(m->audio, &samples, &frames, why);
	if (err)
		return err;
	if (frames > m->limit - m->taken)
		frames = (size_t)(m->limit - m->taken);
	buf_reset(&m->out);
	if (frames == 0)
		return end(m, ret_samples, ret_n, why);
	err = mix(m, samples, frames, why);
	if (err)
		return err;
	m->taken += frames;
	*ret_samples = m->mix;
	*ret_n = frames;
	if (!m->resampler)
		return 0;
	if (resampler_push(m->resampler, m->mix, frames, &m->out) < 0 || buf_error(&m->out))
		return why_set(why, -ENOMEM, "no memory to resample it");
	*ret_samples = (const float *)(const void *)m->out.data;
	*ret_n = m->out.len / sizeof(float);
	return 0;
}

static size_t at_most(size_t n, uint64_t most)
{
	return n < most ? n : (size_t)most;
}

int mono_read(struct mono *m, const float **ret_samples, size_t *ret_n, char *why)
{
	size_t n = 0;

	while (n == 0 && !m->ended) {
		int err = advance(m, ret_samples, &n, why);

		if (err)
			return err;
		n = at_most(n, m->given < m->signal ? m->signal - m->given : 0);
	}
	/* Where the resampler gives fewer than librosa has, and up to the duration. */
	if (n == 0) {
		n = ZEROS;
		*ret_samples = zeros;
	}
	*ret_n = at_most(n, m->given < m->total ? m->total - m->given : 0);
	m->given += *ret_n;
	return 0;
}
