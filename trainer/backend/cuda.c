#include "backend/cuda.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/cuda_kernels.h"
#include "backend/cuda_priv.h"
#include "base/buf.h"
#include "base/log.h"

int cuda_error(cudaError_t code, const char *what)
{
	switch (code) {
	case cudaSuccess:
		return 0;
	case cudaErrorMemoryAllocation:
		return -ENOMEM;
	case cudaErrorNoDevice:
	case cudaErrorInvalidDevice:
	case cudaErrorInsufficientDriver:
		return -ENODEV;
	default:
		log_debug("CUDA: %s: %s", what, cudaGetErrorString(code));
		return -EIO;
	}
}

int cuda_dnn_error(cudnnStatus_t code, const char *what)
{
	if (code == CUDNN_STATUS_SUCCESS)
		return 0;
	log_debug("cuDNN: %s: %s", what, cudnnGetErrorString(code));
	return code == CUDNN_STATUS_ALLOC_FAILED ? -ENOMEM : -EIO;
}

static int blas_error(cublasStatus_t code, const char *what)
{
	if (code == CUBLAS_STATUS_SUCCESS)
		return 0;
	log_debug("cuBLAS: %s: status %d", what, (int)code);
	return code == CUBLAS_STATUS_ALLOC_FAILED ? -ENOMEM : -EIO;
}

/* ---- life ------------------------------------------------------------------------------------- */

static void cuda_free(struct backend *b)
{
	struct cuda *cuda = cuda_of(b);

	cudaFree(cuda->workspace);
	if (cuda->blas)
		cublasDestroy(cuda->blas);
	if (cuda->dnn)
		cudnnDestroy(cuda->dnn);
	if (cuda->stream)
		cudaStreamDestroy(cuda->stream);
	free(cuda);
}

static void cuda_describe(struct backend *b, struct buf *out)
{
	const struct cuda *cuda = cuda_of(b);
	struct cudaDeviceProp properties = { 0 };
	int driver = 0, runtime = 0, blas = 0;

	cudaGetDeviceProperties(&properties, cuda->device);
	cudaDriverGetVersion(&driver);
	cudaRuntimeGetVersion(&runtime);
	cublasGetVersion(cuda->blas, &blas);
	buf_puts(out, "device = cuda\n");
	buf_printf(out, "gpu = %s\n", properties.name);
	buf_printf(out, "cuda = driver %d, runtime %d\n", driver, runtime);
	buf_printf(out, "cudnn = %zu\n", cudnnGetVersion());
	buf_printf(out, "cublas = %d\n", blas);
	buf_printf(out, "deterministic = %s\n", cuda->deterministic ? "yes" : "no");
}

/* ---- buffers ------------------------------------------------------------------------------------ */

static int cuda_alloc(struct backend *b, size_t bytes, void **ret)
{
	void *buffer = NULL;
	int err = cuda_error(cudaMalloc(&buffer, bytes), "malloc");

	if (!err)
		err = cuda_error(cudaMemsetAsync(buffer, 0, bytes, cuda_of(b)->stream), "memset");
	if (err) {
		cudaFree(buffer);
		return err;
	}
	*ret = buffer;
	return 0;
}

static void cuda_release(struct backend *b, void *buffer)
{
	(void)b;
	cudaFree(buffer);
}

/* The host's memory may change as soon as upload has returned. */
static int cuda_upload(struct backend *b, void *buffer, const void *host, size_t bytes)
{
	cudaStream_t stream = cuda_of(b)->stream;
	int err = cuda_error(cudaMemcpyAsync(buffer, host, bytes, cudaMemcpyHostToDevice, stream),
	                     "upload");

	return err ? err : cuda_error(cudaStreamSynchronize(stream), "upload");
}

static int cuda_download(struct backend *b, void *host, const void *buffer, size_t bytes)
{
	cudaStream_t stream = cuda_of(b)->stream;
	int err = cuda_error(cudaMemcpyAsync(host, buffer, bytes, cudaMemcpyDeviceToHost, stream),
	                     "download");

	return err ? err : cuda_error(cudaStreamSynchronize(stream), "download");
}

static int cuda_zero(struct backend *b, void *buffer, size_t bytes)
{
	return cuda_error(cudaMemsetAsync(buffer, 0, bytes, cuda_of(b)->stream), "memset");
}

/* ---- layers -------------------------------------------------------------------------------------- */

static int cuda_norm_forward(struct backend *b, const struct norm_shape *s, const float *x,
                             const float *gamma, const float *beta, float *y, float *mean,
                             float *rstd)
{
	return cuda_error(kernel_norm_forward(cuda_of(b)->stream, s, x, gamma, beta, y, mean, rstd),
	                  "group norm");
}

static int cuda_norm_backward(struct backend *b, const struct norm_shape *s, const float *dy,
                              const float *x, const float *gamma, const float *mean,
                              const float *rstd, float *dx, float *dgamma, float *dbeta)
{
	return cuda_error(kernel_norm_backward(cuda_of(b)->stream, s, dy, x, gamma, mean, rstd, dx,
	                                       dgamma, dbeta), "group norm, back");
}

static int cuda_relu_forward(struct backend *b, size_t n, const float *x, float *y)
{
	return cuda_error(kernel_relu_forward(cuda_of(b)->stream, n, x, y), "relu");
}

static int cuda_relu_backward(struct backend *b, size_t n, const float *dy, const float *y,
                              float *dx)
{
	return cuda_error(kernel_relu_backward(cuda_of(b)->stream, n, dy, y, dx), "relu, back");
}

static int cuda_mean_forward(struct backend *b, int n, int t, int c, int m, const float *x, float *y,
                             int stride)
{
	return cuda_error(kernel_mean_forward(cuda_of(b)->stream, n, t, c, m, x, y, stride), "mean");
}

static int cuda_mean_backward(struct backend *b, int n, int t, int c, int m, const float *dy,
                              int stride, float *dx)
{
	return cuda_error(kernel_mean_backward(cuda_of(b)->stream, n, t, c, m, dy, stride, dx),
	                  "mean, back");
}

/* c (m, n) = op(a) op(b) + beta c, all in C order; which for cuBLAS, whose matrices are in
 * Fortran's, is the product of the transposed, b first. */
static int multiply(struct backend *backend, cublasOperation_t op_a, cublasOperation_t op_b, int m,
                    int n, int k, const float *a, int lda, const float *b, int ldb, float beta,
                    float *c)
{
	const float one = 1;

	return blas_error(cublasSgemm(cuda_of(backend)->blas, op_b, op_a, n, m, k, &one, b, ldb, a, lda,
	                              &beta, c, n), "sgemm");
}

static int cuda_linear_forward(struct backend *b, int n, int in, int out, const float *x,
                               const float *weights, const float *bias, float *y)
{
	int err = cuda_error(kernel_bias_forward(cuda_of(b)->stream, n, out, bias, y), "bias");

	return err ? err : multiply(b, CUBLAS_OP_N, CUBLAS_OP_T, n, out, in, x, in, weights, in, 1, y);
}

static int cuda_linear_backward(struct backend *b, int n, int in, int out, const float *x,
                                const float *weights, const float *dy, float *dx, float *dweights,
                                float *dbias)
{
	int err = multiply(b, CUBLAS_OP_N, CUBLAS_OP_N, n, in, out, dy, out, weights, in, 0, dx);

	if (!err)
		err = multiply(b, CUBLAS_OP_T, CUBLAS_OP_N, out, in, n, dy, out, x, in, 0, dweights);
	return err ? err : cuda_error(kernel_bias_backward(cuda_of(b)->stream, n, out, dy, dbias),
	                              "bias, back");
}

/* ---- ends, optimizers ------------------------------------------------------------------------------ */

static int cuda_loss(struct backend *b, const struct loss_shape *s, const float *logits,
                     const int32_t *labels, const float *weights, float *loss, int32_t *hit,
                     float *dlogits)
{
	return cuda_error(kernel_loss(cuda_of(b)->stream, s, logits, labels, weights, loss, hit,
	                              dlogits), "loss");
}

static int cuda_frames_in(struct backend *b, const struct frames_shape *s, const uint8_t *frames,
                          const struct crop *crops, float *y)
{
	return cuda_error(kernel_frames_in(cuda_of(b)->stream, s, frames, crops, y), "frames");
}

static int cuda_mfcc_in(struct backend *b, int rows, int m, const float *x, float *y)
{
	return cuda_error(kernel_mfcc_in(cuda_of(b)->stream, rows, m, x, y), "mfcc");
}

static int cuda_sgd(struct backend *b, const struct sgd_step *s, size_t n, const float *g, float *w,
                    float *v)
{
	return cuda_error(kernel_sgd(cuda_of(b)->stream, s, n, g, w, v), "sgd");
}

static int cuda_adamw(struct backend *b, const struct adamw_step *s, size_t n, const float *g,
                      float *w, float *m, float *v)
{
	return cuda_error(kernel_adamw(cuda_of(b)->stream, s, n, g, w, m, v), "adamw");
}

static const struct backend_ops ops = {
	.name = "cuda",
	.free = cuda_free,
	.describe = cuda_describe,
	.alloc = cuda_alloc,
	.release = cuda_release,
	.upload = cuda_upload,
	.download = cuda_download,
	.zero = cuda_zero,
	.conv_new = cuda_conv_new,
	.conv_free = cuda_conv_free,
	.conv_forward = cuda_conv_forward,
	.conv_backward_data = cuda_conv_backward_data,
	.conv_backward_filters = cuda_conv_backward_filters,
	.norm_forward = cuda_norm_forward,
	.norm_backward = cuda_norm_backward,
	.relu_forward = cuda_relu_forward,
	.relu_backward = cuda_relu_backward,
	.mean_forward = cuda_mean_forward,
	.mean_backward = cuda_mean_backward,
	.linear_forward = cuda_linear_forward,
	.linear_backward = cuda_linear_backward,
	.loss = cuda_loss,
	.frames_in = cuda_frames_in,
	.mfcc_in = cuda_mfcc_in,
	.sgd = cuda_sgd,
	.adamw = cuda_adamw,
};

static int open_libraries(struct cuda *cuda)
{
	int err = cuda_error(cudaSetDevice(cuda->device), "device");

	if (!err)
		err = cuda_error(cudaStreamCreate(&cuda->stream), "stream");
	if (!err)
		err = cuda_dnn_error(cudnnCreate(&cuda->dnn), "create");
	if (!err)
		err = cuda_dnn_error(cudnnSetStream(cuda->dnn, cuda->stream), "stream");
	if (!err)
		err = blas_error(cublasCreate(&cuda->blas), "create");
	if (!err)
		err = blas_error(cublasSetStream(cuda->blas, cuda->stream), "stream");
	/* no TF32, whatever the environment says */
	return err ? err : blas_error(cublasSetMathMode(cuda->blas, CUBLAS_PEDANTIC_MATH), "math");
}

int cuda_new(int device, bool deterministic, struct backend **ret)
{
	struct cuda *cuda = calloc(1, sizeof(*cuda));
	int err;

	if (!cuda)
		return -ENOMEM;
	cuda->base.ops = &ops;
	cuda->device = device;
	cuda->deterministic = deterministic;
	err = open_libraries(cuda);
	if (err) {
		cuda_free(&cuda->base);
		return err;
	}
	*ret = &cuda->base;
	return 0;
}
