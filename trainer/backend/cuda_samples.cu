/* What turns samples into a model's input: reference_frames_in and reference_mfcc_in of
 * reference_ends.c. */
#include <math.h>

#include "backend/cuda_kernels.h"
#include "backend/cuda_rows.cuh"
#include "backend/cuda_values.cuh"

/* ---- frames -------------------------------------------------------------------------- */

/* ImageNet's mean and deviation of each colour. */
__device__ static inline float frames_value(int v, int colour)
{
	double mean = colour == 0 ? 0.485 : colour == 1 ? 0.456 : 0.406;
	double std = colour == 0 ? 0.229 : colour == 1 ? 0.224 : 0.225;

	return (float)((v / 255.0 - mean) / std);
}

/* A row is one of an image as seen. Each block makes itself a table of what the reference
 * computes of a byte, bit by bit: float64 is too slow for every value. */
template <typename T>
__global__ void frames_in(struct frames_shape s, unsigned lanes, const uint8_t *frames,
                          const struct crop *crops, T *y)
{
	__shared__ float table[3][256];
	size_t rows = (size_t)s.n * s.t * s.crop_h, plane = (size_t)s.crop_h * s.crop_w;

	for (int v = (int)threadIdx.x; v < 256; v += (int)blockDim.x)
		for (int colour = 0; colour < 3; colour++)
			table[colour][v] = frames_value(v, colour);
	__syncthreads();
	for (size_t row = rows_first(lanes) + rows_team(lanes); row < rows; row += rows_step(lanes)) {
		size_t image = row / s.crop_h, line = row % s.crop_h;
		struct crop crop = crops[image / s.t];
		const uint8_t *from = frames + ((image * s.h + crop.y + line) * s.w + crop.x) * 3;
		T *to = y + image * 3 * plane + line * s.crop_w;

		for (size_t column = rows_lane(lanes); column < (size_t)s.crop_w; column += lanes) {
			const uint8_t *pixel = from + 3 * (crop.flip ? s.crop_w - 1 - column : column);

			store(&to[column], table[0][pixel[0]]);
			store(&to[plane + column], table[1][pixel[1]]);
			store(&to[2 * plane + column], table[2][pixel[2]]);
		}
	}
}

int launch_frames_in(struct CUstream_st *stream, enum precision precision,
                     const struct frames_shape *s, const uint8_t *frames, const struct crop *crops,
                     void *y)
{
	unsigned lanes = lanes_for(s->crop_w);

	return with_values(precision, [=](auto value) {
		using T = decltype(value);

		return launch(frames_in<T>, rows_grid((size_t)s->n * s->t * s->crop_h, lanes), stream, *s,
		              lanes, frames, crops, (T *)y);
	});
}

/* ---- mfcc ---------------------------------------------------------------------------- */

/* In float64 as the reference: a few hundred values a coefficient. */
template <typename T>
__global__ void mfcc_in(int n, int m, unsigned lanes, const float *x, T *y)
{
	size_t rows = n, lane = rows_lane(lanes);

	for (size_t first = rows_first(lanes); first < rows; first += rows_step(lanes)) {
		size_t row = first + rows_team(lanes);
		size_t here = row < rows ? m : 0;
		const float *in = x + row * m;
		struct pair sum = { 0, 0 }, squares = { 0, 0 };
		double average, scale;

		for (size_t i = lane; i < here; i += lanes)
			sum.a += in[i];
		average = team_sum(lanes, sum).a / m;
		for (size_t i = lane; i < here; i += lanes)
			squares.a += (in[i] - average) * (in[i] - average);
		scale = 1 / (sqrt(team_sum(lanes, squares).a / m) + 1e-3);
		for (size_t i = lane; i < here; i += lanes)
			store(&y[row * m + i], (float)((in[i] - average) * scale));
	}
}

int launch_mfcc_in(struct CUstream_st *stream, enum precision precision, int rows, int m,
                   const float *x, void *y)
{
	unsigned lanes = lanes_for(m);

	return with_values(precision, [=](auto value) {
		using T = decltype(value);

		return launch(mfcc_in<T>, rows_grid(rows, lanes), stream, rows, m, lanes, x, (T *)y);
	});
}
