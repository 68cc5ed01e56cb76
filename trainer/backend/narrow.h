/* narrow.h - a backend whose activations are 16 bits, on top of one that only knows float32 and
 * has its buffers in the host's memory.
 *
 * Each function widens what it reads, computes in float32, and rounds what it writes. A
 * convolution's filters are rounded before they are used, and their gradient is, as a GPU's
 * libraries do it. So this says what bf16 and fp16 mean here, as the reference does for
 * float32, and trains where there is no GPU. It costs time, and its copies as floats about the
 * memory that the smaller activations save. */
#ifndef S3SAMPLE_BACKEND_NARROW_H
#define S3SAMPLE_BACKEND_NARROW_H

#include "backend/backend.h"

/* precision: bf16 or fp16. inner belongs to it from now on, also after a failure. Returns 0 or
 * -ENOMEM. Free with backend_free. */
int narrow_new(struct backend *inner, enum precision precision, struct backend **ret);

/* n values that lie in a row, as floats, or from floats. */
void narrow_widen(enum precision precision, size_t n, const uint16_t *from, float *to);
void narrow_round(enum precision precision, size_t n, const float *from, uint16_t *to);

#endif
