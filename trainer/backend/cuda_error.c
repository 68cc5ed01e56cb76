#include <errno.h>

#include "backend/cuda_priv.h"
#include "base/log.h"

int cuda_error(cudaError_t error, const char *what)
{
	if (error == cudaSuccess)
		return 0;
	log_debug("CUDA: %s: %s", what, cudaGetErrorString(error));
	/* CUDA remembers it as well, and the next launch would report it again. */
	(void)cudaGetLastError();
	return error == cudaErrorMemoryAllocation ? -ENOMEM : -EIO;
}

int cuda_error_cudnn(cudnnStatus_t status, const char *what)
{
	char reason[512] = ""; /* more than the code says */

	if (status == CUDNN_STATUS_SUCCESS)
		return 0;
	cudnnGetLastErrorString(reason, sizeof(reason));
	log_debug("cuDNN: %s: %s: %s", what, cudnnGetErrorString(status), reason);
	(void)cudaGetLastError();
	switch (status) {
	case CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED:
	case CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int cuda_error_cublas(cublasStatus_t status, const char *what)
{
	if (status == CUBLAS_STATUS_SUCCESS)
		return 0;
	log_debug("cuBLAS: %s: %s", what, cublasGetStatusString(status));
	(void)cudaGetLastError();
	return status == CUBLAS_STATUS_ALLOC_FAILED ? -ENOMEM : -EIO;
}
