#include "worker/demux.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <stdio.h>
#include <string.h>

#include "worker/avlog.h"
#include "worker/input.h"
#include "worker/why.h"

/* Containers of video and audio. Raw streams of video are left out: almost
 * anything can be taken for one. */
static const char containers[] =
	"mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,"
	"dv,gxf,ivf,live_flv,mxf,nut,rm,wtv,yuv4mpegpipe,"
	"aac,ac3,aiff,amr,ape,au,caf,eac3,flac,mp3,tta,w64,wav,wv";

static int refuse_open(AVFormatContext *format, AVIOContext **pb, const char *url, int flags,
                       AVDictionary **options)
{
	(void)format, (void)pb, (void)url, (void)flags, (void)options;
	return AVERROR(EPERM);
}

/* av_find_input_format knows a demuxer by one of its names, not by all. */
static const AVInputFormat *find_format(const char *container)
{
	char name[32];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(container, ","), container);
	return av_find_input_format(name);
}

int demux_open(struct input *in, const char *extension, const char *container, int flags,
               AVFormatContext **ret, char *why)
{
	const AVInputFormat *format = container[0] ? find_format(container) : NULL;
	AVFormatContext *f = avformat_alloc_context();
	AVIOContext *io = input_avio(in);
	char name[32];
	int err = AVERROR(ENOMEM);

	if (!f || !io)
		goto free_both;
	f->format_whitelist = av_strdup(containers);
	f->protocol_whitelist = av_strdup("");
	if (!f->format_whitelist || !f->protocol_whitelist)
		goto free_both;
	f->pb = io;
	f->flags |= flags | AVFMT_FLAG_CUSTOM_IO;
	f->io_open = refuse_open;
	f->skip_estimate_duration_from_pts = 1;
	snprintf(name, sizeof(name), "object.%.16s", extension);
	err = avformat_open_input(&f, name, format, NULL);
	if (err < 0) {
		/* f is gone already */
		input_avio_free(io);
		if (err == AVERROR(ENOMEM))
			return why_set(why, -ENOMEM, "no memory for its index");
		return why_set(why, avlog_errno(err), "not a media file that can be opened: %s",
		               av_err2str(err));
	}
	*ret = f;
	return 0;

free_both:
	avformat_free_context(f);
	input_avio_free(io);
	return why_set(why, avlog_errno(err), "no memory");
}

void demux_close(AVFormatContext **format)
{
	AVIOContext *io = *format ? (*format)->pb : NULL;

	avformat_close_input(format);
	input_avio_free(io);
}

void demux_rebind(AVFormatContext *format, struct input *in)
{
	input_avio_rebind(format->pb, in);
}

bool demux_is(const AVFormatContext *format, const char *name)
{
	return av_match_name(name, format->iformat->name);
}

bool demux_states_dts(const AVFormatContext *format)
{
	static const char *const names[] = {"mov", "mpegts", "mpeg", "flv"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (demux_is(format, names[i]))
			return true;
	}
	return false;
}

bool demux_is_picture(const AVStream *st)
{
	return st->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS);
}

int demux_best_video(AVFormatContext *format)
{
	int best = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);

	if (best < 0 || !demux_is_picture(format->streams[best]))
		return best < 0 ? -1 : best;
	for (unsigned i = 0; i < format->nb_streams; i++) {
		const AVStream *st = format->streams[i];

		if (st->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !demux_is_picture(st))
			return (int)i;
	}
	return -1;
}

int demux_best_audio(AVFormatContext *format, int video)
{
	const AVCodec *decoder;    /* asked for: streams without one are passed over */
	int best = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, video, &decoder, 0);

	if (best == AVERROR_DECODER_NOT_FOUND)
		best = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, video, NULL, 0);
	return best < 0 ? -1 : best;
}

void demux_select(AVFormatContext *format, int stream)
{
	for (unsigned i = 0; i < format->nb_streams; i++)
		format->streams[i]->discard = (int)i == stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
}
