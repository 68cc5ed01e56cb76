#include <math.h>

#include "backend/reference_priv.h"

/* ---- group norm ------------------------------------------------------------------- */

int reference_norm_forward(struct backend *b, const struct norm_shape *s, const void *x_,
                           const float *gamma, const float *beta, void *y_, float *mean,
                           float *rstd)
{
	const float *x = x_;
	float *y = y_;
	int per_group = s->c / s->groups;
	size_t size = (size_t)per_group * s->m; /* values of a group */

	(void)b;
	for (size_t g = 0; g < (size_t)s->n * s->groups; g++) {
		const float *in = x + g * size;
		float *out = y + g * size;
		size_t first = g % s->groups * per_group; /* channel */
		double sum = 0, squares = 0, average, scale;

		for (size_t i = 0; i < size; i++)
			sum += in[i];
		average = sum / (double)size;
		for (size_t i = 0; i < size; i++)
			squares += (in[i] - average) * (in[i] - average);
		scale = 1 / sqrt(squares / (double)size + s->eps);
		for (size_t i = 0; i < size; i++) {
			size_t c = first + i / s->m;

			out[i] = (float)((in[i] - average) * scale * gamma[c] + beta[c]);
		}
		mean[g] = (float)average;
		rstd[g] = (float)scale;
	}
	return 0;
}

/* With xhat = (x - mean) rstd and d = dy gamma, over the values of a group:
 * dx = rstd (d - mean(d) - xhat mean(d xhat)). */
int reference_norm_backward(struct backend *b, const struct norm_shape *s, const void *dy_,
                            const void *x_, const float *gamma, const float *mean,
                            const float *rstd, void *dx_, float *dgamma, float *dbeta)
{
	const float *dy = dy_, *x = x_;
	float *dx = dx_;
	int per_group = s->c / s->groups;
	size_t size = (size_t)per_group * s->m;

	(void)b;
	for (int c = 0; c < s->c; c++) {
		double sum = 0, product = 0;

		for (int n = 0; n < s->n; n++) {
			size_t at = ((size_t)n * s->c + c) * s->m;
			size_t g = (size_t)n * s->groups + c / per_group;

			for (int i = 0; i < s->m; i++) {
				sum += dy[at + i];
				product += (double)dy[at + i] * (x[at + i] - mean[g]) * rstd[g];
			}
		}
		dbeta[c] = (float)sum;
		dgamma[c] = (float)product;
	}
	for (size_t g = 0; g < (size_t)s->n * s->groups; g++) {
		size_t at = g * size, first = g % s->groups * per_group;
		double sum = 0, product = 0;

		for (size_t i = 0; i < size; i++) {
			double d = (double)dy[at + i] * gamma[first + i / s->m];

			sum += d;
			product += d * (x[at + i] - mean[g]) * rstd[g];
		}
		sum /= (double)size;
		product /= (double)size;
		for (size_t i = 0; i < size; i++) {
			double d = (double)dy[at + i] * gamma[first + i / s->m];
			double xhat = (double)(x[at + i] - mean[g]) * rstd[g];

			dx[at + i] = (float)(rstd[g] * (d - sum - xhat * product));
		}
	}
	return 0;
}

/* ---- relu, mean ------------------------------------------------------------------- */

int reference_relu_forward(struct backend *b, size_t n, const void *x_, void *y_)
{
	const float *x = x_;
	float *y = y_;
	(void)b;
	for (size_t i = 0; i < n; i++)
		y[i] = x[i] < 0 ? 0 : x[i];
	return 0;
}

int reference_relu_backward(struct backend *b, size_t n, const void *dy_, const void *y_, void *dx_)
{
	const float *dy = dy_, *y = y_;
	float *dx = dx_;
	(void)b;
	for (size_t i = 0; i < n; i++)
		dx[i] = y[i] > 0 ? dy[i] : 0;
	return 0;
}

int reference_mean_forward(struct backend *b, int n, int t, int c, int m, const void *x_, float *y,
                           int stride)
{
	const float *x = x_;
	(void)b;
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < c; k++) {
			double sum = 0;

			for (int f = 0; f < t; f++)
				for (int j = 0; j < m; j++)
					sum += x[(((size_t)i * t + f) * c + k) * m + j];
			y[(size_t)i * stride + k] = (float)(sum / ((double)t * m));
		}
	}
	return 0;
}

int reference_mean_backward(struct backend *b, int n, int t, int c, int m, const float *dy,
                            int stride, void *dx_)
{
	float *dx = dx_;
	(void)b;
	for (size_t i = 0; i < (size_t)n * t * c * m; i++) {
		size_t sample = i / m / c / t, channel = i / m % c;

		dx[i] = (float)(dy[sample * stride + channel] / ((double)t * m));
	}
	return 0;
}

/* ---- linear ----------------------------------------------------------------------- */

int reference_linear_forward(struct backend *b, int n, int in, int out, const float *x,
                             const float *weights, const float *bias, float *y)
{
	(void)b;
	for (int i = 0; i < n; i++) {
		for (int o = 0; o < out; o++) {
			double sum = bias[o];

			for (int k = 0; k < in; k++)
				sum += (double)x[(size_t)i * in + k] * weights[(size_t)o * in + k];
			y[(size_t)i * out + o] = (float)sum;
		}
	}
	return 0;
}

int reference_linear_backward(struct backend *b, int n, int in, int out, const float *x,
                              const float *weights, const float *dy, float *dx, float *dweights,
                              float *dbias)
{
	(void)b;
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < in; k++) {
			double sum = 0;

			for (int o = 0; o < out; o++)
				sum += (double)dy[(size_t)i * out + o] * weights[(size_t)o * in + k];
			dx[(size_t)i * in + k] = (float)sum;
		}
	}
	for (int o = 0; o < out; o++) {
		double bias_sum = 0;

		for (int k = 0; k < in; k++) {
			double sum = 0;

			for (int i = 0; i < n; i++)
				sum += (double)dy[(size_t)i * out + o] * x[(size_t)i * in + k];
			dweights[(size_t)o * in + k] = (float)sum;
		}
		for (int i = 0; i < n; i++)
			bias_sum += dy[(size_t)i * out + o];
		dbias[o] = (float)bias_sum;
	}
	return 0;
}
