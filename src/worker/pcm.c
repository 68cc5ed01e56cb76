#include "worker/pcm.h"

#include <errno.h>
#include <libavutil/frame.h>
#include <libavutil/samplefmt.h>

/* n samples of one plane into every step-th float of out. */
typedef void convert_fn(const void *in, float *out, size_t step, size_t n);

#define CONVERTER(name, type, expression)                                   \
	static void name(const void *in, float *out, size_t step, size_t n) \
	{                                                                   \
		const type *v = in;                                         \
                                                                            \
		for (size_t i = 0; i < n; i++) {                            \
			const type x = v[i];                                \
                                                                            \
			out[i * step] = (expression);                       \
		}                                                           \
	}

CONVERTER(from_u8, uint8_t, ((int)x - 128) * 0x1p-7f)
CONVERTER(from_s16, int16_t, x * 0x1p-15f)
CONVERTER(from_s32, int32_t, (float)x * 0x1p-31f)
CONVERTER(from_s64, int64_t, (float)x * 0x1p-63f)
CONVERTER(from_flt, float, x)
CONVERTER(from_dbl, double, (float)x)

static convert_fn *converter(enum AVSampleFormat packed)
{
	switch (packed) {
	case AV_SAMPLE_FMT_U8:
		return from_u8;
	case AV_SAMPLE_FMT_S16:
		return from_s16;
	case AV_SAMPLE_FMT_S32:
		return from_s32;
	case AV_SAMPLE_FMT_S64:
		return from_s64;
	case AV_SAMPLE_FMT_FLT:
		return from_flt;
	case AV_SAMPLE_FMT_DBL:
		return from_dbl;
	default:
		return NULL;
	}
}

int pcm_to_float(const struct AVFrame *frame, float *out)
{
	enum AVSampleFormat format = frame->format;
	size_t channels = (size_t)frame->ch_layout.nb_channels, n = (size_t)frame->nb_samples;
	convert_fn *convert = converter(av_get_packed_sample_fmt(format));

	if (!convert)
		return -ENOTSUP;
	if (!av_sample_fmt_is_planar(format)) {
		convert(frame->extended_data[0], out, 1, n * channels);
		return 0;
	}
	for (size_t c = 0; c < channels; c++)
		convert(frame->extended_data[c], out + c, channels, n);
	return 0;
}

void pcm_pick(const float *in, size_t frames, uint32_t channels, uint32_t channel, float *out)
{
	for (size_t i = 0; i < frames; i++)
		out[i] = in[i * channels + channel];
}

void pcm_mean(const float *in, size_t frames, uint32_t channels, float *out)
{
	for (size_t i = 0; i < frames; i++) {
		float sum = in[i * channels];

		for (uint32_t c = 1; c < channels; c++)
			sum += in[i * channels + c];
		out[i] = sum / (float)channels;
	}
}
