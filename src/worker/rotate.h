/* rotate.h - turning RGB24 images by quarter turns. */
#ifndef S3SAMPLEFS_WORKER_ROTATE_H
#define S3SAMPLEFS_WORKER_ROTATE_H

#include <stddef.h>
#include <stdint.h>

/* src: height x width pixels, turned by 90, 180 or 270 degrees clockwise into
 * dst, which is width x height for 90 and 270. Strides in bytes. */
void rotate_rgb(const uint8_t *src, size_t src_stride, uint32_t height, uint32_t width,
                uint32_t degrees, uint8_t *dst, size_t dst_stride);

#endif
