/* cuda.h - the backend for one NVIDIA GPU: convolutions by cuDNN 9, matrix products by
 * cuBLAS, the rest by our own kernels (cuda_kernels.h).
 *
 * Work is queued on one stream and functions return before it is done, except download.
 * upload has taken what it was given when it returns, unless that was memory of host_alloc
 * (pinned), and copies it on a second stream while the first one goes on computing.
 *
 * The same bits come out of the same inputs on the same kind of GPU with the same
 * libraries if `deterministic` is set. Otherwise cuDNN may convolve in ways that are
 * faster and add in an order left to chance, which nothing else here does. */
#ifndef S3SAMPLE_BACKEND_CUDA_H
#define S3SAMPLE_BACKEND_CUDA_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"

struct cuda_options {
	int device;             /* from 0, in CUDA's order (CUDA_VISIBLE_DEVICES) */
	bool deterministic;
	bool reduced_precision; /* products of float32 may be rounded to TF32's 10 bits first */
	enum precision activations;
};

struct why;

/* How many devices there are; 0 also where there is no driver. */
int cuda_devices(void);

/* Why cuda_devices said 0: no driver, an older one than CUDA's runtime, no GPU. Returns -errno. */
int cuda_why_no_devices(struct why *why);

#define CUDA_PLACE 48 /* bytes */

/* Which machine (its boot) and which PCI device it is, the same in all processes; parts of a GPU
 * (MIG) have the same, as NCCL takes them for one. Returns 0 or -errno. */
int cuda_place(int device, uint8_t ret[CUDA_PLACE]);

/* Returns 0, -ENODEV (no such device), -ENOTSUP (one that has no TF32 or bf16: before compute
 * capability 8.0), -ENOEXEC (one that this program has no code for), -ENOSYS (its driver is too
 * old), -ENOMEM or -EIO. Free with backend_free. */
int cuda_new(const struct cuda_options *options, struct backend **ret);

/* The sentence for a failure of cuda_new; returns err. Right after it, in the same thread. */
int cuda_why(const struct cuda_options *options, int err, struct why *why);

#endif
