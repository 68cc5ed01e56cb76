#include "backend/cuda.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda_kernels.h"
#include "backend/cuda_priv.h"
#include "base/buf.h"
#include "util/file.h"
#include "util/why.h"

/* What NVIDIA recommends for its largest GPUs. One of our own, as without it cuBLAS promises
 * the same bits only as long as no other stream runs. */
#define CUBLAS_WORKSPACE ((size_t)32 << 20) /* bytes */

#define CUDA_BOOT 36 /* characters of a boot's UUID */
_Static_assert(CUDA_PLACE == CUDA_BOOT + 3 * sizeof(int32_t), "places have another size");

static void free_cuda(struct backend *b)
{
	struct cuda *cuda = cuda_of(b);

	cuda_enter(cuda);
	if (cuda->compute)
		cuda_wait(cuda, "end");
	cuda_nccl_leave(cuda);
	/* Where upload failed in the middle, something may be left there. */
	if (cuda->staging.copy)
		cuda_error(cudaStreamSynchronize(cuda->staging.copy), "end");
	staging_done(&cuda->staging);
	if (cuda->cublas)
		cuda_error_cublas(cublasDestroy(cuda->cublas), "end");
	if (cuda->cudnn)
		cuda_error_cudnn(cudnnDestroy(cuda->cudnn), "end");
	cuda_error(cudaFree(cuda->cublas_workspace), "end");
	cuda_error(cudaFree(cuda->scratch), "end");
	if (cuda->compute)
		cuda_error(cudaStreamDestroy(cuda->compute), "end");
	free(cuda);
}

static const char *precision_name(const struct cuda *cuda)
{
	if (cuda->base.activations == PRECISION_FLOAT32)
		return cuda->options.reduced_precision ? "tf32" : "float32";
	return cuda->base.activations == PRECISION_BF16 ? "bf16" : "fp16";
}

static void describe(struct backend *b, struct buf *out)
{
	struct cuda *cuda = cuda_of(b);
	int dnn = (int)cudnnGetVersion(), runtime = 0, blas = 0;
	struct cudaDeviceProp gpu = { 0 };

	cuda_error(cudaGetDeviceProperties(&gpu, cuda->options.device), "properties");
	cuda_error(cudaRuntimeGetVersion(&runtime), "version");
	cuda_error_cublas(cublasGetVersion(cuda->cublas, &blas), "version");
	buf_puts(out, "device = cuda\n");
	buf_printf(out, "gpu = %s, compute capability %d.%d, %d multiprocessors\n", gpu.name, gpu.major,
	           gpu.minor, gpu.multiProcessorCount);
	buf_printf(out, "cuda = %d.%d\n", runtime / 1000, runtime % 1000 / 10);
	buf_printf(out, "cudnn = %d.%d.%d\n", dnn / 10000, dnn / 100 % 100, dnn % 100);
	buf_printf(out, "cublas = %d.%d.%d\n", blas / 10000, blas / 100 % 100, blas % 100);
	cuda_nccl_describe(cuda, out);
	buf_printf(out, "deterministic = %s\n", cuda->options.deterministic ? "yes" : "no");
	buf_printf(out, "precision = %s\n", precision_name(cuda));
}

static const struct backend_ops ops = {
	.name = "cuda",
	.free = free_cuda,
	.describe = describe,
	.alloc = cuda_alloc,
	.release = cuda_release,
	.upload = cuda_upload,
	.download = cuda_download,
	.zero = cuda_zero,
	.host_alloc = cuda_host_alloc,
	.host_free = cuda_host_free,
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
	.unscale = cuda_unscale,
	.sgd = cuda_sgd,
	.adamw = cuda_adamw,
};

static int init_cublas(struct cuda *cuda)
{
	cublasMath_t math = cuda->options.reduced_precision ? CUBLAS_TF32_TENSOR_OP_MATH :
	                                                      CUBLAS_PEDANTIC_MATH;
	int err = cuda_error_cublas(cublasCreate(&cuda->cublas), "cublas");

	if (!err)
		err = cuda_error_cublas(cublasSetStream(cuda->cublas, cuda->compute), "cublas stream");
	if (!err)
		err = cuda_error(cudaMalloc(&cuda->cublas_workspace, CUBLAS_WORKSPACE), "workspace");
	/* After the stream, which would put the library's own back. */
	if (!err)
		err = cuda_error_cublas(cublasSetWorkspace(cuda->cublas, cuda->cublas_workspace,
		                                           CUBLAS_WORKSPACE), "workspace");
	if (!err)
		err = cuda_error_cublas(cublasSetAtomicsMode(cuda->cublas, CUBLAS_ATOMICS_NOT_ALLOWED),
		                        "atomics");
	return err ? err : cuda_error_cublas(cublasSetMathMode(cuda->cublas, math), "math mode");
}

/* TF32 and bf16 came with compute capability 8.0. */
static int check_precision(const struct cuda *cuda)
{
	int major = 0, err;

	if (!cuda->options.reduced_precision && cuda->base.activations != PRECISION_BF16)
		return 0;
	err = cuda_error(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor,
	                                        cuda->options.device), "capability");
	return err || major >= 8 ? err : -ENOTSUP;
}

static int init(struct cuda *cuda)
{
	int err = cuda_enter(cuda);

	if (!err)
		err = check_precision(cuda);
	if (!err)
		err = cuda_error(cudaStreamCreateWithFlags(&cuda->compute, cudaStreamNonBlocking),
		                 "stream");
	if (!err)
		err = staging_init(&cuda->staging);
	/* Of nothing: says now if our kernels weren't built for this GPU. */
	if (!err)
		err = cuda_error((cudaError_t)launch_relu_forward(cuda->compute, PRECISION_FLOAT32, 0,
		                                                  NULL, NULL), "kernels");
	if (!err)
		err = init_cublas(cuda);
	if (!err)
		err = cuda_error_cudnn(cudnnCreate(&cuda->cudnn), "cudnn");
	return err ? err : cuda_error_cudnn(cudnnSetStream(cuda->cudnn, cuda->compute), "cudnn stream");
}

int cuda_devices(void)
{
	int n = 0;

	return cuda_error(cudaGetDeviceCount(&n), "devices") ? 0 : n;
}

int cuda_place(int device, uint8_t ret[CUDA_PLACE])
{
	struct cudaDeviceProp gpu = { 0 };
	int err = cuda_error(cudaGetDeviceProperties(&gpu, device), "properties");
	const int32_t pci[] = { gpu.pciDomainID, gpu.pciBusID, gpu.pciDeviceID };
	struct buf boot;

	buf_init(&boot, 4096);
	if (!err)
		err = file_read("/proc/sys/kernel/random/boot_id", &boot);
	if (!err && boot.len < CUDA_BOOT)
		err = -EIO;
	if (!err) {
		memcpy(ret, boot.data, CUDA_BOOT);
		memcpy(ret + CUDA_BOOT, pci, sizeof(pci));
	}
	buf_done(&boot);
	return err;
}

int cuda_new(const struct cuda_options *options, struct backend **ret)
{
	struct cuda *cuda;
	int devices = cuda_devices(), err;

	if (options->device < 0 || options->device >= devices) {
		return backend_failed(-ENODEV, "CUDA: no device %d, there are %d", options->device, devices);
	}
	cuda = calloc(1, sizeof(*cuda));
	if (!cuda)
		return -ENOMEM;
	cuda->base = (struct backend){ &ops, options->activations };
	cuda->options = *options;
	err = init(cuda);
	if (err) {
		struct why words;

		/* Ends may fail too, with words of their own. */
		why_set(&words, err, "%s", backend_words(err));
		free_cuda(&cuda->base);
		return backend_failed(err, "%.500s", words.text);
	}
	*ret = &cuda->base;
	return 0;
}
