#include "backend/cuda_priv.h"

int cuda_enter(struct cuda *cuda)
{
	int err = cuda_error(cudaSetDevice(cuda->options.device), "device");

	return err ? err : cuda->lost;
}

int cuda_alloc(struct backend *b, size_t bytes, void **ret)
{
	struct cuda *cuda = cuda_of(b);
	void *buffer;
	int err = cuda_enter(cuda);

	if (!err)
		err = cuda_error(cudaMalloc(&buffer, bytes), "alloc");
	if (err)
		return err;
	err = cuda_zero(b, buffer, bytes);
	if (err) {
		cuda_release(b, buffer);
		return err;
	}
	*ret = buffer;
	return 0;
}

/* Queued work may still use the buffer. */
void cuda_release(struct backend *b, void *buffer)
{
	struct cuda *cuda = cuda_of(b);

	if (!buffer)
		return;
	cuda_enter(cuda);
	cuda_wait(cuda, "release");
	cuda_error(cudaFree(buffer), "release");
}

int cuda_upload(struct backend *b, void *buffer, const void *host, size_t bytes)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	return err ? err : staging_upload(cuda, buffer, host, bytes, cuda_is_pinned(cuda, host, bytes));
}

int cuda_download(struct backend *b, void *host, const void *buffer, size_t bytes)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	/* To memory that isn't pinned the copy itself waits, within the driver, and nobody asks
	 * NCCL meanwhile. */
	if (!err)
		err = cuda_wait(cuda, "download");
	if (!err)
		err = cuda_error(cudaMemcpyAsync(host, buffer, bytes, cudaMemcpyDeviceToHost,
		                                 cuda->compute), "download");
	return err ? err : cuda_wait(cuda, "download");
}

int cuda_zero(struct backend *b, void *buffer, size_t bytes)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	return err ? err : cuda_error(cudaMemsetAsync(buffer, 0, bytes, cuda->compute), "zero");
}

int cuda_scratch(struct cuda *cuda, size_t bytes, void **ret)
{
	int err;

	if (bytes > cuda->scratch_size) {
		void *old = cuda->scratch;

		cuda->scratch = NULL;
		cuda->scratch_size = 0;
		cuda_release(&cuda->base, old);
		err = cuda_error(cudaMalloc(&cuda->scratch, bytes), "scratch");
		if (err)
			return err;
		cuda->scratch_size = bytes;
	}
	*ret = cuda->scratch;
	return 0;
}
