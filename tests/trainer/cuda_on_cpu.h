/* cuda_on_cpu.h - CUDA's words for a C++ compiler, so that kernels run on the CPU.
 *
 * Blocks run one after the other. Each thread of a block is a fiber with a stack of its own
 * that runs until it ends or comes to a barrier; when all have come there, they go on.
 * Threads that don't all come to the same barriers are an error, as they are on a GPU.
 *
 * Between two barriers the threads run in the order of their number, or backwards: a kernel
 * in which a barrier is missing gives different results then. */
#ifndef TESTS_TRAINER_CUDA_ON_CPU_H
#define TESTS_TRAINER_CUDA_ON_CPU_H

#include <functional>

#include "cuda_on_cpu_control.h"

#define __global__
#define __device__
#define __shared__ static /* blocks are never at work at the same time */

struct cuda_on_cpu_index {
	unsigned x;
};

extern struct cuda_on_cpu_index threadIdx, blockIdx, blockDim, gridDim;

void __syncthreads(void);

enum { GRID_MAX = 3 }; /* blocks: so few that kernels take many turns */

/* Runs body once in each thread of each block, now. */
void cuda_on_cpu_run(unsigned blocks, unsigned threads, const std::function<void()> &body);

template <typename... Parameters, typename... Arguments>
int launch(void (*kernel)(Parameters...), unsigned blocks, struct CUstream_st *stream,
           const Arguments &...arguments)
{
	auto run = [=]() {
		cuda_on_cpu_run(blocks, 256, [=]() { kernel(arguments...); });
	};

	if (cuda_on_cpu_queue)
		return cuda_on_cpu_queue(stream, run);
	run();
	return 0;
}

#endif
