/* geometry.h - from the size of a shown frame to the size of a row: what is
 * resized to what, and which part of it is kept.
 *
 * Pure arithmetic, torchvision's rules (Resize, then CenterCrop). Nothing here
 * touches pixels. */
#ifndef S3SAMPLEFS_MEDIA_GEOMETRY_H
#define S3SAMPLEFS_MEDIA_GEOMETRY_H

#include <stdint.h>

#include "media/spec.h"

/* The source is resized to resized_height x resized_width, of which the region
 * [crop_top, +region_height) x [crop_left, +region_width) is kept and put at
 * (pad_top, pad_left) of the row; the rest of the row is black. All pixels. */
struct geometry {
	uint32_t row_height, row_width;
	uint32_t resized_height, resized_width;     /* may be far above SPEC_SIDE_MAX */
	uint32_t crop_top, crop_left;
	uint32_t region_height, region_width;
	uint32_t pad_top, pad_left;
};

/* src_height, src_width: a shown frame, after rotation. Returns 0, or -EINVAL:
 * a side of 0 or above SPEC_SIDE_MAX, only one of height and width given, or
 * an unknown resize mode. */
int geometry_make(uint32_t src_height, uint32_t src_width, const struct frames_spec *spec,
                  struct geometry *ret);

#endif
