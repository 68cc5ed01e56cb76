/* Waiting for the GPU: where other ranks' GPUs add up with it, it may wait for one that is gone,
 * and only NCCL knows. */
#include <sched.h>

#include "backend/cuda_priv.h"

static int wait_for(struct cuda *cuda, cudaError_t (*get)(const void *of), const void *of,
                    const char *what)
{
	cudaError_t state;

	while ((state = get(of)) == cudaErrorNotReady) {
		int err;

		/* CUDA remembers that as if it were an error of the next launch. */
		(void)cudaGetLastError();
		err = cuda_nccl_check(cuda);
		if (err)
			return err;
		sched_yield();
	}
	return cuda_error(state, what);
}

static cudaError_t query_stream(const void *of)
{
	return cudaStreamQuery(*(const cudaStream_t *)of);
}

static cudaError_t query_event(const void *of)
{
	return cudaEventQuery(*(const cudaEvent_t *)of);
}

int cuda_wait(struct cuda *cuda, const char *what)
{
	if (!cuda->nccl)
		return cuda_error(cudaStreamSynchronize(cuda->compute), what);
	return wait_for(cuda, query_stream, &cuda->compute, what);
}

int cuda_wait_event(struct cuda *cuda, cudaEvent_t event, const char *what)
{
	if (!cuda->nccl)
		return cuda_error(cudaEventSynchronize(event), what);
	return wait_for(cuda, query_event, &event, what);
}
