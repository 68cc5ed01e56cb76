/* sei.h - how an H.264 or HEVC stream itself says that it is to be shown:
 * the display orientation SEI message (H.264 D.1.27, H.265 D.2.17). */
#ifndef S3SAMPLEFS_WORKER_SEI_H
#define S3SAMPLEFS_WORKER_SEI_H

#include <stddef.h>
#include <stdint.h>

#include "worker/orient.h"

struct AVCodecParameters;

/* packet: the first sync packet, or its beginning; SEI messages stand before the
 * picture. Upright where there is none, or it is of another codec. Bytes are of
 * the file and may be anything. */
struct orientation sei_orientation(const struct AVCodecParameters *par, const uint8_t *packet,
                                   size_t size);

#endif
