/* spec.h - what is wanted of an object: parameters of a view, as plain values; what
 * they may be, and the array that they give.
 *
 * Shared by the daemon and the worker; crosses the socket by value, so fixed
 * width, no pointers, no padding left undefined. A struct spec made by spec_frames or
 * spec_mfcc is canonical: what gives the same values is equal, and memcmp says so. Pure;
 * any thread. */
#ifndef S3SAMPLEFS_MEDIA_SPEC_H
#define S3SAMPLEFS_MEDIA_SPEC_H

#include <stdint.h>

#define SPEC_WHY_MAX 256

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

#define MFCC_SR_MIN 100u                    /* Hz */
#define MFCC_SR_MAX 768000u
#define MFCC_N_FFT_MAX 65536u               /* samples */
#define MFCC_N_MELS_MAX 1024u
#define MFCC_HOP_MAX (1u << 20)             /* samples */
#define MFCC_COLUMNS_MAX (UINT64_C(1) << 24)
#define MFCC_SAMPLES_MAX (UINT64_C(1) << 31)

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

/* One of them, with its kind. A new kind is a member here, a function that makes it
 * canonical, its checks and its array. */
enum spec_kind { SPEC_NONE, SPEC_FRAMES, SPEC_MFCC };

struct spec {
	uint32_t kind;              /* enum spec_kind */
	uint32_t reserved;          /* 0: doubles begin at a multiple of 8 */
	union {
		struct frames_spec frames;
		struct mfcc_spec mfcc;
	};
};

/* What a view has before keys are set. The second is a preset's: the program's own, of
 * the first half minute. */
extern const struct frames_spec spec_frames_default;
extern const struct mfcc_spec *spec_mfcc_default(enum mfcc_preset preset);

struct spec spec_frames(const struct frames_spec *f);
struct spec spec_mfcc(const struct mfcc_spec *m);

/* Whether a user may ask for it: every value in its range, those that depend on each
 * other, and that the array isn't too large. Returns 0 or -EINVAL with
 * why[SPEC_WHY_MAX] filled: "KEY = VALUE: must be ...". */
int spec_check(const struct spec *s, char *why);

/* The same for what can be computed at all: mel bands may also lie above sr / 2. */
int mfcc_check(const struct mfcc_spec *m, char *why);

/* Number of columns T of the MFCC of n samples at m->sr: 1 + n / hop. */
static inline uint64_t mfcc_columns(const struct mfcc_spec *m, uint64_t n)
{
	return 1 + (m->n_fft % 2 == 0 ? n : n - 1) / m->hop_length;
}

/* The same checked. Returns 0, or -EINVAL with why filled: more than MFCC_COLUMNS_MAX,
 * or none. m has passed mfcc_check. */
int mfcc_shape(const struct mfcc_spec *m, uint64_t n, uint64_t *ret_columns, char *why);

/* Samples at m->sr that a fixed duration stands for: int(duration * sr). */
static inline uint64_t mfcc_fixed_samples(const struct mfcc_spec *m)
{
	return (uint64_t)(m->duration * m->sr);
}

/* The array of an object, C order. */
#define SPEC_DIMS_MAX 4

struct spec_array {
	const char *descr;          /* numpy's name of the element type */
	uint32_t element;           /* bytes of an element */
	unsigned n_dims;
	uint64_t shape[SPEC_DIMS_MAX];
	uint64_t row_bytes;         /* of shape[1:] */
	uint64_t bytes;             /* of all */
};

/* rows x height x width pixels, of rows as f has them: no more than SPEC_FRAMES_MAX of
 * SPEC_SIDE_MAX pixels a side. */
struct spec_array spec_frames_array(const struct frames_spec *f, uint64_t rows, uint64_t height,
                                    uint64_t width);

/* Of so many columns, no more than MFCC_COLUMNS_MAX. */
struct spec_array spec_mfcc_array(const struct mfcc_spec *m, uint64_t columns);

/* Columns of an array of so many bytes; 0: no array has as many. */
uint64_t spec_mfcc_columns_of(const struct mfcc_spec *m, uint64_t bytes);

#endif
