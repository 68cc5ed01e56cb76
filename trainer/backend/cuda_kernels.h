/* cuda_kernels.h - our own kernels, as functions that queue them on a stream.
 *
 * All pointers but the shapes are the device's; void * are activations of the precision.
 * Each launch_X computes what reference_X does (reference_priv.h), in float32 with sums that
 * end in float64, and in an order that depends on the shape alone: not on the GPU, and never
 * on which thread came first.
 *
 * They return a cudaError_t as an int, of the launch or of something before it. This
 * header needs no CUDA, so that the kernels can be tested where there is none. */
#ifndef S3SAMPLE_BACKEND_CUDA_KERNELS_H
#define S3SAMPLE_BACKEND_CUDA_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st; /* what a cudaStream_t points to */

/* cuda_norm.cu. A group has less than 2^32 values. */
int launch_norm_forward(struct CUstream_st *stream, enum precision precision,
                        const struct norm_shape *s, const void *x, const float *gamma,
                        const float *beta, void *y, float *mean, float *rstd);
/* Bytes that launch_norm_backward needs at scratch, aligned to 8. */
size_t norm_backward_scratch(const struct norm_shape *s);
int launch_norm_backward(struct CUstream_st *stream, enum precision precision,
                         const struct norm_shape *s, const void *dy, const void *x,
                         const float *gamma, const float *mean, const float *rstd, void *dx,
                         float *dgamma, float *dbeta, void *scratch);

/* cuda_layers.cu. t * m is less than 2^32. */
int launch_relu_forward(struct CUstream_st *stream, enum precision precision, size_t n,
                        const void *x, void *y);
int launch_relu_backward(struct CUstream_st *stream, enum precision precision, size_t n,
                         const void *dy, const void *y, void *dx);
int launch_mean_forward(struct CUstream_st *stream, enum precision precision, int n, int t, int c,
                        int m, const void *x, float *y, int stride);
int launch_mean_backward(struct CUstream_st *stream, enum precision precision, int n, int t, int c,
                         int m, const float *dy, int stride, void *dx);
/* What a matrix product leaves over of reference_linear_forward and _backward: y (n, out) =
 * bias in each row; dbias (out) = the sum of the rows of dy (n, out). */
int launch_bias_rows(struct CUstream_st *stream, int n, int out, const float *bias, float *y);
int launch_bias_backward(struct CUstream_st *stream, int n, int out, const float *dy,
                         float *dbias);

/* cuda_loss.cu */
int launch_loss(struct CUstream_st *stream, const struct loss_shape *s, const float *logits,
                const int32_t *labels, const float *weights, float *loss, int32_t *hit,
                float *dlogits);

/* cuda_samples.cu */
int launch_frames_in(struct CUstream_st *stream, enum precision precision,
                     const struct frames_shape *s, const uint8_t *frames, const struct crop *crops,
                     void *y);
int launch_mfcc_in(struct CUstream_st *stream, enum precision precision, int rows, int m,
                   const float *x, void *y);

/* cuda_optimizers.cu. y = x in that precision, and back. */
int launch_round(struct CUstream_st *stream, enum precision precision, size_t n, const float *x,
                 void *y);
int launch_widen(struct CUstream_st *stream, enum precision precision, size_t n, const void *x,
                 float *y);
int launch_unscale(struct CUstream_st *stream, size_t n, float factor, float *g, int32_t *bad);
int launch_sgd(struct CUstream_st *stream, const struct sgd_step *s, size_t n, const float *g,
               float *w, float *v);
int launch_adamw(struct CUstream_st *stream, const struct adamw_step *s, size_t n, const float *g,
                 float *w, float *m, float *v);

#ifdef __cplusplus
}
#endif

#endif
