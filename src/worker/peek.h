/* peek.h - what a decoder makes of a stream's first sync packet: the size of
 * its frames and their format, on which containers are sometimes wrong. */
#ifndef S3SAMPLEFS_WORKER_PEEK_H
#define S3SAMPLEFS_WORKER_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct AVCodecParameters;
struct AVPacket;

struct peek {
	int width, height;              /* of a decoded frame, cropped */
	int format;                     /* enum AVPixelFormat, -1 unknown */
	int matrix, range;              /* enum AVColorSpace, enum AVColorRange */
};

/* packet: the sync packet, or its beginning, if cut; it may be changed then.
 * Falls back to what par says.
 * Returns 0; 1: the packet's beginning isn't enough to tell; -EBADMSG: there is
 * no decoder; -ENOMEM. *ret is filled in the first two cases. */
int peek_stream(const struct AVCodecParameters *par, struct AVPacket *packet, bool cut,
                struct peek *ret, char *why);

#endif
