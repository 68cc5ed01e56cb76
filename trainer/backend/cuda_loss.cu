/* Softmax and cross entropy: reference_loss of reference_ends.c, in float64 as there: a few
 * logits a sample. */
#include <math.h>

#include "backend/cuda_kernels.h"
#include "backend/cuda_rows.cuh"

/* The class with the larger logit, the first of equals; -1 is none. */
__device__ static inline int better(const float *z, int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	if (z[a] == z[b])
		return a < b ? a : b;
	return z[a] > z[b] ? a : b;
}

/* As team_sum, of a team's best classes. */
__device__ static inline int team_best(unsigned lanes, const float *z, int mine)
{
	__shared__ int best[BLOCK];
	int *of_team = best + rows_team(lanes) * lanes;
	unsigned lane = rows_lane(lanes);
	int result;

	of_team[lane] = mine;
	__syncthreads();
	for (unsigned half = lanes / 2; half > 0; half /= 2) {
		if (lane < half)
			of_team[lane] = better(z, of_team[lane], of_team[lane + half]);
		__syncthreads();
	}
	result = of_team[0];
	__syncthreads();
	return result;
}

/* Of one lane. Nothing is better than a NaN in front, and no NaN is better than anything:
 * so the reference's loop has it. */
__device__ static inline int lane_best(unsigned lanes, const float *z, int classes)
{
	int best = -1;

	for (int k = (int)rows_lane(lanes); k < classes; k += (int)lanes)
		if (z[k] == z[k] && (best < 0 || z[k] > z[best]))
			best = k;
	return best;
}

/* A row is a sample. */
__global__ static void softmax_loss(struct loss_shape s, unsigned lanes, const float *logits,
                                    const int32_t *labels, const float *weights, float *loss,
                                    int32_t *hit, float *dlogits)
{
	size_t rows = s.n;
	int lane = (int)rows_lane(lanes);

	for (size_t first = rows_first(lanes); first < rows; first += rows_step(lanes)) {
		size_t row = first + rows_team(lanes);
		int here = row < rows ? s.classes : 0;
		const float *z = logits + row * s.classes;
		float *dz = dlogits + row * s.classes;
		int label = here ? labels[row] : 0;
		double weight = here ? weights[row] * (double)s.scale : 0;
		struct pair sum = { 0, 0 }, result = { 0, 0 };
		double log_sum;
		int best;

		best = team_best(lanes, z, lane_best(lanes, z, here));
		if (here && (best < 0 || z[0] != z[0]))
			best = 0;
		for (int k = lane; k < here; k += (int)lanes)
			sum.a += exp((double)z[k] - z[best]);
		sum = team_sum(lanes, sum);
		log_sum = here ? log(sum.a) + z[best] : 0;
		for (int k = lane; k < here; k += (int)lanes) {
			double target = (double)s.smoothing / s.classes +
			                (k == label ? 1 - (double)s.smoothing : 0);

			result.a += target * (log_sum - z[k]);
			dz[k] = (float)(weight * (exp(z[k] - log_sum) - target));
		}
		result = team_sum(lanes, result);
		if (here && lane == 0) {
			loss[row] = (float)result.a;
			hit[row] = best == label;
		}
	}
}

int launch_loss(struct CUstream_st *stream, const struct loss_shape *s, const float *logits,
                const int32_t *labels, const float *weights, float *loss, int32_t *hit,
                float *dlogits)
{
	unsigned lanes = lanes_for(s->classes);

	return launch(softmax_loss, rows_grid(s->n, lanes), stream, *s, lanes, logits, labels, weights,
	              loss, hit, dlogits);
}
