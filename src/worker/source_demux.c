/* Packets out of a container that has to be taken apart.
 *
 * The demuxer's own idea of times and indexes isn't used: it is sent near the
 * wanted packet, and what it returns is compared with the table by offset and
 * size. From the first match on, packets have to follow the table one by one.
 * If it lands behind the wanted one, or nothing matches, it starts again from
 * the beginning of the object. */
#include <errno.h>
#include <libavcodec/packet.h>
#include <libavformat/avformat.h>
#include <libavutil/pixfmt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/avlog.h"
#include "worker/demux.h"
#include "worker/input.h"
#include "worker/source.h"
#include "worker/why.h"

#define NOWHERE UINT32_MAX

/* Packets of the stream that may come before the wanted one after a seek. */
#define NEAR 4096u

struct demux_source {
	struct source base;             /* first: a struct source * is cast to this */
	struct input *in;
	char extension[32];
	AVFormatContext *format;        /* NULL: not open */
	uint32_t next;                  /* table index of the packet that comes next, or NOWHERE */
	/* What came with a packet: demuxers give it only once. */
	uint8_t palette[AVPALETTE_SIZE];
	bool has_palette;
	uint8_t *extradata;             /* that holds from here on, other than the first; or NULL */
	size_t extradata_size;
};

/* Can it be packet p, where p is due? Not all packets have an offset. */
static bool may_be(const struct table_packet *p, const AVPacket *packet)
{
	return p->size == (uint32_t)packet->size &&
	       (p->pos < 0 || packet->pos < 0 || p->pos == packet->pos);
}

/* Is it packet p, with nothing else to go by? Times alone may have wrapped. */
static bool is_certainly(const struct table_packet *p, const AVPacket *packet)
{
	return may_be(p, packet) &&
	       (p->pos == packet->pos || (p->pos < 0 && p->dts == packet->dts));
}

static void keep_palette(struct demux_source *d, const AVPacket *packet)
{
	size_t size = 0;
	const uint8_t *palette = av_packet_get_side_data(packet, AV_PKT_DATA_PALETTE, &size);

	if (palette && size == sizeof(d->palette)) {
		memcpy(d->palette, palette, size);
		d->has_palette = true;
	}
}

/* A decoder that starts at this packet has to be told. */
static int give_palette(const struct demux_source *d, AVPacket *packet, char *why)
{
	uint8_t *palette;

	if (!d->has_palette || av_packet_get_side_data(packet, AV_PKT_DATA_PALETTE, NULL))
		return 0;
	palette = av_packet_new_side_data(packet, AV_PKT_DATA_PALETTE, sizeof(d->palette));
	if (!palette)
		return why_set(why, -ENOMEM, "no memory");
	memcpy(palette, d->palette, sizeof(d->palette));
	return 0;
}

static int keep_extradata(struct demux_source *d, const AVPacket *packet)
{
	size_t size = 0;
	const uint8_t *data = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size);
	uint8_t *copy;

	if (!data || size == 0)
		return 0;
	copy = malloc(size);
	if (!copy)
		return AVERROR(ENOMEM);
	memcpy(copy, data, size);
	free(d->extradata);
	d->extradata = copy;
	d->extradata_size = size;
	return 0;
}

static int give_extradata(const struct demux_source *d, AVPacket *packet, char *why)
{
	uint8_t *data;

	if (!d->extradata || av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, NULL))
		return 0;
	data = av_packet_new_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, d->extradata_size);
	if (!data)
		return why_set(why, -ENOMEM, "no memory");
	memcpy(data, d->extradata, d->extradata_size);
	return 0;
}

/* The next packet of the stream. AVERROR. */
static int next_packet(struct demux_source *d, int stream, AVPacket *packet)
{
	int av;

	do {
		av_packet_unref(packet);
		av = av_read_frame(d->format, packet);
	} while (av >= 0 && (packet->stream_index != stream || packet->size == 0));
	if (av < 0)
		return av;
	keep_palette(d, packet);
	return keep_extradata(d, packet);
}

/* Opened as for the table, so that packets come out cut the same way. */
static int open_format(struct demux_source *d, const struct request_frames *r, char *why)
{
	int err;

	demux_close(&d->format);
	d->next = NOWHERE;
	d->has_palette = false;
	free(d->extradata);
	d->extradata = NULL;
	err = demux_open(d->in, d->extension, r->container, 0, &d->format, why);
	if (err)
		return err;
	/* Streams that only appear with their first packets get their numbers in the
	 * order in which the probe saw them. */
	if (r->head->video_stream >= (int32_t)d->format->nb_streams) {
		int av = avformat_find_stream_info(d->format, NULL);

		if (av < 0)
			return why_set(why, avlog_errno(av), "its streams can't be told");
	}
	if (r->head->video_stream >= (int32_t)d->format->nb_streams)
		return why_set(why, -EBADMSG, "it no longer has its video stream");
	demux_select(d->format, r->head->video_stream);
	return 0;
}

/* Formats that can be entered at any packet. */
static bool seeks_by_offset(const AVFormatContext *format)
{
	return demux_is(format, "mpegts") || demux_is(format, "mpeg") || demux_is(format, "flv");
}

/* Near packet p, before it if possible. false: it can't be done. */
static bool seek_near(struct demux_source *d, const struct request_frames *r,
                      const struct table_packet *p)
{
	/* The mov family's index is in decode time, all others' in presentation time, which
	 * is the file's no longer where clocks were joined. Its own may lead to an earlier
	 * part: as good a place to search from as any before the packet. */
	bool by_dts = p->pts == TABLE_NOPTS || demux_is(d->format, "mov") ||
	              (r->head->table_flags & TABLE_JOINED);
	int64_t ts = by_dts ? p->dts : p->pts;

	if (seeks_by_offset(d->format))
		return p->pos >= 0 && av_seek_frame(d->format, -1, p->pos, AVSEEK_FLAG_BYTE) >= 0;
	return ts != TABLE_NOPTS &&
	       avformat_seek_file(d->format, r->head->video_stream, INT64_MIN, ts, ts, 0) >= 0;
}

/* Reads on until packet i comes. Returns 0, 1 (it doesn't), or -errno. */
static int search(struct demux_source *d, const struct request_frames *r, uint32_t i, uint32_t most,
                  AVPacket *packet, char *why)
{
	const struct table_packet *p = request_packet(r, i);

	for (uint32_t n = 0; n < most; n++) {
		int av = next_packet(d, r->head->video_stream, packet);

		if (av < 0) {
			if (input_error(d->in) || av == AVERROR(ENOMEM))
				return why_set(why, avlog_errno(av), "its packets can't be read");
			break;
		}
		if (i == 0 ? may_be(p, packet) : is_certainly(p, packet))
			return 0;
		if (p->pos >= 0 && packet->pos > p->pos)
			break;
	}
	av_packet_unref(packet);
	return 1;
}

/* Where codec parameters change on the way, and the demuxer, entered somewhere, doesn't tell
 * which ones hold there: all packets before have to be looked at. */
static int walk(struct demux_source *d, const struct request_frames *r, uint32_t i,
                AVPacket *packet, char *why)
{
	int err = d->format && d->next < i ? 0 : open_format(d, r, why);

	if (!err)
		err = search(d, r, i, TABLE_PACKETS_MAX, packet, why);
	return err == 1 ? why_set(why, -EBADMSG, "packet %u is not where it was", i) : err;
}

static int locate(struct demux_source *d, const struct request_frames *r, uint32_t i,
                  AVPacket *packet, char *why)
{
	bool at_start = !d->format;
	int err = at_start ? open_format(d, r, why) : 0;

	if (!err && i > 0) {
		at_start = false;
		err = 1;
		if (seek_near(d, r, request_packet(r, i)))
			err = search(d, r, i, NEAR, packet, why);
		if (err != 1)
			return err;
		err = 0;
	}
	if (!err && !at_start)
		err = open_format(d, r, why);
	if (!err)
		err = search(d, r, i, TABLE_PACKETS_MAX, packet, why);
	return err == 1 ? why_set(why, -EBADMSG, "packet %u is not where it was", i) : err;
}

/* Packet i, which is due. Returns 0, 1 (what comes is another one, or nothing), or -errno.
 * A demuxer that has sought may end where the part ends in which it is. */
static int read_next(struct demux_source *d, const struct request_frames *r, uint32_t i,
                     AVPacket *packet, char *why)
{
	int av = next_packet(d, r->head->video_stream, packet);

	if (av < 0 && (input_error(d->in) || av == AVERROR(ENOMEM)))
		return why_set(why, avlog_errno(av), "packet %u can't be read", i);
	if (av >= 0 && may_be(request_packet(r, i), packet))
		return 0;
	av_packet_unref(packet);
	return 1;
}

static int demux_read(struct source *s, const struct request_frames *r, uint32_t i,
                      AVPacket *packet, char *why)
{
	struct demux_source *d = (struct demux_source *)s;
	bool begins = i == r->head->first_packet;   /* a new decoder may have to be told all of it */
	int err = d->next == i && d->format ? read_next(d, r, i, packet, why) : 1;

	if (err == 1) {
		begins = true;
		err = r->head->table_flags & TABLE_NEW_PARAMS ? walk(d, r, i, packet, why)
		                                              : locate(d, r, i, packet, why);
	}
	if (!err && begins)
		err = give_palette(d, packet, why);
	if (!err && begins)
		err = give_extradata(d, packet, why);
	d->next = err ? NOWHERE : i + 1;
	return err;
}

static void demux_source_rebind(struct source *s, struct input *in)
{
	struct demux_source *d = (struct demux_source *)s;

	d->in = in;
	if (d->format)
		demux_rebind(d->format, in);
}

static void demux_source_free(struct source *s)
{
	struct demux_source *d = (struct demux_source *)s;

	demux_close(&d->format);
	free(d->extradata);
	free(d);
}

static const struct source_ops demux_ops = {demux_read, demux_source_rebind, demux_source_free};

struct source *source_demux_new(struct input *in, const char *extension)
{
	struct demux_source *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->base.ops = &demux_ops;
	d->in = in;
	d->next = NOWHERE;
	snprintf(d->extension, sizeof(d->extension), "%s", extension);
	return &d->base;
}
