/* table.h - the packet table: what the daemon knows of an object's streams.
 *
 * A worker makes it by reading packets over an input whose payload is zeros;
 * the daemon gets it as flat bytes, checks it (table_check) and plans from it
 * alone, so that no container is ever parsed in the daemon. Layout:
 *
 *     struct table_head | struct table_packet[n_packets] | codec parameters
 *
 * Only the video stream has packets here; audio is always decoded from its
 * first packet. All values little endian, as the host's (same machine). */
#ifndef S3SAMPLEFS_MEDIA_TABLE_H
#define S3SAMPLEFS_MEDIA_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define TABLE_MAGIC 0x54335353u         /* "SS3T" */
#define TABLE_PACKETS_MAX (4u << 20)    /* a file that claims more is refused */
#define TABLE_STREAMS_MAX 16u           /* listed for people; more are counted */
#define TABLE_PARAMS_MAX (1u << 20)     /* bytes of codec parameters, extradata included */
#define TABLE_NOPTS INT64_MIN           /* the same value as AV_NOPTS_VALUE */
#define TABLE_REORDER_MAX 16u
#define TABLE_PTS_MAX (INT64_C(1) << 60)  /* |pts|, |dts|, duration beyond it are refused: sums can't overflow */

enum table_packet_flag {
	TABLE_KEY = 1,                  /* sync packet */
	TABLE_HIDDEN = 2,               /* outside the edit list: decoded, not shown */
	TABLE_SECOND = 8,               /* the second field of the frame that the packet before it began: hidden */
};

struct table_packet {                   /* in decode order */
	int64_t pts, dts;               /* in the stream's time base; TABLE_NOPTS if the file has none.
	                                   With TABLE_JOINED the pts are no longer the file's */
	int64_t pos;                    /* byte offset in the object; -1 unknown */
	int64_t duration;               /* 0 unknown */
	uint32_t size;                  /* bytes */
	uint32_t flags;                 /* enum table_packet_flag */
};

enum table_flag {
	TABLE_CONTIGUOUS = 1,           /* packet j is object bytes [pos, pos + size): may be fed without a demuxer */
	TABLE_SKIP_NONREF = 2,          /* frames nothing refers to may be skipped (MPEG-2, MPEG-4, H.264, HEVC without sub-layers) */
	TABLE_WHOLE = 4,                /* the whole object had to be read for it */
	TABLE_INTRA_ONLY = 8,           /* every packet is a sync packet by the codec's definition */
	TABLE_CUT = 16,                 /* packets behind the object's end were left out: it was cut short */
	TABLE_MIRRORED = 32,            /* frames are mirrored left to right, before they are turned */
	TABLE_NEW_PARAMS = 64,          /* codec parameters change on the way, and come with packets */
	TABLE_JOINED = 128,             /* its clock started again or leapt: pts were moved, to go on (worker/clock.h) */
};

struct table_stream {
	char type;                      /* 'v', 'a', 's' or '?' */
	char selected;                  /* 1: the stream the views use */
	char codec[30];                 /* FFmpeg's name, NUL-terminated */
	uint32_t width, height;         /* v: coded pixels */
	uint32_t sample_rate, channels; /* a */
	int64_t duration_us;            /* 0 unknown */
	char detail[32];                /* pixel or sample format, or "no decoder", NUL-terminated */
	char language[8];
};

struct table_head {
	uint32_t magic;
	uint32_t flags;                 /* enum table_flag */
	uint64_t object_size;
	char container[32];             /* FFmpeg's demuxer name, NUL-terminated */
	uint32_t n_streams;             /* all; the first TABLE_STREAMS_MAX are listed */
	int32_t video_stream;           /* index in the file, -1: none */
	int32_t audio_stream;           /* the audio related to the video, -1: none */
	uint32_t rotation;              /* 0, 90, 180, 270 degrees clockwise to apply for display */
	uint32_t width, height;         /* of a shown frame, after rotation */
	int32_t time_base_num, time_base_den; /* of the video stream */
	uint32_t n_packets;
	uint32_t params_len;
	uint32_t avg_rate_num, avg_rate_den;  /* for people and for packets without pts; 0/0 unknown */
	char colour[64];                /* "bt709 tv" ...: matrix and range as declared, for people */
	struct table_stream streams[TABLE_STREAMS_MAX];
};

/* Bytes of the whole table. */
static inline size_t table_size(const struct table_head *h)
{
	return sizeof(*h) + (size_t)h->n_packets * sizeof(struct table_packet) + h->params_len;
}

static inline const struct table_packet *table_packets(const struct table_head *h)
{
	return (const struct table_packet *)(const void *)(h + 1);
}

static inline const void *table_params(const struct table_head *h)
{
	return table_packets(h) + h->n_packets;
}

/* Believes nothing: lengths, counts, strings terminated, every packet inside
 * the object, sizes within bounds, time base positive. data is aligned to 8.
 * Returns 0 or -EBADMSG with why[] (256 bytes) filled. */
int table_check(const void *data, size_t len, uint64_t object_size, char *why);

#endif
