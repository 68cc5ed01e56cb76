/* spec.h - what is wanted of an object: parameters of a view, as plain values.
 *
 * Shared by the daemon and the worker; crosses the socket by value, so fixed
 * width, no pointers, no padding left undefined (zero the struct first). Two
 * specs are equal iff memcmp says so. */
#ifndef S3SAMPLEFS_MEDIA_SPEC_H
#define S3SAMPLEFS_MEDIA_SPEC_H

#include <stdint.h>

enum sampling { SAMPLING_UNIFORM, SAMPLING_LINSPACE, SAMPLING_KEYFRAMES, SAMPLING_ALL };
enum resize_mode { RESIZE_CROP, RESIZE_STRETCH, RESIZE_PAD };

#define SPEC_SIDE_MAX 16384u        /* pixels; largest height or width, of source or result */
#define SPEC_FRAMES_MAX 65536u      /* largest num_frames */

struct frames_spec {
	uint32_t sampling;          /* enum sampling; ALL: num_frames is 0 */
	uint32_t num_frames;        /* rows T */
	uint32_t height, width;     /* of a row; 0, 0: native. square==1: from `size = N` */
	uint32_t square;            /* size was one number: torchvision's short-side rule */
	uint32_t resize;            /* enum resize_mode */
};

enum mfcc_preset { MFCC_LIBROSA };

struct mfcc_spec {
	uint32_t preset;            /* enum mfcc_preset */
	uint32_t sr;                /* Hz */
	uint32_t n_mfcc;
	uint32_t n_fft;             /* samples */
	uint32_t win_length;        /* samples, <= n_fft */
	uint32_t hop_length;        /* samples */
	uint32_t n_mels;
	int32_t channel;            /* -1: mean of all; else this one, from 0 */
	double fmin, fmax;          /* Hz; fmax 0: sr / 2 */
	double top_db;              /* dB below the clip's maximum; < 0: no floor */
	double lifter;              /* 0: none */
	double duration;            /* s; padded or cut to it. 0: full */
};

/* Number of columns T of the MFCC of n samples at spec->sr: 1 + n / hop. */
static inline uint64_t mfcc_columns(const struct mfcc_spec *s, uint64_t n)
{
	return 1 + (s->n_fft % 2 == 0 ? n : n - 1) / s->hop_length;
}

/* Samples at spec->sr that a fixed duration stands for: int(duration * sr). */
static inline uint64_t mfcc_fixed_samples(const struct mfcc_spec *s)
{
	return (uint64_t)(s->duration * s->sr);
}

#endif
