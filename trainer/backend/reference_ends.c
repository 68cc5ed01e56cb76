#include <math.h>

#include "backend/reference_priv.h"

/* ---- loss ------------------------------------------------------------------------- */

int reference_loss(struct backend *b, const struct loss_shape *s, const float *logits,
                   const int32_t *labels, const float *weights, float *loss, int32_t *hit,
                   float *dlogits)
{
	(void)b;
	for (int i = 0; i < s->n; i++) {
		const float *z = logits + (size_t)i * s->classes;
		float *dz = dlogits + (size_t)i * s->classes;
		double sum = 0, log_sum, result = 0;
		int best = 0;

		for (int k = 1; k < s->classes; k++)
			if (z[k] > z[best])
				best = k;
		for (int k = 0; k < s->classes; k++)
			sum += exp((double)z[k] - z[best]);
		log_sum = log(sum) + z[best];
		for (int k = 0; k < s->classes; k++) {
			double target = (double)s->smoothing / s->classes +
			                (k == labels[i] ? 1 - (double)s->smoothing : 0);

			result += target * (log_sum - z[k]);
			dz[k] = (float)(weights[i] * (double)s->scale * (exp(z[k] - log_sum) - target));
		}
		loss[i] = (float)result;
		hit[i] = best == labels[i];
	}
	return 0;
}

/* ---- samples ---------------------------------------------------------------------- */

int reference_frames_in(struct backend *b, const struct frames_shape *s, const uint8_t *frames,
                        const struct crop *crops, void *y_)
{
	float *y = y_;
	static const double mean[3] = { 0.485, 0.456, 0.406 }, std[3] = { 0.229, 0.224, 0.225 };
	size_t to = 0;

	(void)b;
	for (int image = 0; image < s->n * s->t; image++) {
		const struct crop *crop = &crops[image / s->t];

		for (int c = 0; c < 3; c++)
		for (int row = 0; row < s->crop_h; row++)
		for (int column = 0; column < s->crop_w; column++) {
			int seen = crop->flip ? s->crop_w - 1 - column : column;
			size_t from = ((size_t)image * s->h + crop->y + row) * s->w + crop->x + seen;

			y[to++] = (float)((frames[from * 3 + c] / 255.0 - mean[c]) / std[c]);
		}
	}
	return 0;
}

int reference_mfcc_in(struct backend *b, int rows, int m, const float *x, void *y_)
{
	float *y = y_;
	(void)b;
	for (int r = 0; r < rows; r++) {
		const float *in = x + (size_t)r * m;
		double sum = 0, squares = 0, average, scale;

		for (int i = 0; i < m; i++)
			sum += in[i];
		average = sum / m;
		for (int i = 0; i < m; i++)
			squares += (in[i] - average) * (in[i] - average);
		scale = 1 / (sqrt(squares / m) + 1e-3);
		for (int i = 0; i < m; i++)
			y[(size_t)r * m + i] = (float)((in[i] - average) * scale);
	}
	return 0;
}

/* ---- gradients, optimizers --------------------------------------------------------- */

int reference_unscale(struct backend *b, size_t n, float factor, float *g, int32_t *bad)
{
	(void)b;
	for (size_t i = 0; i < n; i++) {
		g[i] *= factor;
		if (!isfinite(g[i]))
			*bad = 1;
	}
	return 0;
}

int reference_sgd(struct backend *b, const struct sgd_step *s, size_t n, const float *g, float *w,
                  float *v)
{
	(void)b;
	for (size_t i = 0; i < n; i++) {
		v[i] = s->momentum * v[i] + (g[i] + s->weight_decay * w[i]);
		w[i] -= s->lr * v[i];
	}
	return 0;
}

int reference_adamw(struct backend *b, const struct adamw_step *s, size_t n, const float *g,
                    float *w, float *m, float *v)
{
	(void)b;
	for (size_t i = 0; i < n; i++) {
		w[i] *= 1 - s->lr * s->weight_decay;
		m[i] = s->beta1 * m[i] + (1 - s->beta1) * g[i];
		v[i] = s->beta2 * v[i] + (1 - s->beta2) * g[i] * g[i];
		w[i] -= s->lr / s->correction1 * m[i] / (sqrtf(v[i] / s->correction2) + s->eps);
	}
	return 0;
}
