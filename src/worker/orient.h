/* orient.h - the eight ways in which a picture may have to be shown.
 *
 * A display matrix or an SEI message says how a decoded picture is turned, and
 * whether it is mirrored as well. Only quarter turns are known: whatever lies
 * between them is taken for upright. */
#ifndef S3SAMPLEFS_WORKER_ORIENT_H
#define S3SAMPLEFS_WORKER_ORIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* First mirrored left to right, if it is, then turned. */
struct orientation {
	uint32_t degrees;               /* clockwise: 0, 90, 180, 270 */
	bool mirrored;
};

static inline bool orient_is_upright(struct orientation o)
{
	return o.degrees == 0 && !o.mirrored;
}

/* Do height and width change places? */
static inline bool orient_swaps_sides(struct orientation o)
{
	return o.degrees == 90 || o.degrees == 270;
}

/* degrees clockwise, any number of turns; upright if that is no quarter turn. */
struct orientation orient_make(double degrees, bool mirrored);

/* Of a matrix as in libavutil/display.h: nine numbers, of which a b, c d are
 * those at 0 1, 3 4: a pixel (x, y) is shown at (a x + c y, b x + d y). */
struct orientation orient_of_matrix(const int32_t matrix[9]);

/* src: height x width pixels of RGB24, put as o says into dst, which is
 * width x height where the sides change places. Strides in bytes. */
void orient_rgb(const uint8_t *src, size_t src_stride, uint32_t height, uint32_t width,
                struct orientation o, uint8_t *dst, size_t dst_stride);

#endif
