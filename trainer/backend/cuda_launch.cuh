/* cuda_launch.cuh - how the kernels are started: blocks of BLOCK threads, as many as the
 * work has but never more than GRID_MAX, so that every kernel strides over its work.
 *
 * Without nvcc, tests/trainer/cuda_on_cpu.h gives CUDA's words and `launch` a meaning on the
 * CPU; it is included before this file. */
#ifndef S3SAMPLE_BACKEND_CUDA_LAUNCH_CUH
#define S3SAMPLE_BACKEND_CUDA_LAUNCH_CUH

#include <stddef.h>

enum { BLOCK = 256 }; /* threads, a power of 2 */

#ifdef __CUDACC__

#include <cuda_runtime.h>

enum { GRID_MAX = 4096 }; /* blocks: a few times what the largest GPU runs at once */

template <typename... Parameters, typename... Arguments>
int launch(void (*kernel)(Parameters...), unsigned blocks, cudaStream_t stream,
           const Arguments &...arguments)
{
	kernel<<<blocks, BLOCK, 0, stream>>>(arguments...);
	return cudaGetLastError();
}

#endif

/* Blocks for n pieces of work of which a block does `each` at a time; at least one, as no
 * blocks is an error. */
static inline unsigned grid(size_t n, size_t each)
{
	size_t blocks = n / each + (n % each != 0);

	return blocks < 1 ? 1 : blocks > GRID_MAX ? (unsigned)GRID_MAX : (unsigned)blocks;
}

/* A thread's first piece, and from one of its pieces to the next, where each thread has
 * pieces of its own. */
__device__ static inline size_t grid_first(void)
{
	return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ static inline size_t grid_step(void)
{
	return (size_t)gridDim.x * blockDim.x;
}

#endif
