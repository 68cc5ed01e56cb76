/* mov, mp4 and their fragments: libavformat has the index after opening, or gets
 * it fragment by fragment; pts come out only with packets. So packets are read
 * over an input that gives zeros for the payload. */
#include <errno.h>
#include <libavformat/avformat.h>
#include <stdbool.h>

#include "worker/avlog.h"
#include "worker/index.h"
#include "worker/input.h"
#include "worker/mdat.h"
#include "worker/why.h"

/* Zeros for the payload up to the mdat behind `pos`, where the demuxer goes next. */
static int hide_payload(struct mdat *m, uint64_t pos)
{
	size_t before = m->n;
	int more = 1;

	while (more > 0 && m->ranges[m->n - 1].off <= pos)
		more = mdat_next(m);
	if (more < 0)
		return more;
	return m->n == before ? 0 : input_set_zero_ranges(m->in, m->ranges, m->n);
}

/* Is what the packet holds not just object bytes, or not for every decoder? */
static bool is_special(const AVPacket *pkt)
{
	static const enum AVPacketSideDataType types[] = {
		AV_PKT_DATA_PALETTE, AV_PKT_DATA_NEW_EXTRADATA, AV_PKT_DATA_PARAM_CHANGE,
		AV_PKT_DATA_ENCRYPTION_INFO,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (av_packet_get_side_data(pkt, types[i], NULL))
			return true;
	}
	return false;
}

/* What the track's duration leaves for the last packet; 0 where an edit list makes
 * it another one's. */
static int64_t last_duration(const struct index *x, int64_t track)
{
	int64_t span, d;

	for (uint32_t i = 0; i < x->n; i++) {
		if (x->p[i].flags & TABLE_HIDDEN)
			return 0;
	}
	if (x->n == 0 || track == AV_NOPTS_VALUE || x->p[0].dts == TABLE_NOPTS ||
	    x->p[x->n - 1].dts == TABLE_NOPTS ||
	    __builtin_sub_overflow(x->p[x->n - 1].dts, x->p[0].dts, &span) ||
	    __builtin_sub_overflow(track, span, &d))
		return 0;
	return d > 0 ? d : 0;
}

/* The demuxer leaves durations out where there are composition offsets; they are
 * the distances in decode time. track: the stream's duration. */
static void fill_durations(struct index *x, int64_t track)
{
	for (uint32_t i = 0; i + 1 < x->n; i++) {
		int64_t d;

		if (x->p[i].duration == 0 && x->p[i].dts != TABLE_NOPTS &&
		    x->p[i + 1].dts != TABLE_NOPTS &&
		    !__builtin_sub_overflow(x->p[i + 1].dts, x->p[i].dts, &d) && d > 0)
			x->p[i].duration = d;
	}
	if (x->n > 0 && x->p[x->n - 1].duration == 0)
		x->p[x->n - 1].duration = last_duration(x, track);
}

/* Is it behind the object's end? A packet of which a part is missing is marked as corrupt. */
static bool is_cut(const struct index *x, const AVPacket *pkt)
{
	return pkt->flags & AV_PKT_FLAG_CORRUPT ||
	       (pkt->pos >= 0 && ((uint64_t)pkt->pos >= x->object_size ||
	                          (uint64_t)pkt->size > x->object_size - (uint64_t)pkt->pos));
}

/* A file cut short: what is there can be shown. The last frame there lasts until the
 * one that is missing, not to where the track once ended. */
static void leave_out(struct index *x, const AVPacket *pkt)
{
	struct table_packet *last = x->n > 0 ? &x->p[x->n - 1] : NULL;
	int64_t d;

	x->flags |= TABLE_CUT;
	if (last && last->duration == 0 && last->dts != TABLE_NOPTS && pkt->dts != AV_NOPTS_VALUE &&
	    !__builtin_sub_overflow(pkt->dts, last->dts, &d) && d > 0)
		last->duration = d;
}

static int add_packet(struct index *x, const AVPacket *pkt, char *why)
{
	struct table_packet p = {
		.pts = pkt->pts,
		.dts = pkt->dts,
		.pos = pkt->pos,
		.duration = pkt->duration > 0 ? pkt->duration : 0,
		.size = (uint32_t)pkt->size,
		.flags = (pkt->flags & AV_PKT_FLAG_KEY ? TABLE_KEY : 0) |
		         (pkt->flags & AV_PKT_FLAG_DISCARD ? TABLE_HIDDEN : 0),
	};

	if (is_cut(x, pkt)) {
		leave_out(x, pkt);
		return 0;
	}
	if (pkt->pos < 0 || is_special(pkt))
		x->flags &= ~(uint32_t)TABLE_CONTIGUOUS;
	return index_add(x, &p, why);
}

static int read_packets(AVFormatContext *format, int stream, struct mdat *payload,
                        struct index *x, AVPacket *pkt, char *why)
{
	uint64_t pos = 0;
	int av, err = 0;

	while (!err) {
		err = hide_payload(payload, pos);
		if (err)
			return why_set(why, err, "its fragments can't be found");
		av = av_read_frame(format, pkt);
		if (av < 0)
			return av == AVERROR_EOF || x->n ? 0 :
			       why_set(why, avlog_errno(av), "its index is broken");
		if (pkt->stream_index == stream)
			err = add_packet(x, pkt, why);
		if (pkt->pos > 0 && (uint64_t)pkt->pos > pos)
			pos = (uint64_t)pkt->pos;
		av_packet_unref(pkt);
	}
	return err;
}

int index_mov(AVFormatContext *format, int stream, struct input *in, struct index *x, char *why)
{
	AVPacket *pkt = av_packet_alloc();
	struct mdat payload;
	int err;

	if (!pkt)
		return why_set(why, -ENOMEM, "no memory");
	/* Without fragments, or without an index of them, the demuxer now stands in
	 * the last mdat or behind it; with one, in the first. */
	err = mdat_init(&payload, in, (uint64_t)avio_tell(format->pb));
	if (!err)
		err = input_set_zero_ranges(in, payload.ranges, payload.n);
	if (err) {
		why_set(why, err, "its payload can't be found");
		goto free_packet;
	}
	x->flags |= TABLE_CONTIGUOUS;
	err = read_packets(format, stream, &payload, x, pkt, why);
	fill_durations(x, format->streams[stream]->duration);

free_packet:
	input_set_zero_ranges(in, NULL, 0);
	mdat_done(&payload);
	av_packet_free(&pkt);
	return err;
}
