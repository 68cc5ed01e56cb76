/* Convolutions by cuDNN's classic functions: in 9 they are called deprecated, but what
 * replaces them is a C++ library of its own. */
#include <errno.h>
#include <stdlib.h>

#include "backend/cuda_kernels.h"
#include "backend/cuda_priv.h"
#include "base/log.h"

/* Of an algorithm: past this, and twice what it works on, a faster one isn't worth the samples
 * that fit no more. (In 16 bits cuDNN computes on copies of all operands with channels last.) */
#define WORKSPACE_MAX ((size_t)256 << 20) /* bytes */

#define CANDIDATES_MAX 32

/* cuDNN reads several values at once. Filters lie one behind the other, so may begin at any
 * float, and are float32: a copy is what it gets where it can't take them so. All other arrays
 * begin where cudaMalloc put them. */
#define ALIGNMENT 16      /* bytes: what cuDNN may count on */
#define COPY_ALIGNMENT 256 /* of the workspace behind the copy */

/* One of the three directions. */
struct way {
	cudnnConvolutionDescriptor_t desc; /* its own, as its algorithm has its own math type */
	int algo;           /* cudnnConvolution{Fwd,BwdData,BwdFilter}Algo_t */
	size_t workspace;   /* bytes */
};

struct conv {
	cudnnTensorDescriptor_t x, y; /* of dx and dy as well */
	cudnnFilterDescriptor_t filters;
	size_t filters_n;   /* values */
	size_t filters_size; /* bytes of their copy, in the activations' precision */
	size_t workspace_max;
	struct way forward, data, weights;
	bool no_dx;         /* there is no way `data` */
};

/* ---- choosing algorithms ------------------------------------------------------------- */

/* What the three finders say of an algorithm, in one type. */
struct candidate {
	int algo;
	cudnnStatus_t status;
	cudnnDeterminism_t determinism;
	cudnnMathType_t math;
};

/* A direction's finder, best first; and how much room an algorithm of it needs. */
typedef cudnnStatus_t find_fn(cudnnHandle_t cudnn, const struct conv *c, struct candidate *ret,
                              int *ret_n);
typedef cudnnStatus_t workspace_fn(cudnnHandle_t cudnn, const struct conv *c, int algo,
                                   size_t *ret);

static int at_most(int n, int max)
{
	return n < max ? n : max;
}

static cudnnStatus_t find_forward(cudnnHandle_t cudnn, const struct conv *c, struct candidate *ret,
                                  int *ret_n)
{
	cudnnConvolutionFwdAlgoPerf_t found[CANDIDATES_MAX];
	int max = 0, n = 0;
	cudnnStatus_t status = cudnnGetConvolutionForwardAlgorithmMaxCount(cudnn, &max);

	if (!status)
		status = cudnnGetConvolutionForwardAlgorithm_v7(cudnn, c->x, c->filters, c->forward.desc,
		                                                c->y, at_most(max, CANDIDATES_MAX), &n,
		                                                found);
	for (int i = 0; i < n && !status; i++)
		ret[i] = (struct candidate){ (int)found[i].algo, found[i].status, found[i].determinism,
		                             found[i].mathType };
	*ret_n = n;
	return status;
}

static cudnnStatus_t workspace_forward(cudnnHandle_t cudnn, const struct conv *c, int algo,
                                       size_t *ret)
{
	return cudnnGetConvolutionForwardWorkspaceSize(cudnn, c->x, c->filters, c->forward.desc, c->y,
	                                               (cudnnConvolutionFwdAlgo_t)algo, ret);
}

static cudnnStatus_t find_data(cudnnHandle_t cudnn, const struct conv *c, struct candidate *ret,
                               int *ret_n)
{
	cudnnConvolutionBwdDataAlgoPerf_t found[CANDIDATES_MAX];
	int max = 0, n = 0;
	cudnnStatus_t status = cudnnGetConvolutionBackwardDataAlgorithmMaxCount(cudnn, &max);

	if (!status)
		status = cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnn, c->filters, c->y, c->data.desc,
		                                                     c->x, at_most(max, CANDIDATES_MAX),
		                                                     &n, found);
	for (int i = 0; i < n && !status; i++)
		ret[i] = (struct candidate){ (int)found[i].algo, found[i].status, found[i].determinism,
		                             found[i].mathType };
	*ret_n = n;
	return status;
}

static cudnnStatus_t workspace_data(cudnnHandle_t cudnn, const struct conv *c, int algo,
                                    size_t *ret)
{
	return cudnnGetConvolutionBackwardDataWorkspaceSize(cudnn, c->filters, c->y, c->data.desc, c->x,
	                                                    (cudnnConvolutionBwdDataAlgo_t)algo, ret);
}

static cudnnStatus_t find_weights(cudnnHandle_t cudnn, const struct conv *c, struct candidate *ret,
                                  int *ret_n)
{
	cudnnConvolutionBwdFilterAlgoPerf_t found[CANDIDATES_MAX];
	int max = 0, n = 0;
	cudnnStatus_t status = cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(cudnn, &max);

	if (!status)
		status = cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnn, c->x, c->y, c->weights.desc,
		                                                       c->filters,
		                                                       at_most(max, CANDIDATES_MAX), &n,
		                                                       found);
	for (int i = 0; i < n && !status; i++)
		ret[i] = (struct candidate){ (int)found[i].algo, found[i].status, found[i].determinism,
		                             found[i].mathType };
	*ret_n = n;
	return status;
}

static cudnnStatus_t workspace_weights(cudnnHandle_t cudnn, const struct conv *c, int algo,
                                       size_t *ret)
{
	return cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnn, c->x, c->y, c->weights.desc,
	                                                      c->filters,
	                                                      (cudnnConvolutionBwdFilterAlgo_t)algo,
	                                                      ret);
}

/* Products of float32 are wanted as they are. */
static bool exact(const struct cuda *cuda)
{
	return cuda->base.activations == PRECISION_FLOAT32 && !cuda->options.reduced_precision;
}

/* Takes the best algorithm that may be taken. The finders of this kind go by tables, not by
 * measuring: the choice is the same in the next run. */
static int choose(struct cuda *cuda, const struct conv *c, struct way *w, find_fn *find,
                  workspace_fn *workspace, const char *what)
{
	struct candidate list[CANDIDATES_MAX];
	int n, err = cuda_error_cudnn(find(cuda->cudnn, c, list, &n), what);

	if (err)
		return err;
	for (int i = 0; i < n; i++) {
		/* Never what the finder says where float32 is asked for: a default is TF32. */
		cudnnMathType_t math = exact(cuda) ? CUDNN_FMA_MATH : list[i].math;
		size_t size;

		if (list[i].status != CUDNN_STATUS_SUCCESS)
			continue;
		if (cuda->options.deterministic && list[i].determinism != CUDNN_DETERMINISTIC)
			continue;
		err = cuda_error_cudnn(cudnnSetConvolutionMathType(w->desc, math), what);
		if (err)
			return err;
		if (workspace(cuda->cudnn, c, list[i].algo, &size) || size > c->workspace_max)
			continue;
		w->algo = list[i].algo;
		w->workspace = size;
		log_debug("cuDNN: %s: algorithm %d, math type %d, %zu bytes", what, w->algo, (int)math,
		          size);
		return 0;
	}
	return backend_failed(-EIO, "cuDNN: %s: none of %d algorithms will do", what, n);
}

/* ---- the workspace ------------------------------------------------------------------- */

/* Room for a copy of the filters, and behind it what a way needs. */
static int room(struct cuda *cuda, const struct conv *c, const struct way *w, void **ret_copy,
                void **ret_workspace)
{
	size_t before = (c->filters_size + COPY_ALIGNMENT - 1) / COPY_ALIGNMENT * COPY_ALIGNMENT;
	void *scratch;
	int err = cuda_scratch(cuda, before + w->workspace, &scratch);

	if (err)
		return err;
	*ret_copy = scratch;
	*ret_workspace = w->workspace ? (uint8_t *)scratch + before : NULL;
	return 0;
}

/* ---- building ------------------------------------------------------------------------ */

static cudnnDataType_t data_type(const struct cuda *cuda)
{
	switch (cuda->base.activations) {
	case PRECISION_BF16:
		return CUDNN_DATA_BFLOAT16;
	case PRECISION_FP16:
		return CUDNN_DATA_HALF;
	default:
		return CUDNN_DATA_FLOAT;
	}
}

static int way_init(struct cuda *cuda, struct way *w, const struct conv_shape *s)
{
	cudnnMathType_t math = exact(cuda) ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH;
	int err = cuda_error_cudnn(cudnnCreateConvolutionDescriptor(&w->desc), "convolution");

	if (!err)
		err = cuda_error_cudnn(cudnnSetConvolution2dDescriptor(w->desc, s->pad_h, s->pad_w,
		                                                       s->stride_h, s->stride_w, 1, 1,
		                                                       CUDNN_CROSS_CORRELATION,
		                                                       CUDNN_DATA_FLOAT), "convolution");
	return err ? err : cuda_error_cudnn(cudnnSetConvolutionMathType(w->desc, math), "math type");
}

static int descriptors_init(struct conv *c, const struct conv_shape *s, cudnnDataType_t type)
{
	int err = cuda_error_cudnn(cudnnCreateTensorDescriptor(&c->x), "x");

	if (!err)
		err = cuda_error_cudnn(cudnnSetTensor4dDescriptor(c->x, CUDNN_TENSOR_NCHW, type, s->n, s->c,
		                                                  s->h, s->w), "x");
	if (!err)
		err = cuda_error_cudnn(cudnnCreateTensorDescriptor(&c->y), "y");
	if (!err)
		err = cuda_error_cudnn(cudnnSetTensor4dDescriptor(c->y, CUDNN_TENSOR_NCHW, type, s->n, s->k,
		                                                  conv_out_h(s), conv_out_w(s)), "y");
	if (!err)
		err = cuda_error_cudnn(cudnnCreateFilterDescriptor(&c->filters), "filters");
	if (!err)
		err = cuda_error_cudnn(cudnnSetFilter4dDescriptor(c->filters, type, CUDNN_TENSOR_NCHW, s->k,
		                                                  s->c, s->r, s->s), "filters");
	return err;
}

/* Bytes of x and y. */
static size_t activations_size(const struct cuda *cuda, const struct conv_shape *s)
{
	size_t x = (size_t)s->c * s->h * s->w, y = (size_t)s->k * conv_out_h(s) * conv_out_w(s);

	return (size_t)s->n * (x + y) * backend_activation_size(&cuda->base);
}

static int conv_init(struct cuda *cuda, struct conv *c, const struct conv_shape *s)
{
	int err = descriptors_init(c, s, data_type(cuda));

	c->no_dx = s->no_dx;
	c->filters_n = (size_t)s->k * s->c * s->r * s->s;
	c->filters_size = c->filters_n * backend_activation_size(&cuda->base);
	c->workspace_max = 2 * (c->filters_size + activations_size(cuda, s));
	if (c->workspace_max < WORKSPACE_MAX)
		c->workspace_max = WORKSPACE_MAX;
	if (!err)
		err = way_init(cuda, &c->forward, s);
	if (!err && !c->no_dx)
		err = way_init(cuda, &c->data, s);
	if (!err)
		err = way_init(cuda, &c->weights, s);
	if (!err)
		err = choose(cuda, c, &c->forward, find_forward, workspace_forward, "forward");
	if (!err && !c->no_dx)
		err = choose(cuda, c, &c->data, find_data, workspace_data, "backward data");
	if (!err)
		err = choose(cuda, c, &c->weights, find_weights, workspace_weights, "backward filters");
	return err;
}

/* So that training asks for no memory in its first steps. */
static int reserve(struct cuda *cuda, const struct conv *c)
{
	const struct way *ways[] = { &c->forward, &c->weights, &c->data };
	void *copy, *workspace;
	int err = 0;

	for (int i = 0; i < (c->no_dx ? 2 : 3) && !err; i++)
		err = room(cuda, c, ways[i], &copy, &workspace);
	return err;
}

static void way_done(struct way *w)
{
	if (w->desc)
		cuda_error_cudnn(cudnnDestroyConvolutionDescriptor(w->desc), "end");
}

void cuda_conv_free(struct backend *b, struct conv *c)
{
	(void)b;
	if (!c)
		return;
	way_done(&c->forward);
	way_done(&c->data);
	way_done(&c->weights);
	if (c->filters)
		cuda_error_cudnn(cudnnDestroyFilterDescriptor(c->filters), "end");
	if (c->y)
		cuda_error_cudnn(cudnnDestroyTensorDescriptor(c->y), "end");
	if (c->x)
		cuda_error_cudnn(cudnnDestroyTensorDescriptor(c->x), "end");
	free(c);
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
	err = cuda_enter(cuda);
	if (!err)
		err = conv_init(cuda, c, s);
	if (!err)
		err = reserve(cuda, c);
	if (err) {
		cuda_conv_free(b, c);
		return err;
	}
	*ret = c;
	return 0;
}

/* ---- running ------------------------------------------------------------------------- */

/* cuDNN can read or write them where they are. */
static bool fit(const struct cuda *cuda, const float *filters)
{
	return cuda->base.activations == PRECISION_FLOAT32 && (uintptr_t)filters % ALIGNMENT == 0;
}

/* room, and the filters or their copy. */
static int prepare(struct cuda *cuda, const struct conv *c, const struct way *w,
                   const float *filters, const void **ret_filters, void **ret_workspace)
{
	void *copy;
	int err = cuda_enter(cuda);

	if (!err)
		err = room(cuda, c, w, &copy, ret_workspace);
	if (err)
		return err;
	*ret_filters = fit(cuda, filters) ? (const void *)filters : copy;
	if (fit(cuda, filters))
		return 0;
	return cuda_error((cudaError_t)launch_round(cuda->compute, cuda->base.activations, c->filters_n,
	                                            filters, copy), "filters");
}

static const float one = 1, zero = 0;

int cuda_conv_forward(struct backend *b, struct conv *c, const void *x, const float *filters,
                      void *y)
{
	struct cuda *cuda = cuda_of(b);
	const struct way *w = &c->forward;
	const void *read;
	void *workspace;
	int err = prepare(cuda, c, w, filters, &read, &workspace);

	if (err)
		return err;
	return cuda_error_cudnn(cudnnConvolutionForward(cuda->cudnn, &one, c->x, x, c->filters, read,
	                                                w->desc, (cudnnConvolutionFwdAlgo_t)w->algo,
	                                                workspace, w->workspace, &zero, c->y, y),
	                        "forward");
}

int cuda_conv_backward_data(struct backend *b, struct conv *c, const void *dy,
                            const float *filters, void *dx)
{
	struct cuda *cuda = cuda_of(b);
	const struct way *w = &c->data;
	const void *read;
	void *workspace;
	int err = c->no_dx ? -EINVAL : prepare(cuda, c, w, filters, &read, &workspace);

	if (err)
		return err;
	return cuda_error_cudnn(cudnnConvolutionBackwardData(cuda->cudnn, &one, c->filters, read,
	                                                     c->y, dy, w->desc,
	                                                     (cudnnConvolutionBwdDataAlgo_t)w->algo,
	                                                     workspace, w->workspace, &zero, c->x, dx),
	                        "backward data");
}

int cuda_conv_backward_filters(struct backend *b, struct conv *c, const void *x, const void *dy,
                               float *dfilters)
{
	struct cuda *cuda = cuda_of(b);
	const struct way *w = &c->weights;
	void *copy, *to, *workspace;
	int err = cuda_enter(cuda);

	if (!err)
		err = room(cuda, c, w, &copy, &workspace);
	if (err)
		return err;
	to = fit(cuda, dfilters) ? (void *)dfilters : copy;
	err = cuda_error_cudnn(cudnnConvolutionBackwardFilter(cuda->cudnn, &one, c->x, x, c->y, dy,
	                                                      w->desc,
	                                                      (cudnnConvolutionBwdFilterAlgo_t)w->algo,
	                                                      workspace, w->workspace, &zero,
	                                                      c->filters, to), "backward filters");
	if (err || to == dfilters)
		return err;
	return cuda_error((cudaError_t)launch_widen(cuda->compute, cuda->base.activations, c->filters_n,
	                                            copy, dfilters), "filters");
}
