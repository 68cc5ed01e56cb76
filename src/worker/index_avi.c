/* AVI: libavformat loads the index on opening; reading packets would go through
 * every chunk's header, so the entries themselves become the table. */
#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <string.h>

#include "worker/index.h"
#include "worker/input.h"
#include "worker/why.h"

#define CHUNK_HEADER 8u         /* "NNdc", size: an index points at it, the data follow */

static uint32_t little_endian(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Is entry e really where a chunk of this stream starts? Some writers count from
 * elsewhere, and some files were changed behind their index. */
static int check_entry(struct input *in, int stream, const AVIndexEntry *e, bool *ret)
{
	uint8_t head[CHUNK_HEADER];
	uint32_t size;
	int err;

	if (e->pos < 0 || (uint64_t)e->pos + CHUNK_HEADER + (uint64_t)e->size > input_size(in)) {
		*ret = false;
		return 0;
	}
	err = input_read_all(in, (uint64_t)e->pos, head, sizeof(head));
	if (err)
		return err;
	size = little_endian(head + 4);
	*ret = head[0] == '0' + stream / 10 % 10 && head[1] == '0' + stream % 10 &&
	       head[2] == 'd' && size == (uint32_t)e->size;
	return 0;
}

/* Does another AVI follow the first? Its frames are in no index of this one's. */
static int check_joined(struct input *in, bool *ret)
{
	uint8_t head[12];
	uint64_t next;
	int err = input_read_all(in, 0, head, sizeof(head));

	*ret = false;
	if (err)
		return err;
	next = 8 + (uint64_t)little_endian(head + 4);
	next += next & 1;
	if (memcmp(head, "RIFF", 4) != 0 || next + sizeof(head) > input_size(in))
		return 0;
	err = input_read_all(in, next, head, sizeof(head));
	*ret = !err && memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "AVI ", 4) == 0;
	return err;
}

static bool has_palette(const AVCodecParameters *par)
{
	return par->bits_per_coded_sample > 0 && par->bits_per_coded_sample <= 8;
}

static int index_is_good(AVStream *st, struct input *in, bool *ret)
{
	int n = avformat_index_get_entries_count(st), err;
	bool joined;

	*ret = false;
	/* DV in AVI is taken apart by the demuxer; a palette comes with its packets. */
	if (n <= 0 || st->codecpar->codec_id == AV_CODEC_ID_DVVIDEO || has_palette(st->codecpar))
		return 0;
	/* An index that ends early: frames dropped while recording have no entry,
	 * but not half of them. */
	if (st->nb_frames / 2 > n)
		return 0;
	err = check_joined(in, &joined);
	if (err || joined)
		return err;
	err = check_entry(in, st->index, avformat_index_get_entry(st, 0), ret);
	if (err || !*ret)
		return err;
	return check_entry(in, st->index, avformat_index_get_entry(st, n - 1), ret);
}

/* AVI has one time stamp a chunk, in decode order. It is the presentation's too
 * unless the codec reorders. */
static bool may_reorder(enum AVCodecID id)
{
	const AVCodecDescriptor *d = avcodec_descriptor_get(id);

	return !d || (d->props & AV_CODEC_PROP_REORDER);
}

int index_avi(AVFormatContext *format, int stream, struct input *in, struct index *x, char *why)
{
	AVStream *st = format->streams[stream];
	bool good, reorders = may_reorder(st->codecpar->codec_id);
	int n, err = index_is_good(st, in, &good);

	if (err)
		return why_set(why, err, "its index can't be checked");
	if (!good)
		return 1;
	n = avformat_index_get_entries_count(st);
	x->flags |= TABLE_CONTIGUOUS;
	for (int i = 0; i < n && !err; i++) {
		const AVIndexEntry *e = avformat_index_get_entry(st, i), *next = NULL;
		struct table_packet p = {
			.pts = reorders ? TABLE_NOPTS : e->timestamp,
			.dts = e->timestamp,
			.pos = e->pos + CHUNK_HEADER,
			.size = (uint32_t)e->size,
			.flags = e->flags & AVINDEX_KEYFRAME ? TABLE_KEY : 0,
		};

		if (i + 1 < n)
			next = avformat_index_get_entry(st, i + 1);
		if (next && next->timestamp > e->timestamp)
			p.duration = next->timestamp - e->timestamp;
		if (e->pos < 0 || (uint64_t)p.pos > x->object_size ||
		    p.size > x->object_size - (uint64_t)p.pos) {
			x->flags |= TABLE_CUT;
			continue;
		}
		err = index_add(x, &p, why);
	}
	return err;
}
