/* resize_kernels.h - the inner loops of resize.c: a portable one, and faster
 * ones that give the same bytes. */
#ifndef S3SAMPLEFS_WORKER_RESIZE_KERNELS_H
#define S3SAMPLEFS_WORKER_RESIZE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define RESIZE_BITS 22          /* fraction bits of a weight; Pillow's PRECISION_BITS */
#define RESIZE_LOW_BITS 11      /* a weight is high << 11 | low, each half fits int16_t */
#define RESIZE_GROUP 4          /* taps are padded to a multiple of it with weights of 0 */

/* One axis of a resize. Output i, of n, is the sum over taps k of
 * weights[i * taps + k] * source[start[i] + k], of which the first count[i] are
 * inside the source. */
struct resize_axis {
	uint32_t n, taps;
	uint32_t *start, *count;
	int32_t *weights;       /* (n, taps), 0..2^22; they sum to about 2^22 */
	int16_t *packed;        /* (n, taps / 4, 32), aligned to 64: 16 high halves, 16 low
	                         * halves, in resize_kernels.c's order */
};

struct resize_kernels {
	const char *name;
	/* Two rows of RGB24 pixels to axis->n of them each; they may be the same. May
	 * read RESIZE_OVERREAD bytes behind src's last used pixel and write 4 behind
	 * dst's. */
	void (*horizontal)(const struct resize_axis *axis, const uint8_t *const src[2],
	                   uint8_t *const dst[2]);
	/* dst[x] of len bytes from count rows; each readable up to len rounded up to 32. */
	void (*vertical)(const int32_t *weights, uint32_t count, const uint8_t *const *rows,
	                 size_t len, uint8_t *dst);
};

extern const struct resize_kernels resize_kernels_portable;

/* The fastest this CPU has. */
const struct resize_kernels *resize_kernels_best(void);

/* Writes one group of RESIZE_GROUP weights in the order that `packed` wants. */
void resize_pack_group(const int32_t *weights, int16_t *packed);

#endif
