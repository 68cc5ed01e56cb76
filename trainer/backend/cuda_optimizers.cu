/* Steps of the optimizers: reference_sgd and reference_adamw of reference_ends.c, operation
 * by operation. */
#include <math.h>

#include "backend/cuda_kernels.h"
#include "backend/cuda_launch.cuh"

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
