#include "worker/rotate.h"

#include <string.h>

void rotate_rgb(const uint8_t *src, size_t src_stride, uint32_t height, uint32_t width,
                uint32_t degrees, uint8_t *dst, size_t dst_stride)
{
	/* Where source pixel (0, 0) goes, and how far it is from there to where the
	 * next pixel of its row and its column go. */
	ptrdiff_t stride = (ptrdiff_t)dst_stride, start, right, down;

	switch (degrees) {
	case 90:
		start = (ptrdiff_t)(height - 1) * 3;
		right = stride;
		down = -3;
		break;
	case 180:
		start = (ptrdiff_t)(height - 1) * stride + (ptrdiff_t)(width - 1) * 3;
		right = -3;
		down = -stride;
		break;
	default:
		start = (ptrdiff_t)(width - 1) * stride;
		right = -stride;
		down = 3;
	}
	for (uint32_t y = 0; y < height; y++) {
		const uint8_t *from = src + y * src_stride;
		uint8_t *to = dst + start + (ptrdiff_t)y * down;

		for (uint32_t x = 0; x < width; x++, from += 3, to += right)
			memcpy(to, from, 3);
	}
}
