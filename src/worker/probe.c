/* job_probe: from an object to its packet table. */
#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "media/spec.h"
#include "media/table.h"
#include "worker/avlog.h"
#include "worker/clock.h"
#include "worker/codecpar.h"
#include "worker/demux.h"
#include "worker/hevc_sps.h"
#include "worker/index.h"
#include "worker/input.h"
#include "worker/job.h"
#include "worker/orient.h"
#include "worker/peek.h"
#include "worker/probe_streams.h"
#include "worker/sei.h"
#include "worker/why.h"

/* Of a sync packet that wasn't read on the way; its beginning usually tells. */
#define PEEK_BYTES (32u * 1024)
#define PEEK_BYTES_MAX (8u << 20)

struct probe {
	struct input *in;
	const struct proto_job *job;
	AVFormatContext *format;
	struct table_head *head;        /* in the output */
	struct index index;
	char *why;
};

static int open_container(struct probe *p)
{
	char extension[sizeof(p->job->extension) + 1] = "";
	int err;

	memcpy(extension, p->job->extension, sizeof(p->job->extension));
	/* First without libavformat looking into payload: enough where the header
	 * tells everything. */
	err = demux_open(p->in, extension, "", AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN,
	                 &p->format, p->why);
	if (err || demux_is(p->format, "mov") || demux_is(p->format, "avi"))
		return err;
	p->format->flags &= ~(AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN);
	err = avformat_find_stream_info(p->format, NULL);
	return err < 0 ? why_set(p->why, avlog_errno(err), "its streams can't be told") : 0;
}

/* Reads packets by the cheapest way that this container has. */
static int index_packets(struct probe *p)
{
	int stream = p->head->video_stream, err = 1;

	if (demux_is(p->format, "mov")) {
		demux_select(p->format, stream);
		return index_mov(p->format, stream, p->in, &p->index, p->why);
	}
	if (demux_is(p->format, "avi"))
		err = index_avi(p->format, stream, p->in, &p->index, p->why);
	if (err != 1)
		return err;
	input_ahead(p->in, 0, input_size(p->in));
	p->format->flags &= ~(AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN);
	demux_select(p->format, stream);
	return index_whole(p->format, stream, &p->index, p->why);
}

/* A stream has pts for all packets or for none: where some are missing, the order
 * of output is what counts. */
static void settle_pts(struct index *x)
{
	bool missing = false;

	for (uint32_t i = 0; i < x->n; i++)
		missing = missing || x->p[i].pts == TABLE_NOPTS;
	for (uint32_t i = 0; missing && i < x->n; i++)
		x->p[i].pts = TABLE_NOPTS;
}

/* One clock for all of the file (clock.h). */
static void join_clocks(struct probe *p)
{
	const AVStream *st = p->format->streams[p->head->video_stream];
	const AVCodecDescriptor *d = avcodec_descriptor_get(st->codecpar->codec_id);
	const int64_t tenth = av_rescale(1, st->time_base.den, INT64_C(10) * st->time_base.num);
	const struct clock_rules rules = {
		.dts = demux_states_dts(p->format),
		.leaps = p->format->iformat->flags & AVFMT_TS_DISCONT,
		.reorders = !d || (d->props & AV_CODEC_PROP_REORDER),
		.tenth = tenth > 1 ? tenth : 1,
	};

	if (clock_join(p->index.p, p->index.n, &rules))
		p->index.flags |= TABLE_JOINED;
}

static uint32_t codec_flags(const AVCodecParameters *par)
{
	const AVCodecDescriptor *d = avcodec_descriptor_get(par->codec_id);
	uint32_t flags = 0;

	if (d && (d->props & AV_CODEC_PROP_INTRA_ONLY))
		flags |= TABLE_INTRA_ONLY;
	switch (par->codec_id) {
	case AV_CODEC_ID_MPEG2VIDEO:
	case AV_CODEC_ID_MPEG4:
	case AV_CODEC_ID_H264:
		return flags | TABLE_SKIP_NONREF;
	case AV_CODEC_ID_HEVC:
		if (par->extradata_size > 0 &&
		    hevc_sps_single_layer(par->extradata, (size_t)par->extradata_size))
			return flags | TABLE_SKIP_NONREF;
		return flags;
	default:
		return flags;
	}
}

/* The first sync packet's first bytes, or more of them. */
static int read_first(struct probe *p, uint32_t most)
{
	const struct table_packet *packet = p->index.p;
	uint32_t i = 0, len;
	int err;

	while (i < p->index.n && !(packet[i].flags & TABLE_KEY))
		i++;
	if (i == p->index.n)
		i = 0;
	if (packet[i].pos < 0)
		return 0;
	len = packet[i].size < most ? packet[i].size : most;
	av_packet_unref(p->index.first);
	if (av_new_packet(p->index.first, (int)len) < 0)
		return why_set(p->why, -ENOMEM, "no memory");
	err = input_read_all(p->in, (uint64_t)packet[i].pos, p->index.first->data, len);
	return err ? why_set(p->why, err, "its first sync packet can't be read") : 0;
}

static int peek(struct probe *p, const AVCodecParameters *par, struct peek *ret)
{
	bool contiguous = p->index.flags & TABLE_CONTIGUOUS;
	int err = contiguous ? read_first(p, PEEK_BYTES) : 0;

	if (!err)
		err = peek_stream(par, p->index.first, contiguous, ret, p->why);
	if (err == 1 && contiguous) {
		err = read_first(p, PEEK_BYTES_MAX);
		if (!err)
			err = peek_stream(par, p->index.first, false, ret, p->why);
	}
	return err == 1 ? 0 : err;
}

/* As the container says, else as the stream itself does. */
static struct orientation orientation_of(const struct probe *p, const AVStream *st)
{
	const void *matrix;

#if LIBAVCODEC_VERSION_MAJOR < 61
	matrix = av_stream_get_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, NULL);
#else
	const AVPacketSideData *sd = av_packet_side_data_get(st->codecpar->coded_side_data,
	                                                     st->codecpar->nb_coded_side_data,
	                                                     AV_PKT_DATA_DISPLAYMATRIX);

	matrix = sd ? sd->data : NULL;
#endif
	return matrix ? orient_of_matrix(matrix)
	              : sei_orientation(st->codecpar, p->index.first->data,
	                                (size_t)p->index.first->size);
}

static void describe_colour(const struct peek *seen, struct table_head *h)
{
	const char *matrix = av_color_space_name((enum AVColorSpace)seen->matrix);
	const char *range = av_color_range_name((enum AVColorRange)seen->range);

	snprintf(h->colour, sizeof(h->colour), "%s %s", matrix ? matrix : "unknown",
	         range ? range : "unknown");
}

/* From first to last pts, for containers that don't state it; 0 unknown. */
static int64_t shown_us(const struct index *x, const AVStream *st)
{
	int64_t first = INT64_MAX, last = INT64_MIN, d;

	for (uint32_t i = 0; i < x->n && x->p[i].pts != TABLE_NOPTS; i++) {
		first = x->p[i].pts < first ? x->p[i].pts : first;
		last = x->p[i].pts > last ? x->p[i].pts : last;
	}
	if (first > last || __builtin_sub_overflow(last, first, &d))
		return 0;
	d = av_rescale_q(d, st->time_base, AV_TIME_BASE_Q);
	return d > 0 && d <= TABLE_PTS_MAX ? d : 0;
}

/* All of the head that is about the chosen video stream. */
static int describe_video(struct probe *p)
{
	const AVStream *st = p->format->streams[p->head->video_stream];
	struct table_head *h = p->head;
	struct peek seen;
	struct orientation o;
	bool turned;
	int err;

	err = peek(p, st->codecpar, &seen);
	if (err)
		return err;
	o = orientation_of(p, st);
	h->rotation = o.degrees;
	if (o.mirrored)
		h->flags |= TABLE_MIRRORED;
	turned = orient_swaps_sides(o);
	if (seen.width < 1 || seen.height < 1)
		return why_set(p->why, -EBADMSG, "its frames have no size");
	h->width = (uint32_t)(turned ? seen.height : seen.width);
	h->height = (uint32_t)(turned ? seen.width : seen.height);
	h->time_base_num = st->time_base.num;
	h->time_base_den = st->time_base.den;
	if (st->avg_frame_rate.num > 0 && st->avg_frame_rate.den > 0) {
		h->avg_rate_num = (uint32_t)st->avg_frame_rate.num;
		h->avg_rate_den = (uint32_t)st->avg_frame_rate.den;
	}
	describe_colour(&seen, h);
	if ((uint32_t)h->video_stream < TABLE_STREAMS_MAX) {
		struct table_stream *s = &h->streams[h->video_stream];

		probe_streams_pixels(s, &seen);
		if (s->duration_us == 0)
			s->duration_us = shown_us(&p->index, st);
	}
	return 0;
}

static int probe_video(struct probe *p, size_t out_size)
{
	const AVCodecParameters *par = p->format->streams[p->head->video_stream]->codecpar;
	size_t used, len;
	int err;

	err = index_packets(p);
	if (err)
		return err;
	if (p->index.n == 0)
		return why_set(p->why, -EBADMSG, "its video stream has no packets");
	settle_pts(&p->index);
	join_clocks(p);
	p->head->n_packets = p->index.n;
	p->head->flags = p->index.flags | codec_flags(par);
	for (uint32_t i = 0; (p->head->flags & TABLE_INTRA_ONLY) && i < p->index.n; i++)
		p->index.p[i].flags |= TABLE_KEY;
	err = describe_video(p);
	if (err)
		return err;
	used = sizeof(*p->head) + (size_t)p->index.n * sizeof(struct table_packet);
	len = out_size - used < TABLE_PARAMS_MAX ? out_size - used : TABLE_PARAMS_MAX;
	err = codecpar_pack(par, (uint8_t *)p->head + used, len, &len);
	if (err)
		return why_set(p->why, err, "its codec parameters are too large");
	p->head->params_len = (uint32_t)len;
	return 0;
}

static int probe(struct probe *p, size_t out_size)
{
	int err = open_container(p);

	if (err)
		return err;
	p->head->magic = TABLE_MAGIC;
	p->head->object_size = p->job->object_size;
	snprintf(p->head->container, sizeof(p->head->container), "%s", p->format->iformat->name);
	probe_streams(p->format, p->head);
	return p->head->video_stream < 0 ? 0 : probe_video(p, out_size);
}

int job_probe(const struct proto_job *job, struct job_io *io, size_t *ret_len, char *why)
{
	struct probe p = {
		.in = io->in,
		.job = job,
		.head = (struct table_head *)(void *)io->out,
		.why = why,
	};
	size_t room;
	int err;

	if (io->out_size < sizeof(*p.head) + TABLE_PARAMS_MAX)
		return why_set(why, -EINVAL, "no room for a table");
	room = (io->out_size - sizeof(*p.head) - TABLE_PARAMS_MAX) / sizeof(struct table_packet);
	memset(p.head, 0, sizeof(*p.head));
	p.index.p = (struct table_packet *)(void *)(p.head + 1);
	p.index.max = room < TABLE_PACKETS_MAX ? (uint32_t)room : TABLE_PACKETS_MAX;
	p.index.object_size = job->object_size;
	p.index.first = av_packet_alloc();
	if (!p.index.first)
		return why_set(why, -ENOMEM, "no memory");
	err = probe(&p, io->out_size);
	/* The daemon will check the same: better to say so in our own words. */
	if (!err)
		err = table_check(p.head, table_size(p.head), job->object_size, why);
	if (!err)
		*ret_len = table_size(p.head);
	demux_close(&p.format);
	av_packet_free(&p.index.first);
	return err;
}
