/* cuda_values.cuh - activations in memory: float32, bf16 and fp16 (half.h), each a type, so that
 * a kernel is written once for all three and computes in float32. */
#ifndef S3SAMPLE_BACKEND_CUDA_VALUES_CUH
#define S3SAMPLE_BACKEND_CUDA_VALUES_CUH

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

#include "backend/backend.h"
#include "backend/half.h"

struct bf16 {
	uint16_t bits;
};

struct fp16 {
	uint16_t bits;
};

__device__ static inline float wide(float x)
{
	return x;
}

__device__ static inline float wide(struct bf16 x)
{
#ifdef __CUDA_ARCH__
	return __bfloat162float(__ushort_as_bfloat16(x.bits));
#else
	return bf16_to_float(x.bits);
#endif
}

__device__ static inline float wide(struct fp16 x)
{
#ifdef __CUDA_ARCH__
	return __half2float(__ushort_as_half(x.bits));
#else
	return fp16_to_float(x.bits);
#endif
}

__device__ static inline void store(float *to, float x)
{
	*to = x;
}

__device__ static inline void store(struct bf16 *to, float x)
{
#ifdef __CUDA_ARCH__
	to->bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
#else
	to->bits = bf16_from_float(x);
#endif
}

__device__ static inline void store(struct fp16 *to, float x)
{
#ifdef __CUDA_ARCH__
	to->bits = __half_as_ushort(__float2half_rn(x));
#else
	to->bits = fp16_from_float(x);
#endif
}

/* with(T()), where T is the type of this precision; returns what that returns. */
template <typename With>
int with_values(enum precision precision, With with)
{
	switch (precision) {
	case PRECISION_BF16:
		return with(bf16());
	case PRECISION_FP16:
		return with(fp16());
	default:
		return with(float());
	}
}

#endif
