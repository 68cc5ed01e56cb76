/* Everything that isn't libsndfile's, by FFmpeg. */
#include <errno.h>
#include <inttypes.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdlib.h>

#include "worker/audio.h"
#include "worker/audio_backend.h"
#include "worker/demux.h"
#include "worker/input.h"
#include "worker/pcm.h"
#include "worker/why.h"

#define AHEAD_GAP (1 << 20)         /* bytes: what comes in during a request's first-byte time */
#define AHEAD_SLACK (64 << 10)      /* bytes: the start of a stream is not its average */

/* Errors in a row that a decoder may report for one packet. */
#define ERRORS_MAX 1000u

struct audio_av {
	struct audio base;          /* first: a struct audio * is cast to this */
	AVFormatContext *format;
	AVCodecContext *codec;
	AVPacket *packet;
	AVFrame *frame;
	bool draining;              /* no packet is left: what the decoder holds comes out */
	float *chunk;               /* one frame's samples */
	size_t chunk_len;           /* floats that fit */
	double ahead_seconds;       /* what audio_ahead asked for */
	int ahead_entry;            /* of the stream's index: the first not yet announced */
	int64_t ahead_end;          /* object bytes up to here are announced */
};

static int no_memory(char *why)
{
	return why_set(why, -ENOMEM, "no memory to decode its audio");
}

/* FFmpeg's errors as ours: memory stays memory, the rest is the file's fault. The
 * input's own errors are sorted out in audio.c. */
static int from_av(int err, const char *what, char *why)
{
	char text[AV_ERROR_MAX_STRING_SIZE] = "";

	if (err == AVERROR(ENOMEM))
		return no_memory(why);
	av_strerror(err, text, sizeof(text));
	return why_set(why, -EBADMSG, "%s: %s", what, text);
}

static void av_close(struct audio *base)
{
	struct audio_av *a = (struct audio_av *)base;

	av_packet_free(&a->packet);
	av_frame_free(&a->frame);
	avcodec_free_context(&a->codec);
	demux_close(&a->format);
	free(a->chunk);
	free(a);
}

/* Looking into the payload is for containers whose header leaves out what the
 * choice of a stream needs, or which have several to choose from. */
static bool needs_stream_info(const AVFormatContext *format)
{
	unsigned int audio = 0;

	for (unsigned int i = 0; i < format->nb_streams; i++) {
		const AVCodecParameters *par = format->streams[i]->codecpar;

		if (par->codec_type != AVMEDIA_TYPE_AUDIO)
			continue;
		audio++;
		if (par->codec_id == AV_CODEC_ID_NONE || par->sample_rate <= 0 ||
		    par->ch_layout.nb_channels <= 0)
			return true;
		/* Opus decodes to 48 kHz whatever a Matroska header says, and libavformat
		 * counts the samples to drop at the end by the header's rate until it has
		 * seen a packet decoded. */
		if (par->codec_id == AV_CODEC_ID_OPUS && par->sample_rate != 48000)
			return true;
	}
	return audio > 1 || (format->ctx_flags & AVFMTCTX_NOHEADER);
}

/* Told apart: a silent film, and a file whose sound nothing is known of. */
static int no_stream(const AVFormatContext *format, char *why)
{
	for (unsigned int i = 0; i < format->nb_streams; i++)
		if (format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
			return why_set(why, -EBADMSG, "its audio stream can't be decoded");
	return why_set(why, -ENODATA, "it has no audio stream");
}

static int choose_stream(struct audio_av *a, char *why)
{
	int err;

	if (needs_stream_info(a->format)) {
		err = avformat_find_stream_info(a->format, NULL);
		if (err < 0)
			return from_av(err, "its streams can't be told", why);
	}
	a->base.stream = demux_best_audio(a->format, demux_best_video(a->format));
	if (a->base.stream < 0)
		return no_stream(a->format, why);
	demux_select(a->format, a->base.stream);
	return 0;
}

static int open_codec(struct audio_av *a, char *why)
{
	const AVStream *stream = a->format->streams[a->base.stream];
	const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
	int err;

	if (!codec)
		return why_set(why, -EBADMSG, "there is no decoder for its %s audio",
		               avcodec_get_name(stream->codecpar->codec_id));
	a->codec = avcodec_alloc_context3(codec);
	a->packet = av_packet_alloc();
	a->frame = av_frame_alloc();
	if (!a->codec || !a->packet || !a->frame)
		return no_memory(why);
	err = avcodec_parameters_to_context(a->codec, stream->codecpar);
	if (err < 0)
		return from_av(err, "its audio's parameters", why);
	a->codec->pkt_timebase = stream->time_base;
	a->codec->thread_count = 1;
	err = avcodec_open2(a->codec, codec, NULL);
	return err < 0 ? from_av(err, "its audio's decoder doesn't open", why) : 0;
}

/* Announces the stream's next packets as one range of the object, the small gaps
 * between them, of other streams, included: a request costs more than they do. */
static void announce_packets(struct audio_av *a)
{
	AVStream *stream = a->format->streams[a->base.stream];
	int n = avformat_index_get_entries_count(stream);
	int64_t start = -1, end = -1;

	for (; a->ahead_entry < n; a->ahead_entry++) {
		const AVIndexEntry *e = avformat_index_get_entry(stream, a->ahead_entry);

		if (e->pos < 0 || e->size < 0 || e->pos > INT64_MAX - e->size ||
		    (double)e->timestamp * av_q2d(stream->time_base) > a->ahead_seconds)
			break;
		if (start < 0)
			start = end = e->pos;
		if (e->pos < start || e->pos - end > AHEAD_GAP)
			break;
		end = e->pos + e->size > end ? e->pos + e->size : end;
	}
	if (start < end)
		input_ahead(a->base.in, (uint64_t)start, (uint64_t)(end - start));
	a->ahead_end = start < end ? end : INT64_MAX;
}

/* Without an index: the share of the object that the seconds are of its duration. */
static void announce_share(struct audio_av *a)
{
	double duration = (double)a->format->duration / AV_TIME_BASE;
	uint64_t pos = (uint64_t)avio_tell(a->format->pb), size = input_size(a->base.in);
	double share = duration > 0 ? a->ahead_seconds / duration : 0;
	double end = (double)size * share * 1.1 + AHEAD_SLACK;

	if (end > (double)size)
		end = (double)size;
	if (share > 0 && end > (double)pos)
		input_ahead(a->base.in, pos, (uint64_t)end - pos);
	a->ahead_end = INT64_MAX;
}

static void av_ahead(struct audio *base, double seconds)
{
	struct audio_av *a = (struct audio_av *)base;

	a->ahead_seconds = seconds;
	if (avformat_index_get_entries_count(a->format->streams[a->base.stream]) > 1)
		announce_packets(a);
	else
		announce_share(a);
}

/* Gives the decoder the stream's next packet, or tells it that there is none.
 * Returns 0, also for a packet that doesn't decode, or -ENOMEM. */
static int feed(struct audio_av *a)
{
	int err;

	do {
		av_packet_unref(a->packet);
		err = av_read_frame(a->format, a->packet);
	} while (err >= 0 && a->packet->stream_index != a->base.stream);
	if (err == AVERROR(ENOMEM))
		return -ENOMEM;
	if (err >= 0 && a->packet->pos + a->packet->size >= a->ahead_end)
		announce_packets(a);
	if (err < 0) {
		a->draining = true;
		err = avcodec_send_packet(a->codec, NULL);
	} else {
		err = avcodec_send_packet(a->codec, a->packet);
		av_packet_unref(a->packet);
	}
	return err == AVERROR(ENOMEM) ? -ENOMEM : 0;
}

/* a->frame as the chunk to return. */
static int convert_frame(struct audio_av *a, char *why)
{
	const AVFrame *frame = a->frame;
	int channels = frame->ch_layout.nb_channels;
	size_t len;

	if (channels < 1 || channels > (int)AUDIO_CHANNELS_MAX || frame->sample_rate < 1)
		return why_set(why, -EBADMSG, "audio of %d channels at %d Hz", channels,
		               frame->sample_rate);
	len = (size_t)frame->nb_samples * (size_t)channels;
	if (len > a->chunk_len) {
		free(a->chunk);
		a->chunk_len = 0;
		a->chunk = calloc(len, sizeof(*a->chunk));
		if (!a->chunk)
			return no_memory(why);
		a->chunk_len = len;
	}
	if (pcm_to_float(frame, a->chunk) < 0)
		return why_set(why, -EBADMSG, "its samples are in no known format");
	a->base.rate = (uint32_t)frame->sample_rate;
	a->base.channels = (uint32_t)channels;
	return 0;
}

static int av_read(struct audio *base, const float **ret_samples, size_t *ret_frames, char *why)
{
	struct audio_av *a = (struct audio_av *)base;
	unsigned errors = 0;
	int err;

	for (;;) {
		err = avcodec_receive_frame(a->codec, a->frame);
		if (err >= 0 && a->frame->nb_samples > 0)
			break;
		if (err == AVERROR(ENOMEM))
			return no_memory(why);
		if (err == AVERROR_EOF || (err < 0 && a->draining)) {
			*ret_frames = 0;
			return 0;
		}
		if (err != AVERROR(EAGAIN)) {
			/* It has cost a packet; the decoder goes on with the next. */
			if (err < 0 && ++errors > ERRORS_MAX)
				return why_set(why, -EBADMSG, "its sound doesn't decode");
			continue;
		}
		errors = 0;
		if (feed(a) < 0)
			return no_memory(why);
	}
	err = convert_frame(a, why);
	if (err)
		return err;
	*ret_samples = a->chunk;
	*ret_frames = (size_t)a->frame->nb_samples;
	return 0;
}

static const struct audio_ops av_ops = { av_ahead, av_read, av_close };

int audio_av_open(struct input *in, const char *extension, struct audio **ret, char *why)
{
	struct audio_av *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return no_memory(why);
	a->base.ops = &av_ops;
	a->base.in = in;
	a->ahead_end = INT64_MAX;
	err = demux_open(in, extension, "", 0, &a->format, why);
	if (!err)
		err = choose_stream(a, why);
	if (!err)
		err = open_codec(a, why);
	if (err) {
		av_close(&a->base);
		return err;
	}
	*ret = &a->base;
	return 0;
}
