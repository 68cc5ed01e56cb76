/* cuda_priv.h - what the files of the GPU's backend share. */
#ifndef S3SAMPLE_BACKEND_CUDA_PRIV_H
#define S3SAMPLE_BACKEND_CUDA_PRIV_H

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include "backend/backend.h"

struct cuda {
	struct backend base; /* first */
	int device;
	bool deterministic;
	cudaStream_t stream;    /* everything runs in its order */
	cudnnHandle_t dnn;
	cublasHandle_t blas;
	void *workspace;        /* of convolutions, which run one after the other */
	size_t workspace_size;
};

static inline struct cuda *cuda_of(struct backend *b)
{
	return (struct cuda *)b;
}

/* The libraries' codes as -errno; what: for the log. */
int cuda_error(cudaError_t code, const char *what);
int cuda_dnn_error(cudnnStatus_t code, const char *what);

/* cuda_conv.c */
int cuda_conv_new(struct backend *b, const struct conv_shape *s, struct conv **ret);
void cuda_conv_free(struct backend *b, struct conv *c);
int cuda_conv_forward(struct backend *b, struct conv *c, const float *x, const float *filters,
                      float *y);
int cuda_conv_backward_data(struct backend *b, struct conv *c, const float *dy,
                            const float *filters, float *dx);
int cuda_conv_backward_filters(struct backend *b, struct conv *c, const float *x, const float *dy,
                               float *dfilters);

#endif
