#include "worker/resample.h"

#include <errno.h>
#include <limits.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <stdlib.h>

#define CHUNK 16384u            /* samples out of a call */
#define SLACK 64u               /* of them, beyond what the input stands for */

/* swresample must never be left with input of its own: what libsoxr didn't take
 * because the output was full lies in a buffer which a flush then reads past its
 * end (FFmpeg 5.1). Hence a bound on the samples of a push. */
struct resampler {
	SwrContext *swr;
	size_t max_in;              /* samples a call that can't fill out[] */
	float out[CHUNK];
};

static size_t max_input(uint32_t rate_in, uint32_t rate_out)
{
	uint64_t n = (uint64_t)(CHUNK - SLACK) * rate_in / rate_out;

	return n < CHUNK ? (size_t)n : CHUNK;
}

int resampler_new(uint32_t rate_in, uint32_t rate_out, struct resampler **ret)
{
	AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
	struct resampler *r;
	int err;

	if (rate_in < 1 || rate_in > INT_MAX || rate_out < 1 || rate_out > INT_MAX ||
	    max_input(rate_in, rate_out) < 1)
		return -ENOTSUP;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->max_in = max_input(rate_in, rate_out);
	err = swr_alloc_set_opts2(&r->swr, &mono, AV_SAMPLE_FMT_FLT, (int)rate_out, &mono,
	                          AV_SAMPLE_FMT_FLT, (int)rate_in, 0, NULL);
	/* no other option: its defaults are the HQ recipe, each one set moves it away */
	if (err >= 0)
		err = av_opt_set_int(r->swr, "resampler", SWR_ENGINE_SOXR, 0);
	if (err >= 0)
		err = swr_init(r->swr);
	if (err < 0) {
		resampler_free(r);
		return err == AVERROR(ENOMEM) ? -ENOMEM : -ENOTSUP;
	}
	*ret = r;
	return 0;
}

void resampler_free(struct resampler *r)
{
	if (r)
		swr_free(&r->swr);
	free(r);
}

/* in NULL: asks for what is inside after the last of the input. Returns samples
 * appended, or -ENOMEM. */
static int convert(struct resampler *r, const float *in, size_t n, struct buf *out)
{
	const uint8_t *planes_in[1] = { (const uint8_t *)in };
	uint8_t *planes_out[1] = { (uint8_t *)r->out };
	int got = swr_convert(r->swr, planes_out, CHUNK, in ? planes_in : NULL, (int)n);

	if (got < 0)
		return -ENOMEM;
	buf_add(out, r->out, (size_t)got * sizeof(*r->out));
	return got;
}

int resampler_push(struct resampler *r, const float *samples, size_t n, struct buf *out)
{
	while (n) {
		size_t part = n < r->max_in ? n : r->max_in;

		if (convert(r, samples, part, out) < 0)
			return -ENOMEM;
		samples += part;
		n -= part;
	}
	return 0;
}

int resampler_finish(struct resampler *r, struct buf *out)
{
	int got;

	do {
		got = convert(r, NULL, 0, out);
	} while (got > 0);
	return got;
}
