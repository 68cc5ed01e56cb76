/* fields.h - which packets are the second field of a frame.
 *
 * H.264 that is coded field by field (PAFF, as broadcast) may come with a packet for
 * each field. Two of them are one frame, which is the first one's. */
#ifndef S3SAMPLEFS_WORKER_FIELDS_H
#define S3SAMPLEFS_WORKER_FIELDS_H

#include <stdbool.h>

struct AVCodecParameters;
struct AVPacket;
struct fields;

/* *ret: NULL where no codec of this kind codes fields apart. Returns 0 or -ENOMEM. */
int fields_new(const struct AVCodecParameters *par, struct fields **ret);
void fields_free(struct fields *f);     /* NULL allowed */

/* All packets of the stream one after the other: is this the second field of the frame
 * that the one before it began? f NULL: no. */
bool fields_is_second(struct fields *f, const struct AVPacket *packet);

#endif
