/* Waiting for the GPU: where other ranks' GPUs add up with it, it may wait for one that is gone,
 * and only NCCL knows. */
#include <sched.h>
#include <time.h>

#include "backend/cuda_priv.h"

#define ASK_AT_ONCE 200 /* times, before it sleeps in between */

static int wait_for(struct cuda *cuda, cudaError_t (*get)(const void *of), const void *of,
                    const char *what)
{
	const struct timespec pause = { .tv_nsec = 20000 };
	unsigned asked = 0;
	cudaError_t state;

	while ((state = get(of)) == cudaErrorNotReady) {
		int err;

		/* CUDA remembers that as if it were an error of the next launch. */
		(void)cudaGetLastError();
		err = cuda_nccl_check(cuda);
		if (err) {
			/* What else is queued still uses buffers that may be freed next. */
			cuda_error(cudaStreamSynchronize(cuda->compute), what);
			return err;
		}
		/* Readers and NCCL's own threads may have this core only. */
		if (++asked < ASK_AT_ONCE)
			sched_yield();
		else
			nanosleep(&pause, NULL);
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
