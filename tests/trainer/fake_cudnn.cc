#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cudnn.h>

#include "backend/half.h"
#include "fake_cuda_priv.h"

struct cudnnContext {
	cudaStream_t stream;
};

struct cudnnTensorStruct {
	cudnnDataType_t type;
	int n, c, h, w;
};

struct cudnnFilterStruct {
	cudnnDataType_t type;
	int k, c, h, w;
};

struct cudnnConvolutionStruct {
	int pad_h, pad_w, stride_h, stride_w;
	cudnnMathType_t math;
};

/* Of each direction. */
enum { ALGO_RANDOM, ALGO_GOOD, ALGO_HUGE, ALGO_MISSING };

static const size_t workspace_size = 1000; /* bytes */

/* ---- handles and descriptors --------------------------------------------------------- */

template <typename Object>
static cudnnStatus_t create(Object **ret)
{
	if (fake_cuda_fails())
		return CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
	*ret = new Object();
	fake_cuda_count(1);
	return CUDNN_STATUS_SUCCESS;
}

template <typename Object>
static cudnnStatus_t destroy(Object *object)
{
	delete object;
	fake_cuda_count(-1);
	return CUDNN_STATUS_SUCCESS;
}

static bool known(cudnnDataType_t type)
{
	return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16;
}

static cudnnStatus_t done(void)
{
	return fake_cuda_fails() ? CUDNN_STATUS_BAD_PARAM : CUDNN_STATUS_SUCCESS;
}

size_t cudnnGetVersion(void)
{
	return CUDNN_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t)
{
	return "fake error";
}

void cudnnGetLastErrorString(char *message, size_t max)
{
	snprintf(message, max, "no reason");
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *ret)
{
	return create(ret);
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
	return destroy(handle);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
	handle->stream = stream;
	return done();
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *ret)
{
	return create(ret);
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t desc)
{
	return destroy(desc);
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t desc, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w)
{
	if (format != CUDNN_TENSOR_NCHW || !known(type))
		return CUDNN_STATUS_NOT_SUPPORTED;
	*desc = { type, n, c, h, w };
	return done();
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *ret)
{
	return create(ret);
}

cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t desc)
{
	return destroy(desc);
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t desc, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w)
{
	if (format != CUDNN_TENSOR_NCHW || !known(type))
		return CUDNN_STATUS_NOT_SUPPORTED;
	*desc = { type, k, c, h, w };
	return done();
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *ret)
{
	return create(ret);
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t desc)
{
	return destroy(desc);
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t desc, int pad_h,
                                              int pad_w, int u, int v, int dilation_h,
                                              int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t type)
{
	if (mode != CUDNN_CROSS_CORRELATION || type != CUDNN_DATA_FLOAT || dilation_h != 1 ||
	    dilation_w != 1)
		return CUDNN_STATUS_NOT_SUPPORTED;
	*desc = { pad_h, pad_w, u, v, CUDNN_DEFAULT_MATH };
	return done();
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t desc, cudnnMathType_t math)
{
	desc->math = math;
	return done();
}

/* ---- algorithms ---------------------------------------------------------------------- */

/* What it wants to be set before an algorithm runs. */
static cudnnMathType_t math_of(cudnnDataType_t type)
{
	return type == CUDNN_DATA_FLOAT ? CUDNN_DEFAULT_MATH : CUDNN_TENSOR_OP_MATH;
}

template <typename Algo, typename Perf>
static cudnnStatus_t find(cudnnDataType_t type, int requested, int *ret_n, Perf *ret)
{
	static const struct {
		int algo;
		cudnnStatus_t status;
		cudnnDeterminism_t determinism;
	} list[] = {
		{ ALGO_MISSING, CUDNN_STATUS_NOT_SUPPORTED, CUDNN_DETERMINISTIC },
		{ ALGO_RANDOM, CUDNN_STATUS_SUCCESS, CUDNN_NON_DETERMINISTIC },
		{ ALGO_HUGE, CUDNN_STATUS_SUCCESS, CUDNN_DETERMINISTIC },
		{ ALGO_MISSING, CUDNN_STATUS_SUCCESS, CUDNN_DETERMINISTIC },
		{ ALGO_GOOD, CUDNN_STATUS_SUCCESS, CUDNN_DETERMINISTIC },
	};

	*ret_n = 0;
	for (auto &l : list) {
		if (*ret_n == requested)
			break;
		ret[*ret_n] = {};
		ret[*ret_n].algo = (Algo)l.algo;
		ret[*ret_n].status = l.status;
		ret[*ret_n].determinism = l.determinism;
		ret[*ret_n].mathType = math_of(type);
		++*ret_n;
	}
	return done();
}

static cudnnStatus_t size_of(int algo, size_t *ret)
{
	if (algo == ALGO_MISSING)
		return CUDNN_STATUS_NOT_SUPPORTED;
	*ret = algo == ALGO_HUGE ? (size_t)1 << 40 : workspace_size;
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithmMaxCount(cudnnHandle_t, int *ret)
{
	*ret = 8;
	return done();
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithmMaxCount(cudnnHandle_t, int *ret)
{
	*ret = 6;
	return done();
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(cudnnHandle_t, int *ret)
{
	*ret = 7;
	return done();
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(
	cudnnHandle_t, const cudnnTensorDescriptor_t desc, const cudnnFilterDescriptor_t,
	const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t, const int requested,
	int *ret_n, cudnnConvolutionFwdAlgoPerf_t *ret)
{
	return find<cudnnConvolutionFwdAlgo_t>(desc->type, requested, ret_n, ret);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
	cudnnHandle_t, const cudnnFilterDescriptor_t desc, const cudnnTensorDescriptor_t,
	const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t, const int requested,
	int *ret_n, cudnnConvolutionBwdDataAlgoPerf_t *ret)
{
	return find<cudnnConvolutionBwdDataAlgo_t>(desc->type, requested, ret_n, ret);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
	cudnnHandle_t, const cudnnTensorDescriptor_t desc, const cudnnTensorDescriptor_t,
	const cudnnConvolutionDescriptor_t, const cudnnFilterDescriptor_t, const int requested,
	int *ret_n, cudnnConvolutionBwdFilterAlgoPerf_t *ret)
{
	return find<cudnnConvolutionBwdFilterAlgo_t>(desc->type, requested, ret_n, ret);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(
	cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnFilterDescriptor_t,
	const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t,
	cudnnConvolutionFwdAlgo_t algo, size_t *ret)
{
	return size_of(algo, ret);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
	cudnnHandle_t, const cudnnFilterDescriptor_t, const cudnnTensorDescriptor_t,
	const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t,
	cudnnConvolutionBwdDataAlgo_t algo, size_t *ret)
{
	return size_of(algo, ret);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
	cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnTensorDescriptor_t,
	const cudnnConvolutionDescriptor_t, const cudnnFilterDescriptor_t,
	cudnnConvolutionBwdFilterAlgo_t algo, size_t *ret)
{
	return size_of(algo, ret);
}

/* ---- convolutions -------------------------------------------------------------------- */

enum way { FORWARD, DATA, FILTERS };

struct operands {
	struct cudnnTensorStruct x, y;
	struct cudnnFilterStruct filters;
	struct cudnnConvolutionStruct conv;
	const void *x_data, *filters_data, *y_data; /* two of them are read */
	void *result;
	bool random; /* the last bits are */
};

static float load(cudnnDataType_t type, const void *from, size_t i)
{
	if (type == CUDNN_DATA_FLOAT)
		return ((const float *)from)[i];
	return type == CUDNN_DATA_HALF ? fp16_to_float(((const uint16_t *)from)[i]) :
	                                 bf16_to_float(((const uint16_t *)from)[i]);
}

static void store(cudnnDataType_t type, void *to, size_t i, float value)
{
	if (type == CUDNN_DATA_FLOAT)
		((float *)to)[i] = value;
	else
		((uint16_t *)to)[i] = type == CUDNN_DATA_HALF ? fp16_from_float(value) :
		                                                bf16_from_float(value);
}

static void convolve(enum way way, const struct operands &o)
{
	size_t sizes[] = { (size_t)o.y.n * o.y.c * o.y.h * o.y.w, (size_t)o.x.n * o.x.c * o.x.h * o.x.w,
	                   (size_t)o.filters.k * o.filters.c * o.filters.h * o.filters.w };
	size_t size = sizes[way];
	double *sum = new double[size]();
	bool tf32 = o.conv.math != CUDNN_FMA_MATH;
	cudnnDataType_t type = o.x.type;
	auto value = [=](const void *from, size_t i) {
		float v = load(type, from, i);

		return (double)(tf32 && type == CUDNN_DATA_FLOAT ? fake_cuda_to_tf32(v) : v);
	};

	for (int n = 0; n < o.y.n; n++)
	for (int k = 0; k < o.y.c; k++)
	for (int oy = 0; oy < o.y.h; oy++)
	for (int ox = 0; ox < o.y.w; ox++)
	for (int c = 0; c < o.x.c; c++)
	for (int r = 0; r < o.filters.h; r++)
	for (int s = 0; s < o.filters.w; s++) {
		int iy = oy * o.conv.stride_h - o.conv.pad_h + r;
		int ix = ox * o.conv.stride_w - o.conv.pad_w + s;
		size_t y = ((size_t)(n * o.y.c + k) * o.y.h + oy) * o.y.w + ox;
		size_t x = ((size_t)(n * o.x.c + c) * o.x.h + iy) * o.x.w + ix;
		size_t w = ((size_t)(k * o.x.c + c) * o.filters.h + r) * o.filters.w + s;

		if (iy < 0 || iy >= o.x.h || ix < 0 || ix >= o.x.w)
			continue;
		if (way == FORWARD)
			sum[y] += value(o.x_data, x) * value(o.filters_data, w);
		else if (way == DATA)
			sum[x] += value(o.y_data, y) * value(o.filters_data, w);
		else
			sum[w] += value(o.x_data, x) * value(o.y_data, y);
	}
	for (size_t i = 0; i < size; i++)
		store(type, o.result, i,
		      (float)(sum[i] * (1 + (o.random ? fake_cuda_random() % 16 * 1e-7 : 0))));
	delete[] sum;
}

static cudnnStatus_t run(cudnnHandle_t handle, enum way way, struct operands o, int algo,
                         const void *filters, void *workspace, size_t size, const void *alpha,
                         const void *beta)
{
	if (o.x.type != o.y.type || o.x.type != o.filters.type)
		return CUDNN_STATUS_NOT_SUPPORTED;
	if (o.x.type != CUDNN_DATA_FLOAT && o.conv.math != math_of(o.x.type))
		return CUDNN_STATUS_NOT_SUPPORTED;
	if (*(const float *)alpha != 1 || *(const float *)beta != 0 || o.x.n != o.y.n ||
	    o.filters.k != o.y.c || o.filters.c != o.x.c)
		return CUDNN_STATUS_BAD_PARAM;
	if ((algo != ALGO_RANDOM && algo != ALGO_GOOD) || !workspace || size < workspace_size)
		return CUDNN_STATUS_BAD_PARAM;
	if ((uintptr_t)filters % 16 != 0)
		return CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER;
	if (fake_cuda_fails())
		return CUDNN_STATUS_EXECUTION_FAILED;
	o.random = algo == ALGO_RANDOM;
	if (o.x.type == CUDNN_DATA_FLOAT && o.conv.math != CUDNN_FMA_MATH)
		fake_cuda_count_tf32();
	fake_cuda_queue(handle->stream, [=]() {
		memset(workspace, 0xff, workspace_size);
		convolve(way, o);
	});
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnConvolutionForward(
	cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t x_desc, const void *x,
	const cudnnFilterDescriptor_t w_desc, const void *w, const cudnnConvolutionDescriptor_t conv,
	cudnnConvolutionFwdAlgo_t algo, void *workspace, size_t size, const void *beta,
	const cudnnTensorDescriptor_t y_desc, void *y)
{
	return run(handle, FORWARD, { *x_desc, *y_desc, *w_desc, *conv, x, w, NULL, y, false }, algo, w, workspace, size, alpha, beta);
}

cudnnStatus_t cudnnConvolutionBackwardData(
	cudnnHandle_t handle, const void *alpha, const cudnnFilterDescriptor_t w_desc, const void *w,
	const cudnnTensorDescriptor_t dy_desc, const void *dy, const cudnnConvolutionDescriptor_t conv,
	cudnnConvolutionBwdDataAlgo_t algo, void *workspace, size_t size, const void *beta,
	const cudnnTensorDescriptor_t dx_desc, void *dx)
{
	return run(handle, DATA, { *dx_desc, *dy_desc, *w_desc, *conv, NULL, w, dy, dx, false }, algo, w, workspace, size, alpha, beta);
}

cudnnStatus_t cudnnConvolutionBackwardFilter(
	cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t x_desc, const void *x,
	const cudnnTensorDescriptor_t dy_desc, const void *dy, const cudnnConvolutionDescriptor_t conv,
	cudnnConvolutionBwdFilterAlgo_t algo, void *workspace, size_t size, const void *beta,
	const cudnnFilterDescriptor_t dw_desc, void *dw)
{
	return run(handle, FILTERS, { *x_desc, *dy_desc, *dw_desc, *conv, x, NULL, dy, dw, false }, algo, dw, workspace, size, alpha, beta);
}
