/* source.h - where a decoder's packets come from. */
#ifndef S3SAMPLEFS_WORKER_SOURCE_H
#define S3SAMPLEFS_WORKER_SOURCE_H

#include <stdint.h>

#include "worker/request.h"

struct AVPacket;
struct input;

/* Embedded at the start of each kind. */
struct source {
	const struct source_ops *ops;
};

struct source_ops {
	/* The bytes of packet i of the table into a blank packet; times and flags are
	 * the caller's to set. Any i is allowed, the one after the last is cheapest.
	 * Returns 0, -EBADMSG (the object isn't what the table says), -ENOMEM or the
	 * input's error. */
	int (*read)(struct source *s, const struct request_frames *r, uint32_t i,
	            struct AVPacket *packet, char *why);
	/* From here on bytes come from this input, of the same object. */
	void (*rebind)(struct source *s, struct input *in);
	void (*free)(struct source *s);
};

/* Packets by their place in the object; for TABLE_CONTIGUOUS. source_direct.c. */
struct source *source_direct_new(struct input *in);

/* Packets by a demuxer, which is opened at the first read. source_demux.c. */
struct source *source_demux_new(struct input *in, const char *extension);

#endif
