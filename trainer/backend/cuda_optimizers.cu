/* What is done with gradients: reference_unscale, reference_sgd and reference_adamw of
 * reference_ends.c, operation by operation; and the filters and their gradient as a convolution
 * of 16 bits has them. */
#include <float.h>
#include <math.h>

#include "backend/cuda_kernels.h"
#include "backend/cuda_launch.cuh"
#include "backend/cuda_values.cuh"

template <typename T>
__global__ void round_values(size_t n, const float *x, T *y)
{
	for (size_t i = grid_first(); i < n; i += grid_step())
		store(&y[i], x[i]);
}

int launch_round(struct CUstream_st *stream, enum precision precision, size_t n, const float *x,
                 void *y)
{
	return with_values(precision, [=](auto value) {
		using T = decltype(value);

		return launch(round_values<T>, grid(n, BLOCK), stream, n, x, (T *)y);
	});
}

template <typename T>
__global__ void widen_values(size_t n, const T *x, float *y)
{
	for (size_t i = grid_first(); i < n; i += grid_step())
		y[i] = wide(x[i]);
}

int launch_widen(struct CUstream_st *stream, enum precision precision, size_t n, const void *x,
                 float *y)
{
	return with_values(precision, [=](auto value) {
		using T = decltype(value);

		return launch(widen_values<T>, grid(n, BLOCK), stream, n, (const T *)x, y);
	});
}

/* Threads may write the same 1 at the same time. */
__global__ static void unscale(size_t n, float factor, float *g, int32_t *bad)
{
	for (size_t i = grid_first(); i < n; i += grid_step()) {
		float value = g[i] * factor;

		g[i] = value;
		if (!(fabsf(value) <= FLT_MAX))
			*bad = 1;
	}
}

int launch_unscale(struct CUstream_st *stream, size_t n, float factor, float *g, int32_t *bad)
{
	return launch(unscale, grid(n, BLOCK), stream, n, factor, g, bad);
}

__global__ static void sgd(struct sgd_step s, size_t n, const float *g, float *w, float *v)
{
	for (size_t i = grid_first(); i < n; i += grid_step()) {
		float step = s.momentum * v[i] + (g[i] + s.weight_decay * w[i]);

		v[i] = step;
		w[i] -= s.lr * step;
	}
}

int launch_sgd(struct CUstream_st *stream, const struct sgd_step *s, size_t n, const float *g,
               float *w, float *v)
{
	return launch(sgd, grid(n, BLOCK), stream, *s, n, g, w, v);
}

__global__ static void adamw(struct adamw_step s, size_t n, const float *g, float *w, float *m,
                             float *v)
{
	for (size_t i = grid_first(); i < n; i += grid_step()) {
		float decayed = w[i] * (1 - s.lr * s.weight_decay);
		float first = s.beta1 * m[i] + (1 - s.beta1) * g[i];
		float second = s.beta2 * v[i] + (1 - s.beta2) * g[i] * g[i];

		m[i] = first;
		v[i] = second;
		w[i] = decayed - s.lr / s.correction1 * first / (sqrtf(second / s.correction2) + s.eps);
	}
}

int launch_adamw(struct CUstream_st *stream, const struct adamw_step *s, size_t n, const float *g,
                 float *w, float *m, float *v)
{
	return launch(adamw, grid(n, BLOCK), stream, *s, n, g, w, m, v);
}
