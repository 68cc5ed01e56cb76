/* cuda_priv.h - what the files of the GPU's backend share. Kernels are in cuda_kernels.h. */
#ifndef S3SAMPLE_BACKEND_CUDA_PRIV_H
#define S3SAMPLE_BACKEND_CUDA_PRIV_H

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include "backend/backend.h"
#include "backend/cuda.h"
#include "backend/cuda_staging.h"

struct cuda {
	struct backend base; /* first */
	struct cuda_options options;
	cudaStream_t compute; /* everything but what staging copies from the host */
	cudnnHandle_t cudnn;
	cublasHandle_t cublas;
	void *cublas_workspace;
	struct ncclComm *nccl; /* NULL if it hasn't joined, or lost the others */
	int lost;              /* -errno of that, or 0 */
	struct staging staging;
	struct pinned *pinned; /* what host_alloc gave away */
	/* For one function at a time: on one stream they run one after the other. */
	void *scratch;
	size_t scratch_size;
};

static inline struct cuda *cuda_of(struct backend *b)
{
	return (struct cuda *)b;
}

/* cuda_error.c: the libraries' codes as -errno, their texts for backend_words; what: begins them. */
int cuda_error(cudaError_t error, const char *what);
int cuda_error_cudnn(cudnnStatus_t status, const char *what);
int cuda_error_cublas(cublasStatus_t status, const char *what);

/* cuda_memory.c */
int cuda_alloc(struct backend *b, size_t bytes, void **ret);
void cuda_release(struct backend *b, void *buffer);
int cuda_upload(struct backend *b, void *buffer, const void *host, size_t bytes);
int cuda_download(struct backend *b, void *host, const void *buffer, size_t bytes);
int cuda_zero(struct backend *b, void *buffer, size_t bytes);
/* At least this many bytes, aligned to 256; what was there before is lost. */
int cuda_scratch(struct cuda *cuda, size_t bytes, void **ret);
/* CUDA's device is the thread's: makes it this one. Each function of the table begins so. Fails
 * where another rank was lost, too. */
int cuda_enter(struct cuda *cuda);

/* cuda_wait.c: until the compute stream is empty, or an event of it was reached; or until another
 * rank is gone. what: for the log. */
int cuda_wait(struct cuda *cuda, const char *what);
int cuda_wait_event(struct cuda *cuda, cudaEvent_t event, const char *what);

/* cuda_nccl.c, besides cuda_nccl.h */
#ifdef HAVE_NCCL
/* 0, or -errno if another rank is gone; what the GPU waited for then ends. */
int cuda_nccl_check(struct cuda *cuda);
/* The end of it. Nothing may be queued. */
void cuda_nccl_leave(struct cuda *cuda);
/* A line with the version, if it has joined. */
void cuda_nccl_describe(struct cuda *cuda, struct buf *out);
#else
static inline int cuda_nccl_check(struct cuda *cuda)
{
	return cuda->lost;
}

static inline void cuda_nccl_leave(struct cuda *cuda)
{
	(void)cuda;
}

static inline void cuda_nccl_describe(struct cuda *cuda, struct buf *out)
{
	(void)cuda;
	(void)out;
}
#endif

/* cuda_pinned.c */
int cuda_host_alloc(struct backend *b, size_t bytes, void **ret);
void cuda_host_free(struct backend *b, void *host);
/* Whether all of these bytes are memory of cuda_host_alloc. */
bool cuda_is_pinned(const struct cuda *cuda, const void *host, size_t bytes);

/* cuda_conv.c */
int cuda_conv_new(struct backend *b, const struct conv_shape *s, struct conv **ret);
void cuda_conv_free(struct backend *b, struct conv *c);
int cuda_conv_forward(struct backend *b, struct conv *c, const void *x, const float *filters,
                      void *y);
int cuda_conv_backward_data(struct backend *b, struct conv *c, const void *dy,
                            const float *filters, void *dx);
int cuda_conv_backward_filters(struct backend *b, struct conv *c, const void *x, const void *dy,
                               float *dfilters);

/* cuda_linear.c */
int cuda_linear_forward(struct backend *b, int n, int in, int out, const float *x,
                        const float *weights, const float *bias, float *y);
int cuda_linear_backward(struct backend *b, int n, int in, int out, const float *x,
                         const float *weights, const float *dy, float *dx, float *dweights,
                         float *dbias);

/* cuda_ops.c */
int cuda_norm_forward(struct backend *b, const struct norm_shape *s, const void *x,
                      const float *gamma, const float *beta, void *y, float *mean, float *rstd);
int cuda_norm_backward(struct backend *b, const struct norm_shape *s, const void *dy,
                       const void *x, const float *gamma, const float *mean, const float *rstd,
                       void *dx, float *dgamma, float *dbeta);
int cuda_relu_forward(struct backend *b, size_t n, const void *x, void *y);
int cuda_relu_backward(struct backend *b, size_t n, const void *dy, const void *y, void *dx);
int cuda_mean_forward(struct backend *b, int n, int t, int c, int m, const void *x, float *y,
                      int stride);
int cuda_mean_backward(struct backend *b, int n, int t, int c, int m, const float *dy, int stride,
                       void *dx);
int cuda_loss(struct backend *b, const struct loss_shape *s, const float *logits,
              const int32_t *labels, const float *weights, float *loss, int32_t *hit,
              float *dlogits);
int cuda_frames_in(struct backend *b, const struct frames_shape *s, const uint8_t *frames,
                   const struct crop *crops, void *y);
int cuda_mfcc_in(struct backend *b, int rows, int m, const float *x, void *y);
int cuda_unscale(struct backend *b, size_t n, float factor, float *g, int32_t *bad);
int cuda_sgd(struct backend *b, const struct sgd_step *s, size_t n, const float *g, float *w,
             float *v);
int cuda_adamw(struct backend *b, const struct adamw_step *s, size_t n, const float *g, float *w,
               float *m, float *v);

#endif
