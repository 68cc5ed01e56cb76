#include "backend/cuda_kernels.h"
#include "backend/cuda_priv.h"

/* c (m, n) = a (m, k) b (k, n) + beta c, each as it is or (T) stored the other way round.
 * cuBLAS has matrices column by column, where ours are their own transposes: so it is given
 * c^T = b^T a^T. lda, ldb: columns of a and b as stored. */
static int multiply(struct cuda *cuda, cublasOperation_t transpose_a,
                    cublasOperation_t transpose_b, int m, int n, int k, const float *a, int lda,
                    const float *b, int ldb, float beta, float *c)
{
	const float alpha = 1;

	return cuda_error_cublas(cublasSgemm(cuda->cublas, transpose_b, transpose_a, n, m, k, &alpha, b,
	                                     ldb, a, lda, &beta, c, n), "sgemm");
}

int cuda_linear_forward(struct backend *b, int n, int in, int out, const float *x,
                        const float *weights, const float *bias, float *y)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	if (!err)
		err = cuda_error((cudaError_t)launch_bias_rows(cuda->compute, n, out, bias, y), "bias");
	if (!err)
		err = multiply(cuda, CUBLAS_OP_N, CUBLAS_OP_T, n, out, in, x, in, weights, in, 1, y);
	return err;
}

int cuda_linear_backward(struct backend *b, int n, int in, int out, const float *x,
                         const float *weights, const float *dy, float *dx, float *dweights,
                         float *dbias)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	if (!err)
		err = multiply(cuda, CUBLAS_OP_N, CUBLAS_OP_N, n, in, out, dy, out, weights, in, 0, dx);
	if (!err)
		err = multiply(cuda, CUBLAS_OP_T, CUBLAS_OP_N, out, in, n, dy, out, x, in, 0, dweights);
	if (!err)
		err = cuda_error((cudaError_t)launch_bias_backward(cuda->compute, n, out, dy, dbias),
		                 "bias");
	return err;
}
