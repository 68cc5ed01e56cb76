/* index.h - a video stream's packets, as a packet table wants them: one function
 * for each way of getting at them without reading more than must be read. */
#ifndef S3SAMPLEFS_WORKER_INDEX_H
#define S3SAMPLEFS_WORKER_INDEX_H

#include <stdint.h>

#include "media/table.h"

struct AVFormatContext;
struct AVPacket;
struct input;

/* Where packets go. p has room for max of them. */
struct index {
	struct table_packet *p;
	uint32_t n, max;
	uint64_t object_size;           /* bytes */
	uint32_t flags;                 /* enum table_flag: TABLE_CONTIGUOUS, TABLE_WHOLE, TABLE_CUT */
	struct AVPacket *first;         /* the first sync packet's bytes, blank if not read */
};

/* Appends. Packets of no bytes are left out: nothing comes of them. 0 or -EBADMSG
 * (too many, or impossible numbers). */
int index_add(struct index *x, const struct table_packet *p, char *why);

/* The mov family. format was opened with AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN,
 * its payload stays unread. index_mov.c. */
int index_mov(struct AVFormatContext *format, int stream, struct input *in, struct index *x,
              char *why);

/* AVI with a good index. 1: it has none, use another way. index_avi.c. */
int index_avi(struct AVFormatContext *format, int stream, struct input *in, struct index *x,
              char *why);

/* Any: by reading all of it. index_whole.c. */
int index_whole(struct AVFormatContext *format, int stream, struct index *x, char *why);

#endif
