/* cuda.h - the backend for NVIDIA's GPUs: convolutions by cuDNN (the classic functions),
 * matrix products by cuBLAS, the rest by kernels of our own (cuda_kernels.h).
 *
 * float32 throughout, without TF32: results are the reference's within rounding. */
#ifndef S3SAMPLE_BACKEND_CUDA_H
#define S3SAMPLE_BACKEND_CUDA_H

#include <stdbool.h>

struct backend;

/* On the device with that number. deterministic: only algorithms of cuDNN that give the same bits
 * each time. Returns 0, -ENODEV (there is no such device, or no driver), -ENOMEM, -EIO. Free with
 * backend_free. */
int cuda_new(int device, bool deterministic, struct backend **ret);

#endif
