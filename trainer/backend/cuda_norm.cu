/* Group norm: reference_norm_forward and reference_norm_backward of reference_layers.c. */
#include <math.h>

#include "backend/cuda_kernels.h"
#include "backend/cuda_rows.cuh"
#include "backend/cuda_values.cuh"

/* A row is a group of an image. Two things keep float32 exact where values lie close together
 * and far from 0: sums are of differences to one of the values, and the mean is taken off in
 * two steps, as one float32 can't hold it. */
template <typename T>
__global__ void norm_forward(struct norm_shape s, unsigned lanes, const T *x, const float *gamma,
                             const float *beta, T *y, float *mean, float *rstd)
{
	size_t per_group = s.c / s.groups, size = per_group * s.m, rows = (size_t)s.n * s.groups;
	unsigned lane = rows_lane(lanes);

	for (size_t first = rows_first(lanes); first < rows; first += rows_step(lanes)) {
		size_t row = first + rows_team(lanes);
		size_t here = row < rows ? size : 0;
		size_t channel = row % s.groups * per_group; /* the group's first */
		const T *in = x + row * size;
		float pivot = here ? wide(in[0]) : 0, high, low, scale;
		double average, variance;

		average = team_sum(lanes, lane_sum(lanes, here, [=](size_t i) {
			return term{ wide(in[i]) - pivot, 0 };
		})).a / (double)size + pivot;
		high = (float)average;
		low = (float)(average - high);
		variance = team_sum(lanes, lane_sum(lanes, here, [=](size_t i) {
			float d = wide(in[i]) - high - low;

			return term{ d * d, 0 };
		})).a / (double)size;
		scale = (float)(1 / sqrt(variance + s.eps));
		for (size_t i = lane; i < here; i += lanes) {
			size_t c = channel + (unsigned)i / (unsigned)s.m;

			store(&y[row * size + i], (wide(in[i]) - high - low) * (scale * gamma[c]) + beta[c]);
		}
		if (here && lane == 0) {
			mean[row] = high;
			rstd[row] = scale;
		}
	}
}

int launch_norm_forward(struct CUstream_st *stream, enum precision precision,
                        const struct norm_shape *s, const void *x, const float *gamma,
                        const float *beta, void *y, float *mean, float *rstd)
{
	unsigned lanes = lanes_for((size_t)s->c / s->groups * s->m);

	return with_values(precision, [=](auto value) {
		using T = decltype(value);

		return launch(norm_forward<T>, rows_grid((size_t)s->n * s->groups, lanes), stream, *s,
		              lanes, (const T *)x, gamma, beta, (T *)y, mean, rstd);
	});
}

/* The way back in four steps: sums over each channel of each image; from those the gradients
 * of gamma and beta, and each group's two means; and then, for every value,
 *
 *     dx = rstd (dy gamma - mean(dy gamma) - xhat mean(dy gamma xhat)), xhat = (x - mean) rstd */

/* sums (n, c): of dy, and of dy (x - mean). A row is a channel of an image. */
template <typename T>
__global__ void norm_sums(struct norm_shape s, unsigned lanes, const T *dy, const T *x,
                          const float *mean, struct pair *sums)
{
	size_t per_group = s.c / s.groups, rows = (size_t)s.n * s.c;

	for (size_t first = rows_first(lanes); first < rows; first += rows_step(lanes)) {
		size_t row = first + rows_team(lanes), at = row * s.m;
		size_t here = row < rows ? s.m : 0;
		float average = here ? mean[row / per_group] : 0;
		struct pair sum = team_sum(lanes, lane_sum(lanes, here, [=](size_t i) {
			float d = wide(dy[at + i]);

			return term{ d, d * (wide(x[at + i]) - average) };
		}));

		if (here && rows_lane(lanes) == 0)
			sums[row] = sum;
	}
}

/* A row is a channel, its values are one of each image. */
__global__ static void norm_parameters(struct norm_shape s, unsigned lanes,
                                       const struct pair *sums, const float *rstd, float *dgamma,
                                       float *dbeta)
{
	size_t per_group = s.c / s.groups, rows = s.c;

	for (size_t first = rows_first(lanes); first < rows; first += rows_step(lanes)) {
		size_t row = first + rows_team(lanes);
		size_t here = row < rows ? s.n : 0;
		struct pair total = { 0, 0 };

		for (size_t image = rows_lane(lanes); image < here; image += lanes) {
			struct pair sum = sums[image * s.c + row];

			total.a += sum.a;
			total.b += sum.b * rstd[image * s.groups + row / per_group];
		}
		total = team_sum(lanes, total);
		if (here && rows_lane(lanes) == 0) {
			dbeta[row] = (float)total.a;
			dgamma[row] = (float)total.b;
		}
	}
}

/* means (n, groups): of dy gamma, and rstd times that of dy gamma xhat. */
__global__ static void norm_means(struct norm_shape s, const struct pair *sums,
                                  const float *gamma, const float *rstd, struct term *means)
{
	size_t per_group = s.c / s.groups, groups = (size_t)s.n * s.groups;
	double size = (double)per_group * s.m;

	for (size_t g = grid_first(); g < groups; g += grid_step()) {
		size_t channel = g % s.groups * per_group;
		double sum = 0, product = 0, scale = rstd[g];

		for (size_t i = 0; i < per_group; i++) {
			sum += sums[g * per_group + i].a * gamma[channel + i];
			product += sums[g * per_group + i].b * gamma[channel + i];
		}
		means[g].a = (float)(sum / size);
		means[g].b = (float)(product * scale * scale / size);
	}
}

/* A row is a channel of an image. dx may be dy. */
template <typename T>
__global__ void norm_backward(struct norm_shape s, unsigned lanes, const T *dy, const T *x,
                              const float *gamma, const float *mean, const float *rstd,
                              const struct term *means, T *dx)
{
	size_t per_group = s.c / s.groups, rows = (size_t)s.n * s.c;

	for (size_t row = rows_first(lanes) + rows_team(lanes); row < rows; row += rows_step(lanes)) {
		size_t g = row / per_group, at = row * s.m, end = at + s.m;
		float scale = rstd[g], slope = gamma[row % s.c], average = mean[g];
		struct term means_g = means[g];

		for (size_t i = at + rows_lane(lanes); i < end; i += lanes)
			store(&dx[i], scale * (wide(dy[i]) * slope - means_g.a -
			                       (wide(x[i]) - average) * means_g.b));
	}
}

size_t norm_backward_scratch(const struct norm_shape *s)
{
	return (size_t)s->n * s->c * sizeof(struct pair) +
	       (size_t)s->n * s->groups * sizeof(struct term);
}

template <typename T>
static int launch_backward(struct CUstream_st *stream, const struct norm_shape *s, const T *dy,
                           const T *x, const float *gamma, const float *mean, const float *rstd,
                           T *dx, float *dgamma, float *dbeta, void *scratch)
{
	size_t channels = (size_t)s->n * s->c, groups = (size_t)s->n * s->groups;
	struct pair *sums = (struct pair *)scratch;
	struct term *means = (struct term *)(sums + channels);
	unsigned lanes = lanes_for(s->m), image_lanes = lanes_for(s->n);
	int err;

	err = launch(norm_sums<T>, rows_grid(channels, lanes), stream, *s, lanes, dy, x, mean, sums);
	if (!err)
		err = launch(norm_parameters, rows_grid(s->c, image_lanes), stream, *s, image_lanes, sums,
		             rstd, dgamma, dbeta);
	if (!err)
		err = launch(norm_means, grid(groups, BLOCK), stream, *s, sums, gamma, rstd, means);
	if (!err)
		err = launch(norm_backward<T>, rows_grid(channels, lanes), stream, *s, lanes, dy, x, gamma,
		             mean, rstd, means, dx);
	return err;
}

int launch_norm_backward(struct CUstream_st *stream, enum precision precision,
                         const struct norm_shape *s, const void *dy, const void *x,
                         const float *gamma, const float *mean, const float *rstd, void *dx,
                         float *dgamma, float *dbeta, void *scratch)
{
	return with_values(precision, [=](auto value) {
		using T = decltype(value);

		return launch_backward(stream, s, (const T *)dy, (const T *)x, gamma, mean, rstd, (T *)dx,
		                       dgamma, dbeta, scratch);
	});
}
