/* Everything else: Matroska, transport streams, ... have no index of all packets,
 * so they are read from end to end, once. */
#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <string.h>

#include "worker/avlog.h"
#include "worker/demux.h"
#include "worker/fields.h"
#include "worker/index.h"
#include "worker/why.h"

/* Durations that the file states. Others come from libavformat's guess of the
 * frame rate, and would make one clip differ from container to container. */
static bool has_durations(const AVFormatContext *format, const AVStream *st)
{
	return demux_is(format, "matroska") && st->avg_frame_rate.num > 0;
}

/* VP8 has packets that only update a reference: the fifth bit says whether a
 * frame is shown (RFC 6386, 9.1). Theora's headers have the first bit set (its
 * specification, 6.1): a chained Ogg has them in the middle. Nothing comes out for
 * either. */
static bool is_never_shown(enum AVCodecID id, const AVPacket *pkt)
{
	if (pkt->size == 0)
		return false;
	return (id == AV_CODEC_ID_VP8 && !(pkt->data[0] & 0x10)) ||
	       (id == AV_CODEC_ID_THEORA && (pkt->data[0] & 0x80));
}

/* Do other codec parameters come with it than the stream began with? A palette counts, the
 * first one too: a demuxer that seeks past the packet with it never tells it again. */
static bool has_new_params(const AVCodecParameters *par, const AVPacket *pkt)
{
	size_t size = 0;
	const uint8_t *data;

	if (av_packet_get_side_data(pkt, AV_PKT_DATA_PALETTE, NULL))
		return true;
	data = av_packet_get_side_data(pkt, AV_PKT_DATA_NEW_EXTRADATA, &size);
	return data && size && ((size_t)par->extradata_size != size ||
	                        memcmp(par->extradata, data, size) != 0);
}

/* It belongs to the frame before it, whatever the container says of it. */
static void join_field(struct index *x, struct table_packet *p)
{
	struct table_packet *first = &x->p[x->n - 1];

	p->pts = first->pts;
	if (first->duration > 0 && first->duration <= TABLE_PTS_MAX && p->duration <= TABLE_PTS_MAX)
		first->duration += p->duration;
	p->duration = 0;
	p->flags = TABLE_HIDDEN | TABLE_SECOND;
}

static int add_packet(struct index *x, const AVStream *st, const AVPacket *pkt, bool durations,
                      bool second, char *why)
{
	bool no_frame = is_never_shown(st->codecpar->codec_id, pkt);
	bool hidden = no_frame || (pkt->flags & AV_PKT_FLAG_DISCARD);
	struct table_packet p = {
		.pts = pkt->pts,
		.dts = pkt->dts,
		.pos = pkt->pos < 0 || (uint64_t)pkt->pos >= x->object_size ? -1 : pkt->pos,
		.duration = durations && pkt->duration > 0 ? pkt->duration : 0,
		.size = (uint32_t)pkt->size,
		.flags = ((pkt->flags & AV_PKT_FLAG_KEY) && !no_frame ? TABLE_KEY : 0) |
		         (hidden ? TABLE_HIDDEN : 0),
	};

	if (second && x->n > 0)
		join_field(x, &p);
	if (has_new_params(st->codecpar, pkt))
		x->flags |= TABLE_NEW_PARAMS;
	if ((p.flags & TABLE_KEY) && !x->first->size && av_packet_ref(x->first, pkt) < 0)
		return why_set(why, -ENOMEM, "no memory");
	return index_add(x, &p, why);
}

int index_whole(AVFormatContext *format, int stream, struct index *x, char *why)
{
	const AVStream *st = format->streams[stream];
	bool durations = has_durations(format, st);
	struct fields *fields = NULL;
	AVPacket *pkt = av_packet_alloc();
	int av = 0, err = pkt ? fields_new(st->codecpar, &fields) : -ENOMEM;

	if (err)
		why_set(why, err, "no memory");
	x->flags |= TABLE_WHOLE;
	while (!err && (av = av_read_frame(format, pkt)) >= 0) {
		if (pkt->stream_index == stream)
			err = add_packet(x, st, pkt, durations, fields_is_second(fields, pkt), why);
		av_packet_unref(pkt);
	}
	/* A file cut short: what is there can be shown. */
	if (!err && av != AVERROR_EOF && x->n == 0)
		err = why_set(why, avlog_errno(av), "its packets can't be read");
	fields_free(fields);
	av_packet_free(&pkt);
	return err;
}
