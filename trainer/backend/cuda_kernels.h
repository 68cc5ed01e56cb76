/* cuda_kernels.h - our own kernels: each computes what the function of the same name in
 * reference_priv.h does, on the device. Launched in the stream; the code is that of the launch.
 * Every sum has one order, so results are the same bits each time. */
#ifndef S3SAMPLE_BACKEND_CUDA_KERNELS_H
#define S3SAMPLE_BACKEND_CUDA_KERNELS_H

#include <cuda_runtime_api.h>

#include "backend/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

cudaError_t kernel_norm_forward(cudaStream_t stream, const struct norm_shape *s, const float *x,
                                const float *gamma, const float *beta, float *y, float *mean,
                                float *rstd);
cudaError_t kernel_norm_backward(cudaStream_t stream, const struct norm_shape *s, const float *dy,
                                 const float *x, const float *gamma, const float *mean,
                                 const float *rstd, float *dx, float *dgamma, float *dbeta);
cudaError_t kernel_relu_forward(cudaStream_t stream, size_t n, const float *x, float *y);
cudaError_t kernel_relu_backward(cudaStream_t stream, size_t n, const float *dy, const float *y,
                                 float *dx);
cudaError_t kernel_mean_forward(cudaStream_t stream, int n, int t, int c, int m, const float *x,
                                float *y, int stride);
cudaError_t kernel_mean_backward(cudaStream_t stream, int n, int t, int c, int m, const float *dy,
                                 int stride, float *dx);
/* y (n, out) = bias in each row; dbias = the sum of dy's rows */
cudaError_t kernel_bias_forward(cudaStream_t stream, int n, int out, const float *bias, float *y);
cudaError_t kernel_bias_backward(cudaStream_t stream, int n, int out, const float *dy,
                                 float *dbias);
cudaError_t kernel_loss(cudaStream_t stream, const struct loss_shape *s, const float *logits,
                        const int32_t *labels, const float *weights, float *loss, int32_t *hit,
                        float *dlogits);
cudaError_t kernel_frames_in(cudaStream_t stream, const struct frames_shape *s,
                             const uint8_t *frames, const struct crop *crops, float *y);
cudaError_t kernel_mfcc_in(cudaStream_t stream, int rows, int m, const float *x, float *y);
cudaError_t kernel_sgd(cudaStream_t stream, const struct sgd_step *s, size_t n, const float *g,
                       float *w, float *v);
cudaError_t kernel_adamw(cudaStream_t stream, const struct adamw_step *s, size_t n, const float *g,
                         float *w, float *m, float *v);

#ifdef __cplusplus
}
#endif

#endif
