#include "backend/cuda_kernels.h"

/* One block a group, a channel or a row where there is a sum; threads stride over its values and
 * the partial sums meet in a tree. Elsewhere one thread a value. */
#define THREADS 256
#define BLOCKS_MAX 65535u

static unsigned blocks_for(size_t n)
{
	size_t blocks = (n + THREADS - 1) / THREADS;

	return blocks < 1 ? 1 : blocks > BLOCKS_MAX ? BLOCKS_MAX : (unsigned)blocks;
}

/* Each thread's next value, from its first one on: grids are capped. */
#define FOR_EACH(i, n) \
	for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
	     i += (size_t)gridDim.x * blockDim.x)

/* The sum over the block, for all its threads. */
static __device__ double block_sum(double value)
{
	__shared__ double part[THREADS];
	double sum;

	part[threadIdx.x] = value;
	__syncthreads();
	for (unsigned half = THREADS / 2; half > 0; half /= 2) {
		if (threadIdx.x < half)
			part[threadIdx.x] += part[threadIdx.x + half];
		__syncthreads();
	}
	sum = part[0];
	/* before the next sum overwrites it */
	__syncthreads();
	return sum;
}

/* ---- group norm ------------------------------------------------------------------------------ */

static __global__ void norm_forward(struct norm_shape s, const float *x, const float *gamma,
                                    const float *beta, float *y, float *mean, float *rstd)
{
	int per_group = s.c / s.groups;
	size_t size = (size_t)per_group * s.m;

	for (size_t g = blockIdx.x; g < (size_t)s.n * s.groups; g += gridDim.x) {
		const float *in = x + g * size;
		double sum = 0, squares = 0, average, scale;

		for (size_t i = threadIdx.x; i < size; i += THREADS)
			sum += in[i];
		average = block_sum(sum) / (double)size;
		for (size_t i = threadIdx.x; i < size; i += THREADS)
			squares += (in[i] - average) * (in[i] - average);
		scale = 1 / sqrt(block_sum(squares) / (double)size + s.eps);
		for (size_t i = threadIdx.x; i < size; i += THREADS) {
			size_t c = g % s.groups * per_group + i / s.m;

			y[g * size + i] = ((float)(in[i] - average) * (float)scale) * gamma[c] + beta[c];
		}
		if (threadIdx.x == 0) {
			mean[g] = (float)average;
			rstd[g] = (float)scale;
		}
	}
}

cudaError_t kernel_norm_forward(cudaStream_t stream, const struct norm_shape *s, const float *x,
                                const float *gamma, const float *beta, float *y, float *mean,
                                float *rstd)
{
	size_t groups = (size_t)s->n * s->groups;

	norm_forward<<<groups < BLOCKS_MAX ? groups : BLOCKS_MAX, THREADS, 0, stream>>>(
		*s, x, gamma, beta, y, mean, rstd);
	return cudaGetLastError();
}

/* A block a channel, over all images. Before norm_backward, which may overwrite dy. */
static __global__ void norm_parameters(struct norm_shape s, const float *dy, const float *x,
                                       const float *mean, const float *rstd, float *dgamma,
                                       float *dbeta)
{
	int per_group = s.c / s.groups;

	for (int c = blockIdx.x; c < s.c; c += gridDim.x) {
		double sum = 0, product = 0;

		for (size_t i = threadIdx.x; i < (size_t)s.n * s.m; i += THREADS) {
			size_t n = i / s.m, at = (n * s.c + c) * s.m + i % s.m;
			size_t g = n * s.groups + c / per_group;

			sum += dy[at];
			product += (double)dy[at] * (x[at] - mean[g]) * rstd[g];
		}
		sum = block_sum(sum);
		product = block_sum(product);
		if (threadIdx.x == 0) {
			dbeta[c] = (float)sum;
			dgamma[c] = (float)product;
		}
	}
}

static __global__ void norm_backward(struct norm_shape s, const float *dy, const float *x,
                                     const float *gamma, const float *mean, const float *rstd,
                                     float *dx)
{
	int per_group = s.c / s.groups;
	size_t size = (size_t)per_group * s.m;

	for (size_t g = blockIdx.x; g < (size_t)s.n * s.groups; g += gridDim.x) {
		size_t first = g % s.groups * per_group;
		double sum = 0, product = 0;

		for (size_t i = threadIdx.x; i < size; i += THREADS) {
			double d = (double)dy[g * size + i] * gamma[first + i / s.m];

			sum += d;
			product += d * (x[g * size + i] - mean[g]) * rstd[g];
		}
		sum = block_sum(sum) / (double)size;
		product = block_sum(product) / (double)size;
		for (size_t i = threadIdx.x; i < size; i += THREADS) {
			float d = dy[g * size + i] * gamma[first + i / s.m];
			float xhat = (x[g * size + i] - mean[g]) * rstd[g];

			dx[g * size + i] = rstd[g] * (d - (float)sum - xhat * (float)product);
		}
	}
}

cudaError_t kernel_norm_backward(cudaStream_t stream, const struct norm_shape *s, const float *dy,
                                 const float *x, const float *gamma, const float *mean,
                                 const float *rstd, float *dx, float *dgamma, float *dbeta)
{
	size_t groups = (size_t)s->n * s->groups;

	norm_parameters<<<(unsigned)s->c < BLOCKS_MAX ? (unsigned)s->c : BLOCKS_MAX, THREADS, 0,
	                  stream>>>(*s, dy, x, mean, rstd, dgamma, dbeta);
	norm_backward<<<groups < BLOCKS_MAX ? groups : BLOCKS_MAX, THREADS, 0, stream>>>(
		*s, dy, x, gamma, mean, rstd, dx);
	return cudaGetLastError();
}

/* ---- relu, mean -------------------------------------------------------------------------------- */

static __global__ void relu_forward(size_t n, const float *x, float *y)
{
	FOR_EACH(i, n)
		y[i] = x[i] > 0 ? x[i] : 0;
}

cudaError_t kernel_relu_forward(cudaStream_t stream, size_t n, const float *x, float *y)
{
	relu_forward<<<blocks_for(n), THREADS, 0, stream>>>(n, x, y);
	return cudaGetLastError();
}

static __global__ void relu_backward(size_t n, const float *dy, const float *y, float *dx)
{
	FOR_EACH(i, n)
		dx[i] = y[i] > 0 ? dy[i] : 0;
}

cudaError_t kernel_relu_backward(cudaStream_t stream, size_t n, const float *dy, const float *y,
                                 float *dx)
{
	relu_backward<<<blocks_for(n), THREADS, 0, stream>>>(n, dy, y, dx);
	return cudaGetLastError();
}

/* A block a sample and channel. */
static __global__ void mean_forward(int n, int t, int c, int m, const float *x, float *y, int stride)
{
	for (size_t row = blockIdx.x; row < (size_t)n * c; row += gridDim.x) {
		size_t sample = row / c, channel = row % c;
		double sum = 0;

		for (size_t i = threadIdx.x; i < (size_t)t * m; i += THREADS)
			sum += x[((sample * t + i / m) * c + channel) * m + i % m];
		sum = block_sum(sum);
		if (threadIdx.x == 0)
			y[sample * stride + channel] = (float)(sum / ((double)t * m));
	}
}

cudaError_t kernel_mean_forward(cudaStream_t stream, int n, int t, int c, int m, const float *x,
                                float *y, int stride)
{
	size_t rows = (size_t)n * c;

	mean_forward<<<rows < BLOCKS_MAX ? rows : BLOCKS_MAX, THREADS, 0, stream>>>(n, t, c, m, x, y,
	                                                                            stride);
	return cudaGetLastError();
}

static __global__ void mean_backward(size_t all, int t, int c, int m, const float *dy, int stride,
                                     float *dx)
{
	FOR_EACH(i, all)
		dx[i] = (float)(dy[i / m / c / t * stride + i / m % c] / ((double)t * m));
}

cudaError_t kernel_mean_backward(cudaStream_t stream, int n, int t, int c, int m, const float *dy,
                                 int stride, float *dx)
{
	size_t all = (size_t)n * t * c * m;

	mean_backward<<<blocks_for(all), THREADS, 0, stream>>>(all, t, c, m, dy, stride, dx);
	return cudaGetLastError();
}

/* ---- linear: what cuBLAS doesn't do -------------------------------------------------------------- */

static __global__ void bias_forward(size_t all, int out, const float *bias, float *y)
{
	FOR_EACH(i, all)
		y[i] = bias[i % out];
}

cudaError_t kernel_bias_forward(cudaStream_t stream, int n, int out, const float *bias, float *y)
{
	size_t all = (size_t)n * out;

	bias_forward<<<blocks_for(all), THREADS, 0, stream>>>(all, out, bias, y);
	return cudaGetLastError();
}

static __global__ void bias_backward(int n, size_t out, const float *dy, float *dbias)
{
	FOR_EACH(o, out) {
		double sum = 0;

		for (int i = 0; i < n; i++)
			sum += dy[i * out + o];
		dbias[o] = (float)sum;
	}
}

cudaError_t kernel_bias_backward(cudaStream_t stream, int n, int out, const float *dy,
                                 float *dbias)
{
	bias_backward<<<blocks_for(out), THREADS, 0, stream>>>(n, out, dy, dbias);
	return cudaGetLastError();
}

/* ---- loss: a thread a sample ---------------------------------------------------------------------- */

static __global__ void loss_kernel(struct loss_shape s, const float *logits, const int32_t *labels,
                                   const float *weights, float *loss, int32_t *hit, float *dlogits)
{
	FOR_EACH(i, (size_t)s.n) {
		const float *z = logits + i * s.classes;
		double sum = 0, log_sum, result = 0;
		int best = 0;

		for (int k = 1; k < s.classes; k++)
			if (z[k] > z[best])
				best = k;
		for (int k = 0; k < s.classes; k++)
			sum += exp((double)z[k] - z[best]);
		log_sum = log(sum) + z[best];
		for (int k = 0; k < s.classes; k++) {
			double target = (double)s.smoothing / s.classes +
			                (k == labels[i] ? 1 - (double)s.smoothing : 0);

			result += target * (log_sum - z[k]);
			dlogits[i * s.classes + k] =
				(float)(weights[i] * (double)s.scale * (exp(z[k] - log_sum) - target));
		}
		loss[i] = (float)result;
		hit[i] = best == labels[i];
	}
}

cudaError_t kernel_loss(cudaStream_t stream, const struct loss_shape *s, const float *logits,
                        const int32_t *labels, const float *weights, float *loss, int32_t *hit,
                        float *dlogits)
{
	loss_kernel<<<blocks_for(s->n), THREADS, 0, stream>>>(*s, logits, labels, weights, loss, hit,
	                                                      dlogits);
	return cudaGetLastError();
}

/* ---- samples --------------------------------------------------------------------------------------- */

static __global__ void frames_in(struct frames_shape s, size_t all, const uint8_t *frames,
                                 const struct crop *crops, float *y)
{
	const double mean[3] = { 0.485, 0.456, 0.406 }, std[3] = { 0.229, 0.224, 0.225 };

	FOR_EACH(i, all) {
		size_t column = i % s.crop_w, row = i / s.crop_w % s.crop_h;
		size_t c = i / s.crop_w / s.crop_h % 3, image = i / s.crop_w / s.crop_h / 3;
		struct crop crop = crops[image / s.t];
		size_t seen = crop.flip ? s.crop_w - 1 - column : column;
		size_t from = (image * s.h + crop.y + row) * s.w + crop.x + seen;

		y[i] = (float)((frames[from * 3 + c] / 255.0 - mean[c]) / std[c]);
	}
}

cudaError_t kernel_frames_in(cudaStream_t stream, const struct frames_shape *s,
                             const uint8_t *frames, const struct crop *crops, float *y)
{
	size_t all = (size_t)s->n * s->t * 3 * s->crop_h * s->crop_w;

	frames_in<<<blocks_for(all), THREADS, 0, stream>>>(*s, all, frames, crops, y);
	return cudaGetLastError();
}

/* A block a row. */
static __global__ void mfcc_in(int rows, int m, const float *x, float *y)
{
	for (int r = blockIdx.x; r < rows; r += gridDim.x) {
		const float *in = x + (size_t)r * m;
		double sum = 0, squares = 0, average, scale;

		for (int i = threadIdx.x; i < m; i += THREADS)
			sum += in[i];
		average = block_sum(sum) / m;
		for (int i = threadIdx.x; i < m; i += THREADS)
			squares += (in[i] - average) * (in[i] - average);
		scale = 1 / (sqrt(block_sum(squares) / m) + 1e-3);
		for (int i = threadIdx.x; i < m; i += THREADS)
			y[(size_t)r * m + i] = (float)((in[i] - average) * scale);
	}
}

cudaError_t kernel_mfcc_in(cudaStream_t stream, int rows, int m, const float *x, float *y)
{
	mfcc_in<<<(unsigned)rows < BLOCKS_MAX ? (unsigned)rows : BLOCKS_MAX, THREADS, 0, stream>>>(
		rows, m, x, y);
	return cudaGetLastError();
}

/* ---- optimizers ------------------------------------------------------------------------------------- */

static __global__ void sgd(struct sgd_step s, size_t n, const float *g, float *w, float *v)
{
	FOR_EACH(i, n) {
		v[i] = s.momentum * v[i] + (g[i] + s.weight_decay * w[i]);
		w[i] -= s.lr * v[i];
	}
}

cudaError_t kernel_sgd(cudaStream_t stream, const struct sgd_step *s, size_t n, const float *g,
                       float *w, float *v)
{
	sgd<<<blocks_for(n), THREADS, 0, stream>>>(*s, n, g, w, v);
	return cudaGetLastError();
}

static __global__ void adamw(struct adamw_step s, size_t n, const float *g, float *w, float *m,
                             float *v)
{
	FOR_EACH(i, n) {
		w[i] *= 1 - s.lr * s.weight_decay;
		m[i] = s.beta1 * m[i] + (1 - s.beta1) * g[i];
		v[i] = s.beta2 * v[i] + (1 - s.beta2) * g[i] * g[i];
		w[i] -= s.lr / s.correction1 * m[i] / (sqrtf(v[i] / s.correction2) + s.eps);
	}
}

cudaError_t kernel_adamw(cudaStream_t stream, const struct adamw_step *s, size_t n, const float *g,
                         float *w, float *m, float *v)
{
	adamw<<<blocks_for(n), THREADS, 0, stream>>>(*s, n, g, w, m, v);
	return cudaGetLastError();
}
