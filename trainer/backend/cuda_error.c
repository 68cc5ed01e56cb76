#include <errno.h>

#include "backend/cuda_priv.h"
#include "util/why.h"

/* Causes that a person can do something about have their own errno. */
static int errno_of(cudaError_t error)
{
	switch (error) {
	case cudaErrorMemoryAllocation:
		return -ENOMEM;
	case cudaErrorNoKernelImageForDevice:
	case cudaErrorInvalidDeviceFunction:
		return -ENOEXEC;
	case cudaErrorInsufficientDriver:
	case cudaErrorUnsupportedPtxVersion:
	case cudaErrorSystemDriverMismatch:
	case cudaErrorCompatNotSupportedOnDevice:
	case cudaErrorCallRequiresNewerDriver:
		return -ENOSYS;
	default:
		return -EIO;
	}
}

int cuda_error(cudaError_t error, const char *what)
{
	if (error == cudaSuccess)
		return 0;
	/* CUDA remembers it as well, and the next launch would report it again. */
	(void)cudaGetLastError();
	return backend_failed(errno_of(error), "CUDA: %s: %s", what, cudaGetErrorString(error));
}

int cuda_error_cudnn(cudnnStatus_t status, const char *what)
{
	char reason[256] = ""; /* more than the code says */
	int err = -EIO;

	if (status == CUDNN_STATUS_SUCCESS)
		return 0;
	cudnnGetLastErrorString(reason, sizeof(reason));
	(void)cudaGetLastError();
	if (status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
	    status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
		err = -ENOMEM;
	return backend_failed(err, "cuDNN: %s: %s%s%s", what, cudnnGetErrorString(status),
	                      *reason ? ": " : "", reason);
}

int cuda_error_cublas(cublasStatus_t status, const char *what)
{
	if (status == CUBLAS_STATUS_SUCCESS)
		return 0;
	(void)cudaGetLastError();
	return backend_failed(status == CUBLAS_STATUS_ALLOC_FAILED ? -ENOMEM : -EIO, "cuBLAS: %s: %s",
	                      what, cublasGetStatusString(status));
}

/* ---- sentences ------------------------------------------------------------------------- */

static int old_driver(int err, struct why *why)
{
	int driver = 0, runtime = 0;

	(void)cudaDriverGetVersion(&driver);
	(void)cudaRuntimeGetVersion(&runtime);
	/* CUDA calls this one too old as well. */
	if (driver == 0)
		return why_set(why, err, "device = cuda: there is no NVIDIA driver here, or this container "
		               "was started without its GPUs");
	return why_set(why, err, "device = cuda: the NVIDIA driver is for CUDA %d.%d, and this program "
	               "was built with %d.%d: a newer driver is needed, or a program built with an older "
	               "CUDA (%s)", driver / 1000, driver % 1000 / 10, runtime / 1000,
	               runtime % 1000 / 10, backend_words(err));
}

int cuda_why_no_devices(struct why *why)
{
	int n = 0;
	cudaError_t error = cudaGetDeviceCount(&n);
	int err = cuda_error(error, "devices");

	if (err == -ENOSYS)
		return old_driver(err, why);
	if (err && error != cudaErrorNoDevice)
		return why_set(why, err, "device = cuda: the GPUs can't be counted: %s", backend_words(err));
	return why_set(why, -ENODEV, "device = cuda: there is an NVIDIA driver, but no GPU that it shows "
	               "(CUDA_VISIBLE_DEVICES may hide them)");
}

static int no_code(int device, int err, struct why *why)
{
	struct cudaDeviceProp gpu = { 0 };

	(void)cudaGetDeviceProperties(&gpu, device);
	return why_set(why, err, "device = cuda: this program has no code for %.100s (compute capability "
	               "%d.%d); configure's NVCC_GENCODE says what it is built for (%s)", gpu.name,
	               gpu.major, gpu.minor, backend_words(err));
}

int cuda_why(const struct cuda_options *options, int err, struct why *why)
{
	size_t free = 0, total = 0;

	switch (err) {
	case -ENOTSUP:
		return why_set(why, err, "precision = %s: this GPU is too old for it (A100, RTX 30 and "
		               "later have it)", options->reduced_precision ? "tf32" : "bf16");
	case -ENOSYS:
		return old_driver(err, why);
	case -ENOEXEC:
		return no_code(options->device, err, why);
	case -ENOMEM:
		(void)cudaMemGetInfo(&free, &total);
		return why_set(why, err, "the GPU has no memory left: %zu of %zu MiB are free (%s)",
		               free >> 20, total >> 20, backend_words(err));
	default:
		return why_set(why, err, "the GPU can't be used: %s", backend_words(err));
	}
}
