/* Relu, mean and biases: reference_relu_*, reference_mean_* and, of reference_linear_*, what
 * no matrix product does; all in reference_layers.c. */
#include "backend/cuda_kernels.h"
#include "backend/cuda_rows.cuh"
#include "backend/cuda_values.cuh"

/* ---- relu ---------------------------------------------------------------------------- */

/* y may be x. */
template <typename T>
__global__ void relu_forward(size_t n, const T *x, T *y)
{
	for (size_t i = grid_first(); i < n; i += grid_step()) {
		float value = wide(x[i]);

		store(&y[i], value < 0 ? 0 : value);
	}
}

int launch_relu_forward(struct CUstream_st *stream, enum precision precision, size_t n,
                        const void *x, void *y)
{
	return with_values(precision, [=](auto value) {
		using T = decltype(value);

		return launch(relu_forward<T>, grid(n, BLOCK), stream, n, (const T *)x, (T *)y);
	});
}

/* dx may be dy. */
template <typename T>
__global__ void relu_backward(size_t n, const T *dy, const T *y, T *dx)
{
	for (size_t i = grid_first(); i < n; i += grid_step())
		store(&dx[i], wide(y[i]) > 0 ? wide(dy[i]) : 0);
}

int launch_relu_backward(struct CUstream_st *stream, enum precision precision, size_t n,
                         const void *dy, const void *y, void *dx)
{
	return with_values(precision, [=](auto value) {
		using T = decltype(value);

		return launch(relu_backward<T>, grid(n, BLOCK), stream, n, (const T *)dy, (const T *)y,
		              (T *)dx);
	});
}

/* ---- mean ---------------------------------------------------------------------------- */

/* A row is a channel of a sample: m values of each of t images. */
template <typename T>
__global__ void mean_forward(int n, int t, int c, int m, unsigned lanes, const T *x, float *y,
                             int stride)
{
	size_t rows = (size_t)n * c, size = (size_t)t * m;

	for (size_t first = rows_first(lanes); first < rows; first += rows_step(lanes)) {
		size_t row = first + rows_team(lanes), sample = row / c, channel = row % c;
		size_t here = row < rows ? size : 0;
		const T *in = x + (sample * t * c + channel) * m;
		struct pair sum = team_sum(lanes, lane_sum(lanes, here, [=](size_t i) {
			unsigned image = (unsigned)i / (unsigned)m, j = (unsigned)i % (unsigned)m;

			return term{ wide(in[(size_t)image * c * m + j]), 0 };
		}));

		if (here && rows_lane(lanes) == 0)
			y[sample * stride + channel] = (float)(sum.a / (double)size);
	}
}

int launch_mean_forward(struct CUstream_st *stream, enum precision precision, int n, int t, int c,
                        int m, const void *x, float *y, int stride)
{
	unsigned lanes = lanes_for((size_t)t * m);

	return with_values(precision, [=](auto value) {
		using T = decltype(value);

		return launch(mean_forward<T>, rows_grid((size_t)n * c, lanes), stream, n, t, c, m, lanes,
		              (const T *)x, y, stride);
	});
}

/* A row is a channel of an image. */
template <typename T>
__global__ void mean_backward(int n, int t, int c, int m, unsigned lanes, const float *dy,
                              int stride, T *dx)
{
	size_t rows = (size_t)n * t * c;

	for (size_t row = rows_first(lanes) + rows_team(lanes); row < rows; row += rows_step(lanes)) {
		float value = (float)(dy[row / c / t * stride + row % c] / ((double)t * m));

		for (size_t i = rows_lane(lanes); i < (size_t)m; i += lanes)
			store(&dx[row * m + i], value);
	}
}

int launch_mean_backward(struct CUstream_st *stream, enum precision precision, int n, int t, int c,
                         int m, const float *dy, int stride, void *dx)
{
	unsigned lanes = lanes_for(m);

	return with_values(precision, [=](auto value) {
		using T = decltype(value);

		return launch(mean_backward<T>, rows_grid((size_t)n * t * c, lanes), stream, n, t, c, m,
		              lanes, dy, stride, (T *)dx);
	});
}

/* ---- biases -------------------------------------------------------------------------- */

__global__ static void bias_rows(int n, int out, const float *bias, float *y)
{
	for (size_t i = grid_first(); i < (size_t)n * out; i += grid_step())
		y[i] = bias[i % out];
}

int launch_bias_rows(struct CUstream_st *stream, int n, int out, const float *bias, float *y)
{
	return launch(bias_rows, grid((size_t)n * out, BLOCK), stream, n, out, bias, y);
}

/* A thread adds up a column in the reference's order: a batch is no longer than that. */
__global__ static void bias_backward(int n, int out, const float *dy, float *dbias)
{
	for (size_t o = grid_first(); o < (size_t)out; o += grid_step()) {
		double sum = 0;

		for (int i = 0; i < n; i++)
			sum += dy[(size_t)i * out + o];
		dbias[o] = (float)sum;
	}
}

int launch_bias_backward(struct CUstream_st *stream, int n, int out, const float *dy, float *dbias)
{
	return launch(bias_backward, grid(out, BLOCK), stream, n, out, dy, dbias);
}
