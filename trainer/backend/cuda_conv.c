#include <errno.h>
#include <stdlib.h>

#include "backend/cuda_priv.h"

#define ALGORITHMS_MAX 16
#define WORKSPACE_MAX ((size_t)1 << 30) /* bytes */

struct conv {
	cudnnTensorDescriptor_t x, y;
	cudnnFilterDescriptor_t filters;
	cudnnConvolutionDescriptor_t conv;
	cudnnConvolutionFwdAlgo_t forward;
	cudnnConvolutionBwdDataAlgo_t data;
	cudnnConvolutionBwdFilterAlgo_t filter;
	size_t workspace;       /* bytes; the most that one of the three needs */
};

void cuda_conv_free(struct backend *b, struct conv *c)
{
	(void)b;
	if (!c)
		return;
	if (c->x)
		cudnnDestroyTensorDescriptor(c->x);
	if (c->y)
		cudnnDestroyTensorDescriptor(c->y);
	if (c->filters)
		cudnnDestroyFilterDescriptor(c->filters);
	if (c->conv)
		cudnnDestroyConvolutionDescriptor(c->conv);
	free(c);
}

static cudnnStatus_t describe(struct conv *c, const struct conv_shape *s)
{
	cudnnStatus_t status = cudnnCreateTensorDescriptor(&c->x);

	if (!status)
		status = cudnnCreateTensorDescriptor(&c->y);
	if (!status)
		status = cudnnCreateFilterDescriptor(&c->filters);
	if (!status)
		status = cudnnCreateConvolutionDescriptor(&c->conv);
	if (!status)
		status = cudnnSetTensor4dDescriptor(c->x, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, s->n, s->c,
		                                    s->h, s->w);
	if (!status)
		status = cudnnSetTensor4dDescriptor(c->y, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, s->n, s->k,
		                                    conv_out_h(s), conv_out_w(s));
	if (!status)
		status = cudnnSetFilter4dDescriptor(c->filters, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, s->k,
		                                    s->c, s->r, s->s);
	if (!status)
		status = cudnnSetConvolution2dDescriptor(c->conv, s->pad_h, s->pad_w, s->stride_h,
		                                         s->stride_w, 1, 1, CUDNN_CROSS_CORRELATION,
		                                         CUDNN_DATA_FLOAT);
	/* float32 as it is: no tensor cores with ten bits */
	return status ? status : cudnnSetConvolutionMathType(c->conv, CUDNN_FMA_MATH);
}

/* Whether an algorithm that a finder proposes may be taken. */
static bool acceptable(const struct cuda *cuda, cudnnStatus_t status,
                       cudnnDeterminism_t determinism, cudnnMathType_t math, size_t memory)
{
	return status == CUDNN_STATUS_SUCCESS && memory <= WORKSPACE_MAX && math != CUDNN_TENSOR_OP_MATH &&
	       math != CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION &&
	       (!cuda->deterministic || determinism == CUDNN_DETERMINISTIC);
}

static void need(struct conv *c, size_t bytes)
{
	if (bytes > c->workspace)
		c->workspace = bytes;
}

/* The finders answer by heuristics, fastest first, and run nothing: the same answer each time. */
static int choose_forward(struct cuda *cuda, struct conv *c)
{
	cudnnConvolutionFwdAlgoPerf_t found[ALGORITHMS_MAX];
	int n = 0, err;

	err = cuda_dnn_error(cudnnGetConvolutionForwardAlgorithm_v7(cuda->dnn, c->x, c->filters, c->conv,
	                                                            c->y, ALGORITHMS_MAX, &n, found),
	                     "forward algorithms");
	for (int i = 0; i < n && !err; i++) {
		if (!acceptable(cuda, found[i].status, found[i].determinism, found[i].mathType,
		                found[i].memory))
			continue;
		c->forward = found[i].algo;
		need(c, found[i].memory);
		return 0;
	}
	return err ? err : -EIO;
}

static int choose_data(struct cuda *cuda, struct conv *c)
{
	cudnnConvolutionBwdDataAlgoPerf_t found[ALGORITHMS_MAX];
	int n = 0, err;

	err = cuda_dnn_error(cudnnGetConvolutionBackwardDataAlgorithm_v7(cuda->dnn, c->filters, c->y,
	                                                                 c->conv, c->x, ALGORITHMS_MAX,
	                                                                 &n, found),
	                     "data algorithms");
	for (int i = 0; i < n && !err; i++) {
		if (!acceptable(cuda, found[i].status, found[i].determinism, found[i].mathType,
		                found[i].memory))
			continue;
		c->data = found[i].algo;
		need(c, found[i].memory);
		return 0;
	}
	return err ? err : -EIO;
}

static int choose_filter(struct cuda *cuda, struct conv *c)
{
	cudnnConvolutionBwdFilterAlgoPerf_t found[ALGORITHMS_MAX];
	int n = 0, err;

	err = cuda_dnn_error(cudnnGetConvolutionBackwardFilterAlgorithm_v7(cuda->dnn, c->x, c->y,
	                                                                   c->conv, c->filters,
	                                                                   ALGORITHMS_MAX, &n, found),
	                     "filter algorithms");
	for (int i = 0; i < n && !err; i++) {
		if (!acceptable(cuda, found[i].status, found[i].determinism, found[i].mathType,
		                found[i].memory))
			continue;
		c->filter = found[i].algo;
		need(c, found[i].memory);
		return 0;
	}
	return err ? err : -EIO;
}

static int grow_workspace(struct cuda *cuda, size_t bytes)
{
	void *workspace;
	int err;

	if (bytes <= cuda->workspace_size)
		return 0;
	err = cuda_error(cudaMalloc(&workspace, bytes), "workspace");
	if (err)
		return err;
	/* cudaFree waits for whoever still uses it. */
	cudaFree(cuda->workspace);
	cuda->workspace = workspace;
	cuda->workspace_size = bytes;
	return 0;
}

int cuda_conv_new(struct backend *b, const struct conv_shape *s, struct conv **ret)
{
	struct cuda *cuda = cuda_of(b);
	struct conv *c;
	int err;

	if (conv_out_h(s) < 1 || conv_out_w(s) < 1)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	err = cuda_dnn_error(describe(c, s), "convolution");
	if (!err)
		err = choose_forward(cuda, c);
	if (!err)
		err = choose_data(cuda, c);
	if (!err)
		err = choose_filter(cuda, c);
	if (!err)
		err = grow_workspace(cuda, c->workspace);
	if (err) {
		cuda_conv_free(b, c);
		return err;
	}
	*ret = c;
	return 0;
}

int cuda_conv_forward(struct backend *b, struct conv *c, const float *x, const float *filters,
                      float *y)
{
	struct cuda *cuda = cuda_of(b);
	const float one = 1, zero = 0;

	return cuda_dnn_error(cudnnConvolutionForward(cuda->dnn, &one, c->x, x, c->filters, filters,
	                                              c->conv, c->forward, cuda->workspace,
	                                              cuda->workspace_size, &zero, c->y, y),
	                      "forward");
}

int cuda_conv_backward_data(struct backend *b, struct conv *c, const float *dy,
                            const float *filters, float *dx)
{
	struct cuda *cuda = cuda_of(b);
	const float one = 1, zero = 0;

	return cuda_dnn_error(cudnnConvolutionBackwardData(cuda->dnn, &one, c->filters, filters, c->y, dy,
	                                                   c->conv, c->data, cuda->workspace,
	                                                   cuda->workspace_size, &zero, c->x, dx),
	                      "data");
}

int cuda_conv_backward_filters(struct backend *b, struct conv *c, const float *x, const float *dy,
                               float *dfilters)
{
	struct cuda *cuda = cuda_of(b);
	const float one = 1, zero = 0;

	return cuda_dnn_error(cudnnConvolutionBackwardFilter(cuda->dnn, &one, c->x, x, c->y, dy, c->conv,
	                                                     c->filter, cuda->workspace,
	                                                     cuda->workspace_size, &zero, c->filters,
	                                                     dfilters),
	                      "filters");
}
