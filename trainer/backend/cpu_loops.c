/* Loops over memory, each in threads over parts that don't depend on each other, so
 * that the number of threads changes no bit here. */
#include <math.h>

#include "backend/cpu_priv.h"
#include "backend/reference_priv.h"

#define BLOCK 1024          /* values that are summed in float before they go to a double */
#define CHUNK ((size_t)1 << 15) /* values a thread takes at once */

/* ---- sums ---------------------------------------------------------------------------- */

static double sum(const float *x, size_t n)
{
	double total = 0;

	for (size_t i = 0; i < n; i += BLOCK) {
		size_t len = n - i < BLOCK ? n - i : BLOCK;
		float part = 0;

#pragma omp simd reduction(+ : part)
		for (size_t j = 0; j < len; j++)
			part += x[i + j];
		total += part;
	}
	return total;
}

/* Of (x - mean)^2. */
static double sum_squares(const float *x, size_t n, float mean)
{
	double total = 0;

	for (size_t i = 0; i < n; i += BLOCK) {
		size_t len = n - i < BLOCK ? n - i : BLOCK;
		float part = 0;

#pragma omp simd reduction(+ : part)
		for (size_t j = 0; j < len; j++)
			part += (x[i + j] - mean) * (x[i + j] - mean);
		total += part;
	}
	return total;
}

/* Of dy (x - mean). */
static double sum_product(const float *dy, const float *x, size_t n, float mean)
{
	double total = 0;

	for (size_t i = 0; i < n; i += BLOCK) {
		size_t len = n - i < BLOCK ? n - i : BLOCK;
		float part = 0;

#pragma omp simd reduction(+ : part)
		for (size_t j = 0; j < len; j++)
			part += dy[i + j] * (x[i + j] - mean);
		total += part;
	}
	return total;
}

/* ---- group norm ---------------------------------------------------------------------- */

int cpu_norm_forward(struct backend *b, const struct norm_shape *s, const void *x_,
                     const float *gamma, const float *beta, void *y_, float *mean, float *rstd)
{
	const float *x = x_;
	float *y = y_;
	int per_group = s->c / s->groups;
	size_t size = (size_t)per_group * s->m;

	(void)b;
#pragma omp parallel for schedule(static)
	for (int g = 0; g < s->n * s->groups; g++) {
		const float *in = x + g * size;
		float *out = y + g * size;
		float average = (float)(sum(in, size) / (double)size);
		double variance = sum_squares(in, size, average) / (double)size;
		float scale = (float)(1 / sqrt(variance + s->eps));

		for (int i = 0; i < per_group; i++) {
			int c = g % s->groups * per_group + i;
			float a = scale * gamma[c], shift = beta[c];

#pragma omp simd
			for (int j = 0; j < s->m; j++)
				out[(size_t)i * s->m + j] = (in[(size_t)i * s->m + j] - average) * a + shift;
		}
		mean[g] = average;
		rstd[g] = scale;
	}
	return 0;
}

/* The gradients of gamma and beta: sums over images, each channel on its own. */
static void norm_parameters(const struct norm_shape *s, const float *dy, const float *x,
                            const float *mean, const float *rstd, float *dgamma, float *dbeta)
{
	int per_group = s->c / s->groups;

#pragma omp parallel for schedule(static)
	for (int c = 0; c < s->c; c++) {
		double total = 0, product = 0;

		for (int n = 0; n < s->n; n++) {
			size_t at = ((size_t)n * s->c + c) * s->m;
			size_t g = (size_t)n * s->groups + c / per_group;

			total += sum(dy + at, s->m);
			product += sum_product(dy + at, x + at, s->m, mean[g]) * rstd[g];
		}
		dbeta[c] = (float)total;
		dgamma[c] = (float)product;
	}
}

int cpu_norm_backward(struct backend *b, const struct norm_shape *s, const void *dy_,
                      const void *x_, const float *gamma, const float *mean, const float *rstd,
                      void *dx_, float *dgamma, float *dbeta)
{
	const float *dy = dy_, *x = x_;
	float *dx = dx_;
	int per_group = s->c / s->groups;
	size_t size = (size_t)per_group * s->m;

	(void)b;
	norm_parameters(s, dy, x, mean, rstd, dgamma, dbeta);
#pragma omp parallel for schedule(static)
	for (int g = 0; g < s->n * s->groups; g++) {
		size_t at = g * size;
		double total = 0, product = 0;
		float shift, slope;

		for (int i = 0; i < per_group; i++) {
			int c = g % s->groups * per_group + i;
			size_t row = at + (size_t)i * s->m;

			total += sum(dy + row, s->m) * gamma[c];
			product += sum_product(dy + row, x + row, s->m, mean[g]) * gamma[c];
		}
		/* dx = rstd (dy gamma - mean(d) - (x - mean) rstd^2 mean(d (x - mean))) */
		slope = (float)(product / (double)size * rstd[g] * rstd[g] * rstd[g]);
		shift = (float)(total / (double)size * rstd[g]);
		for (int i = 0; i < per_group; i++) {
			float scale = rstd[g] * gamma[g % s->groups * per_group + i];
			size_t row = at + (size_t)i * s->m;

#pragma omp simd
			for (int j = 0; j < s->m; j++)
				dx[row + j] = dy[row + j] * scale - shift - (x[row + j] - mean[g]) * slope;
		}
	}
	return 0;
}

/* ---- relu, mean ---------------------------------------------------------------------- */

int cpu_relu_forward(struct backend *b, size_t n, const void *x_, void *y_)
{
	const float *x = x_;
	float *y = y_;

	(void)b;
#pragma omp parallel for simd schedule(static)
	for (size_t i = 0; i < n; i++)
		y[i] = x[i] < 0 ? 0 : x[i];
	return 0;
}

int cpu_relu_backward(struct backend *b, size_t n, const void *dy_, const void *y_, void *dx_)
{
	const float *dy = dy_, *y = y_;
	float *dx = dx_;

	(void)b;
#pragma omp parallel for simd schedule(static)
	for (size_t i = 0; i < n; i++) {
		/* read in any case, or it becomes a branch */
		float d = dy[i];

		dx[i] = y[i] > 0 ? d : 0;
	}
	return 0;
}

int cpu_mean_forward(struct backend *b, int n, int t, int c, int m, const void *x_, float *y,
                     int stride)
{
	const float *x = x_;
	(void)b;
#pragma omp parallel for collapse(2) schedule(static)
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < c; k++) {
			double total = 0;

			for (int f = 0; f < t; f++)
				total += sum(x + (((size_t)i * t + f) * c + k) * m, m);
			y[(size_t)i * stride + k] = (float)(total / ((double)t * m));
		}
	}
	return 0;
}

int cpu_mean_backward(struct backend *b, int n, int t, int c, int m, const float *dy, int stride,
                      void *dx_)
{
	float *dx = dx_;

	(void)b;
#pragma omp parallel for collapse(2) schedule(static)
	for (int image = 0; image < n * t; image++) {
		for (int k = 0; k < c; k++) {
			float value = (float)(dy[(size_t)(image / t) * stride + k] / ((double)t * m));

			for (int j = 0; j < m; j++)
				dx[((size_t)image * c + k) * m + j] = value;
		}
	}
	return 0;
}

/* ---- samples ------------------------------------------------------------------------- */

/* What the reference computes of each byte value, so that the two agree in every bit. */
static void table_fill(float table[3][256])
{
	for (int v = 0; v < 256; v++) {
		const struct frames_shape one = { 1, 1, 1, 1, 1, 1 };
		const uint8_t pixel[3] = { (uint8_t)v, (uint8_t)v, (uint8_t)v };
		const struct crop whole = { 0, 0, 0 };
		float value[3];

		reference_frames_in(NULL, &one, pixel, &whole, value);
		for (int c = 0; c < 3; c++)
			table[c][v] = value[c];
	}
}

int cpu_frames_in(struct backend *b, const struct frames_shape *s, const uint8_t *frames,
                  const struct crop *crops, void *y_)
{
	float *y = y_;
	float table[3][256];
	size_t plane = (size_t)s->crop_h * s->crop_w;

	(void)b;
	table_fill(table);
#pragma omp parallel for schedule(static)
	for (int image = 0; image < s->n * s->t; image++) {
		const struct crop *crop = &crops[image / s->t];
		float *to = y + image * 3 * plane;

		for (int row = 0; row < s->crop_h; row++) {
			const uint8_t *from = frames + (((size_t)image * s->h + crop->y + row) * s->w +
			                                crop->x) * 3;

			for (int column = 0; column < s->crop_w; column++, to++) {
				const uint8_t *pixel = from + 3 * (crop->flip ? s->crop_w - 1 - column : column);

				to[0] = table[0][pixel[0]];
				to[plane] = table[1][pixel[1]];
				to[2 * plane] = table[2][pixel[2]];
			}
		}
	}
	return 0;
}

int cpu_mfcc_in(struct backend *b, int rows, int m, const float *x, void *y_)
{
	float *y = y_;

#pragma omp parallel for schedule(static)
	for (int r = 0; r < rows; r++)
		reference_mfcc_in(b, 1, m, x + (size_t)r * m, y + (size_t)r * m);
	return 0;
}

/* ---- gradients, optimizers ------------------------------------------------------------ */

int cpu_unscale(struct backend *b, size_t n, float factor, float *g, int32_t *bad)
{
	int32_t found = 0;

#pragma omp parallel for schedule(static) reduction(| : found)
	for (size_t i = 0; i < n; i += CHUNK)
		reference_unscale(b, n - i < CHUNK ? n - i : CHUNK, factor, g + i, &found);
	*bad |= found;
	return 0;
}

int cpu_sgd(struct backend *b, const struct sgd_step *s, size_t n, const float *g, float *w,
            float *v)
{
#pragma omp parallel for schedule(static)
	for (size_t i = 0; i < n; i += CHUNK)
		reference_sgd(b, s, n - i < CHUNK ? n - i : CHUNK, g + i, w + i, v + i);
	return 0;
}

int cpu_adamw(struct backend *b, const struct adamw_step *s, size_t n, const float *g, float *w,
              float *m, float *v)
{
#pragma omp parallel for schedule(static)
	for (size_t i = 0; i < n; i += CHUNK)
		reference_adamw(b, s, n - i < CHUNK ? n - i : CHUNK, g + i, w + i, m + i, v + i);
	return 0;
}
