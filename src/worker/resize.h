/* resize.h - resizing RGB24 as Pillow's BILINEAR does, bit for bit.
 *
 * Two passes, horizontal then vertical, of an antialiased triangle in fixed
 * point with 8 bits between them. Only what the kept region depends on is
 * computed. Definition: Pillow, src/libImaging/Resample.c. */
#ifndef S3SAMPLEFS_WORKER_RESIZE_H
#define S3SAMPLEFS_WORKER_RESIZE_H

#include <stddef.h>
#include <stdint.h>

#include "media/geometry.h"

struct resize;
struct resize_kernels;

/* Bytes that may be read (never used) behind the last pixel of the window. */
#define RESIZE_OVERREAD 32

/* A part of the source image, pixels. */
struct resize_window {
	uint32_t top, left, height, width;
};

/* For sources of src_height x src_width (1..SPEC_SIDE_MAX) and g made for
 * them. kernels: resize_kernels_best() or another. Returns 0 or -ENOMEM. */
int resize_new(uint32_t src_height, uint32_t src_width, const struct geometry *g,
               const struct resize_kernels *kernels, struct resize **ret);
void resize_free(struct resize *r);  /* NULL allowed */

/* The part of the source that resize_run reads. */
struct resize_window resize_window(const struct resize *r);

/* src: the window's first pixel, rows stride bytes apart; RESIZE_OVERREAD bytes
 * behind its last pixel are readable. dst: (row_height, row_width, 3), tight;
 * all of it is written. */
void resize_run(struct resize *r, const uint8_t *src, size_t stride, uint8_t *dst);

#endif
