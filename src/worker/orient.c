#include "worker/orient.h"

#include <libavutil/display.h>
#include <math.h>
#include <string.h>

/* How far a turn may be from a quarter turn. */
#define TOLERANCE 1.0

struct orientation orient_make(double degrees, bool mirrored)
{
	if (!isfinite(degrees))
		return (struct orientation){0};
	degrees -= 360.0 * floor(degrees / 360.0);
	for (uint32_t turn = 0; turn <= 360; turn += 90) {
		if (fabs(degrees - turn) < TOLERANCE)
			return (struct orientation){turn % 360, mirrored};
	}
	return (struct orientation){0};
}

struct orientation orient_of_matrix(const int32_t matrix[9])
{
	bool mirrored = (double)matrix[0] * matrix[4] < (double)matrix[1] * matrix[3];
	int32_t turn[9];

	memcpy(turn, matrix, sizeof(turn));
	/* matrix = turn after mirroring, which is x -> -x. INT32_MIN is as good one
	 * smaller. */
	for (int i = 0; i < 2 && mirrored; i++)
		turn[i] = turn[i] == INT32_MIN ? INT32_MAX : -turn[i];
	return orient_make(-av_display_rotation_get(turn), mirrored);
}

void orient_rgb(const uint8_t *src, size_t src_stride, uint32_t height, uint32_t width,
                struct orientation o, uint8_t *dst, size_t dst_stride)
{
	/* Where source pixel (0, 0) goes, and how far it is from there to where the
	 * next pixel of its row and its column go. */
	ptrdiff_t stride = (ptrdiff_t)dst_stride, start, right, down;

	switch (o.degrees) {
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
	case 270:
		start = (ptrdiff_t)(width - 1) * stride;
		right = -stride;
		down = 3;
		break;
	default:
		start = 0;
		right = 3;
		down = stride;
	}
	if (o.mirrored) {
		start += (ptrdiff_t)(width - 1) * right;
		right = -right;
	}
	for (uint32_t y = 0; y < height; y++) {
		const uint8_t *from = src + y * src_stride;
		uint8_t *to = dst + start + (ptrdiff_t)y * down;

		for (uint32_t x = 0; x < width; x++, from += 3, to += right)
			memcpy(to, from, 3);
	}
}
