#include "media/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "media/spec.h"

#define WHY_SIZE 256

/* A packet can't be larger than what av_new_packet would allocate. */
#define PACKET_SIZE_MAX (1u << 30)

#define KNOWN_FLAGS (TABLE_CONTIGUOUS | TABLE_SKIP_NONREF | TABLE_WHOLE | TABLE_INTRA_ONLY | TABLE_CUT | \
                     TABLE_MIRRORED | TABLE_NEW_PARAMS | TABLE_JOINED)
#define KNOWN_PACKET_FLAGS (TABLE_KEY | TABLE_HIDDEN | TABLE_SECOND)

__attribute__((format(printf, 2, 3)))
static int refuse(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, WHY_SIZE, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

/* Terminated, and of printable ASCII: it will be shown to people. */
static bool is_text(const char *s, size_t size)
{
	size_t i;

	for (i = 0; i < size && s[i]; i++) {
		if (s[i] < ' ' || s[i] > '~')
			return false;
	}
	return i < size;
}

static int check_streams(const struct table_head *h, char *why)
{
	uint32_t listed = h->n_streams < TABLE_STREAMS_MAX ? h->n_streams : TABLE_STREAMS_MAX;

	for (uint32_t i = 0; i < listed; i++) {
		const struct table_stream *s = &h->streams[i];

		if (!s->type || !strchr("vas?", s->type) || (s->selected != 0 && s->selected != 1))
			return refuse(why, "table: stream %u is of no known type", i);
		if (!is_text(s->codec, sizeof(s->codec)) ||
		    !is_text(s->detail, sizeof(s->detail)) ||
		    !is_text(s->language, sizeof(s->language)))
			return refuse(why, "table: stream %u has a name that isn't text", i);
		if (s->duration_us < 0 || s->duration_us > TABLE_PTS_MAX)
			return refuse(why, "table: stream %u has an impossible duration", i);
	}
	return 0;
}

static bool is_stream_index(int32_t index, uint32_t n_streams)
{
	return index >= -1 && (index < 0 || (uint32_t)index < n_streams);
}

static int check_video(const struct table_head *h, char *why)
{
	if (h->video_stream < 0) {
		if (h->n_packets || h->params_len)
			return refuse(why, "table: packets of no stream");
		return 0;
	}
	if (h->n_packets == 0)
		return refuse(why, "table: the video stream has no packets");
	if (h->width < 1 || h->width > SPEC_SIDE_MAX || h->height < 1 || h->height > SPEC_SIDE_MAX)
		return refuse(why, "table: frames of %ux%u pixels", h->width, h->height);
	if (h->rotation != 0 && h->rotation != 90 && h->rotation != 180 && h->rotation != 270)
		return refuse(why, "table: a rotation of %u degrees", h->rotation);
	if (h->time_base_num <= 0 || h->time_base_den <= 0)
		return refuse(why, "table: a time base of %d/%d", h->time_base_num,
		              h->time_base_den);
	return 0;
}

static int check_head(const struct table_head *h, size_t len, uint64_t object_size, char *why)
{
	int err;

	if (h->magic != TABLE_MAGIC)
		return refuse(why, "table: not a table");
	if (h->flags & ~(uint32_t)KNOWN_FLAGS)
		return refuse(why, "table: unknown flags");
	if (h->object_size != object_size)
		return refuse(why, "table: of an object of another size");
	if (h->n_packets > TABLE_PACKETS_MAX || h->params_len > TABLE_PARAMS_MAX)
		return refuse(why, "table: %u packets and %u bytes of parameters are too many",
		              h->n_packets, h->params_len);
	if (table_size(h) != len)
		return refuse(why, "table: %zu bytes where %zu belong", len, table_size(h));
	if (!is_text(h->container, sizeof(h->container)) || !is_text(h->colour, sizeof(h->colour)))
		return refuse(why, "table: a name that isn't text");
	if (!is_stream_index(h->video_stream, h->n_streams) ||
	    !is_stream_index(h->audio_stream, h->n_streams))
		return refuse(why, "table: a stream that isn't there");
	if ((h->avg_rate_num == 0) != (h->avg_rate_den == 0))
		return refuse(why, "table: a frame rate of %u/%u", h->avg_rate_num,
		              h->avg_rate_den);
	err = check_streams(h, why);
	return err ? err : check_video(h, why);
}

static bool is_time(int64_t t)
{
	return t == TABLE_NOPTS || (t >= -TABLE_PTS_MAX && t <= TABLE_PTS_MAX);
}

/* Where the packet's bytes are: exactly known if it may be fed by them, else at
 * most where it starts. */
static bool is_inside(const struct table_packet *p, const struct table_head *h)
{
	if (h->flags & TABLE_CONTIGUOUS)
		return p->pos >= 0 && p->size > 0 && p->size <= h->object_size &&
		       (uint64_t)p->pos <= h->object_size - p->size;
	return p->pos >= -1 && (p->pos < 0 || (uint64_t)p->pos < h->object_size);
}

static int check_packets(const struct table_head *h, char *why)
{
	const struct table_packet *p = table_packets(h);
	uint32_t without_pts = 0;

	for (uint32_t i = 0; i < h->n_packets; i++) {
		if (p[i].flags & ~(uint32_t)KNOWN_PACKET_FLAGS)
			return refuse(why, "table: packet %u has unknown flags", i);
		if (!is_time(p[i].pts) || !is_time(p[i].dts) || p[i].duration < 0 ||
		    p[i].duration > TABLE_PTS_MAX)
			return refuse(why, "table: packet %u has an impossible time", i);
		if (p[i].size > PACKET_SIZE_MAX || !is_inside(&p[i], h))
			return refuse(why, "table: packet %u lies outside of the object", i);
		without_pts += p[i].pts == TABLE_NOPTS;
	}
	if (without_pts && without_pts != h->n_packets)
		return refuse(why, "table: %u of %u packets have no pts", without_pts,
		              h->n_packets);
	return 0;
}

int table_check(const void *data, size_t len, uint64_t object_size, char *why)
{
	const struct table_head *h = data;
	int err;

	if (len < sizeof(*h))
		return refuse(why, "table: %zu bytes are too short", len);
	err = check_head(h, len, object_size, why);
	return err ? err : check_packets(h, why);
}
