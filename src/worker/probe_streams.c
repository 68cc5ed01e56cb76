#include "worker/probe_streams.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>
#include <libavutil/samplefmt.h>
#include <stdio.h>

#include "worker/demux.h"
#include "worker/peek.h"

static char type_of(const AVStream *st)
{
	switch (st->codecpar->codec_type) {
	case AVMEDIA_TYPE_VIDEO:
		return demux_is_picture(st) ? '?' : 'v';
	case AVMEDIA_TYPE_AUDIO:
		return 'a';
	case AVMEDIA_TYPE_SUBTITLE:
		return 's';
	default:
		return '?';
	}
}

/* Printable ASCII only, terminated: it comes from the file. */
static void copy_text(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; src && src[n] && n + 1 < size; n++)
		dst[n] = src[n] >= ' ' && src[n] <= '~' ? src[n] : '?';
	dst[n] = '\0';
}

static int64_t duration_us(const AVFormatContext *format, const AVStream *st)
{
	int64_t d = 0;

	if (st->duration != AV_NOPTS_VALUE && st->time_base.num > 0 && st->time_base.den > 0)
		d = av_rescale_q(st->duration, st->time_base, AV_TIME_BASE_Q);
	else if (format->duration != AV_NOPTS_VALUE)
		d = format->duration;
	/* About 36000 years; rescaling says INT64_MIN when it overflows. */
	return d > 0 && d < INT64_C(1) << 60 ? d : 0;
}

static void describe(const AVFormatContext *format, const AVStream *st, struct table_stream *s)
{
	const AVCodecParameters *par = st->codecpar;
	int channels = par->ch_layout.nb_channels;
	const AVDictionaryEntry *language = av_dict_get(st->metadata, "language", NULL, 0);

	*s = (struct table_stream){.type = type_of(st), .duration_us = duration_us(format, st)};
	copy_text(s->codec, sizeof(s->codec), avcodec_get_name(par->codec_id));
	if (par->codec_type == AVMEDIA_TYPE_VIDEO) {
		s->width = par->width > 0 ? (uint32_t)par->width : 0;
		s->height = par->height > 0 ? (uint32_t)par->height : 0;
		copy_text(s->detail, sizeof(s->detail),
		          av_get_pix_fmt_name((enum AVPixelFormat)par->format));
	} else if (par->codec_type == AVMEDIA_TYPE_AUDIO) {
		s->sample_rate = par->sample_rate > 0 ? (uint32_t)par->sample_rate : 0;
		s->channels = channels > 0 ? (uint32_t)channels : 0;
		copy_text(s->detail, sizeof(s->detail),
		          av_get_sample_fmt_name((enum AVSampleFormat)par->format));
	}
	if ((s->type == 'v' || s->type == 'a') && !avcodec_find_decoder(par->codec_id))
		copy_text(s->detail, sizeof(s->detail), "no decoder");
	if (language)
		copy_text(s->language, sizeof(s->language), language->value);
}

void probe_streams(AVFormatContext *format, struct table_head *h)
{
	h->n_streams = format->nb_streams;
	for (uint32_t i = 0; i < h->n_streams && i < TABLE_STREAMS_MAX; i++)
		describe(format, format->streams[i], &h->streams[i]);
	h->video_stream = demux_best_video(format);
	h->audio_stream = demux_best_audio(format, h->video_stream);
	if (h->video_stream >= 0 && h->video_stream < (int32_t)TABLE_STREAMS_MAX)
		h->streams[h->video_stream].selected = 1;
	if (h->audio_stream >= 0 && h->audio_stream < (int32_t)TABLE_STREAMS_MAX)
		h->streams[h->audio_stream].selected = 1;
}

void probe_streams_pixels(struct table_stream *s, const struct peek *seen)
{
	s->width = (uint32_t)seen->width;
	s->height = (uint32_t)seen->height;
	if (seen->format >= 0)
		copy_text(s->detail, sizeof(s->detail),
		          av_get_pix_fmt_name((enum AVPixelFormat)seen->format));
}
