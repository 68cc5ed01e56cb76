/* mfcc.h - mel-frequency cepstral coefficients of a clip, as the named programs
 * compute them.
 *
 * Samples in, coefficients out; no files. Decoding, mixing and resampling are
 * mono.h's. */
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

/* A computation that takes the samples in pieces, so that there may be any number of
 * them. Where spec has top_db, no column is final before the loudest of all is known:
 * the log mel powers of the first columns are kept for that, and of columns beyond
 * those, the ones that a louder one came after are computed from the samples again. */
struct mfcc;

/* What a worker keeps of log mel powers, bytes. */
#define MFCC_KEEP ((size_t)64 << 20)

/* spec and out are borrowed until mfcc_free. out: room for `room` columns, that is
 * n_mfcc x room floats. keep: bytes for log mel powers at most. Returns 0, -EINVAL (as
 * mfcc_check) or -ENOMEM, with why filled. */
int mfcc_new(const struct mfcc_spec *spec, float *out, uint64_t room, size_t keep,
             struct mfcc **ret, char *why);
void mfcc_free(struct mfcc *m);     /* NULL allowed */

/* The next n samples at spec->sr: mono, 1.0 = full scale, finite. Returns 0; 1: no more
 * are needed; -EINVAL (more of them than MFCC_SAMPLES_MAX) or -ENOMEM (more columns
 * than there is room for), with why filled. */
int mfcc_push(struct mfcc *m, const float *samples, size_t n, char *why);

/* All samples have been given. Returns 0: out has (n_mfcc, *ret_columns) in C order;
 * 1: the same samples have to be given once more, from the first on; or as mfcc_push
 * and mfcc_shape, and -EBADMSG (they weren't the same), with why filled. */
int mfcc_finish(struct mfcc *m, uint64_t *ret_columns, char *why);

/* All at once. samples: n of them; out: float32 (n_mfcc, T) in C order. Returns 0,
 * -EINVAL (as above) or -ENOMEM, with why filled. The same input gives the same bytes
 * on the same CPU, and in pieces of any size. */
int mfcc_compute(const struct mfcc_spec *spec, const float *samples, size_t n, float *out,
                 char *why);

#endif
