/* mfcc.h - mel-frequency cepstral coefficients of a clip, as the named programs
 * compute them.
 *
 * Pure: samples in, coefficients out; no files, no state. Decoding, mixing and
 * resampling are mono.h's. */
#ifndef S3SAMPLEFS_WORKER_MFCC_H
#define S3SAMPLEFS_WORKER_MFCC_H

#include <stddef.h>
#include <stdint.h>

#include "media/spec.h"

#define MFCC_SR_MIN 100u                    /* Hz */
#define MFCC_SR_MAX 768000u
#define MFCC_N_FFT_MAX 65536u               /* samples */
#define MFCC_N_MELS_MAX 1024u
#define MFCC_HOP_MAX (1u << 20)             /* samples */
#define MFCC_COLUMNS_MAX (UINT64_C(1) << 24)
#define MFCC_SAMPLES_MAX (UINT64_C(1) << 31)

/* Whether spec can be computed at all. Returns 0 or -EINVAL with
 * why[PROTO_WHY_MAX] filled. */
int mfcc_check(const struct mfcc_spec *spec, char *why);

/* Columns T that n samples give, n_mfcc x T being the result's shape. Returns 0,
 * or -EINVAL with why filled: more than MFCC_COLUMNS_MAX, or none. spec has
 * passed mfcc_check. */
int mfcc_shape(const struct mfcc_spec *spec, uint64_t n, uint64_t *ret_columns, char *why);

/* samples: n of them at spec->sr, mono, 1.0 = full scale, finite. out: float32
 * (n_mfcc, T) in C order. Returns 0, -EINVAL (as above) or -ENOMEM, with why
 * filled. The same input gives the same bytes on the same CPU. */
int mfcc_compute(const struct mfcc_spec *spec, const float *samples, size_t n, float *out,
                 char *why);

#endif
