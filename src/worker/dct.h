/* dct.h - the discrete cosine transform of mel bands. Pure. */
#ifndef S3SAMPLEFS_WORKER_DCT_H
#define S3SAMPLEFS_WORKER_DCT_H

#include <stddef.h>

/* Orthonormal DCT-II, transposed: ret[i * n_out + k] is what band i of n_in adds to
 * coefficient k, sqrt(2 / n_in) cos(pi / n_in (i + 1/2) k), with sqrt(1 / n_in) for
 * k = 0. n_out <= n_in. */
void dct_fill(double *ret, size_t n_in, size_t n_out);

/* Multiplies coefficient k by librosa's lifter, 1 + lifter / 2 sin(pi (k + 1) / lifter).
 * lifter > 0. */
void dct_lift(double *dct, size_t n_in, size_t n_out, double lifter);

/* ret: (n_out,), dct: (n_in, n_out), v: (n_in,), none of which counts as less
 * than least. */
void dct_apply(const double *dct, size_t n_in, size_t n_out, const float *v, float least,
               double *ret);

#endif
