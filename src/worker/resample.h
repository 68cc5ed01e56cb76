/* resample.h - one channel of float32 from one sample rate to another, as
 * librosa's res_type="soxr_hq" does: libsoxr's HQ recipe, through swresample.
 * Not thread-safe. */
#ifndef S3SAMPLEFS_WORKER_RESAMPLE_H
#define S3SAMPLEFS_WORKER_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct resampler;

/* Rates in Hz, at least 1 and different. Returns 0, -ENOMEM, or -ENOTSUP where
 * swresample was built without libsoxr or doesn't take the rates. */
int resampler_new(uint32_t rate_in, uint32_t rate_out, struct resampler **ret);
void resampler_free(struct resampler *r);  /* NULL allowed */

/* Takes n samples and appends what they give, as floats, to out; buf_error(out)
 * tells of its cap. Returns 0, or -ENOMEM. */
int resampler_push(struct resampler *r, const float *samples, size_t n, struct buf *out);

/* Appends what is still inside. The total may be a sample short of
 * ceil(n * rate_out / rate_in), and of very few samples nothing comes out. */
int resampler_finish(struct resampler *r, struct buf *out);

#endif
