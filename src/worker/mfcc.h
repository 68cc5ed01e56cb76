/* mfcc.h - mel-frequency cepstral coefficients of a clip, as the named programs
 * compute them.
 *
 * Samples in, coefficients out; no files. Decoding, mixing and resampling are
 * mono.h's; what a spec may be is spec.h's. */
#ifndef S3SAMPLEFS_WORKER_MFCC_H
#define S3SAMPLEFS_WORKER_MFCC_H

#include <stddef.h>
#include <stdint.h>

#include "media/spec.h"

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
