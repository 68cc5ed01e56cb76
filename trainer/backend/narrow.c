#include "backend/narrow.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/half.h"
#include "backend/host.h"
#include "base/buf.h"

/* Activations as floats, while a function runs. */
enum role { ROLE_IN, ROLE_IN2, ROLE_OUT, ROLE_FILTERS, ROLES };

struct narrow {
	struct backend base; /* first */
	struct backend *inner;
	float *wide[ROLES];
	size_t wide_n[ROLES];
};

struct conv {
	size_t x_n, y_n, filters_n;
	struct conv *inner; /* of the other backend */
};

static struct narrow *narrow_of(struct backend *b)
{
	return (struct narrow *)b;
}

/* ---- values ------------------------------------------------------------------------------ */

void narrow_widen(enum precision precision, size_t n, const uint16_t *from, float *to)
{
	if (precision == PRECISION_BF16) {
#pragma omp parallel for simd schedule(static)
		for (size_t i = 0; i < n; i++)
			to[i] = bf16_to_float(from[i]);
	} else {
#pragma omp parallel for schedule(static)
		for (size_t i = 0; i < n; i++)
			to[i] = fp16_to_float(from[i]);
	}
}

void narrow_round(enum precision precision, size_t n, const float *from, uint16_t *to)
{
	if (precision == PRECISION_BF16) {
#pragma omp parallel for simd schedule(static)
		for (size_t i = 0; i < n; i++)
			to[i] = bf16_from_float(from[i]);
	} else {
#pragma omp parallel for schedule(static)
		for (size_t i = 0; i < n; i++)
			to[i] = fp16_from_float(from[i]);
	}
}

/* Room for n floats; what was there before is gone. */
static int room(struct narrow *b, enum role role, size_t n, float **ret)
{
	void *buffer;
	int err;

	if (n > b->wide_n[role]) {
		host_release(&b->base, b->wide[role]);
		b->wide[role] = NULL;
		b->wide_n[role] = 0;
		err = n > SIZE_MAX / sizeof(float) ? -ENOMEM :
		                                     host_alloc(&b->base, n * sizeof(float), &buffer);
		if (err)
			return err;
		b->wide[role] = buffer;
		b->wide_n[role] = n;
	}
	*ret = b->wide[role];
	return 0;
}

static int widen(struct narrow *b, enum role role, size_t n, const void *from, float **ret)
{
	int err = room(b, role, n, ret);

	if (!err)
		narrow_widen(b->base.activations, n, from, *ret);
	return err;
}

static void round_to(struct narrow *b, size_t n, const float *from, void *to)
{
	narrow_round(b->base.activations, n, from, to);
}

/* Each value to the nearest that 16 bits can hold. */
static void round_floats(enum precision precision, size_t n, const float *from, float *to)
{
#pragma omp parallel for schedule(static)
	for (size_t i = 0; i < n; i++)
		to[i] = precision == PRECISION_BF16 ? bf16_to_float(bf16_from_float(from[i])) :
		                                      fp16_to_float(fp16_from_float(from[i]));
}

/* ---- buffers ----------------------------------------------------------------------------- */

static void narrow_free(struct backend *base)
{
	struct narrow *b = narrow_of(base);

	for (int i = 0; i < ROLES; i++)
		host_release(base, b->wide[i]);
	backend_free(b->inner);
	free(b);
}

static void narrow_describe(struct backend *base, struct buf *out)
{
	struct narrow *b = narrow_of(base);

	b->inner->ops->describe(b->inner, out);
	buf_printf(out, "activations = %s\n", base->activations == PRECISION_BF16 ? "bf16" : "fp16");
}

/* ---- convolutions ------------------------------------------------------------------------ */

static void narrow_conv_free(struct backend *base, struct conv *c)
{
	struct narrow *b = narrow_of(base);

	if (!c)
		return;
	b->inner->ops->conv_free(b->inner, c->inner);
	free(c);
}

static int narrow_conv_new(struct backend *base, const struct conv_shape *s, struct conv **ret)
{
	struct narrow *b = narrow_of(base);
	struct conv *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	err = b->inner->ops->conv_new(b->inner, s, &c->inner);
	if (err) {
		free(c);
		return err;
	}
	c->x_n = (size_t)s->n * s->c * s->h * s->w;
	c->y_n = (size_t)s->n * s->k * conv_out_h(s) * conv_out_w(s);
	c->filters_n = (size_t)s->k * s->c * s->r * s->s;
	*ret = c;
	return 0;
}

static int rounded_filters(struct narrow *b, const struct conv *c, const float *filters,
                           float **ret)
{
	int err = room(b, ROLE_FILTERS, c->filters_n, ret);

	if (!err)
		round_floats(b->base.activations, c->filters_n, filters, *ret);
	return err;
}

static int narrow_conv_forward(struct backend *base, struct conv *c, const void *x,
                               const float *filters, void *y)
{
	struct narrow *b = narrow_of(base);
	float *in, *rounded, *out;
	int err = widen(b, ROLE_IN, c->x_n, x, &in);

	if (!err)
		err = rounded_filters(b, c, filters, &rounded);
	if (!err)
		err = room(b, ROLE_OUT, c->y_n, &out);
	if (!err)
		err = b->inner->ops->conv_forward(b->inner, c->inner, in, rounded, out);
	if (!err)
		round_to(b, c->y_n, out, y);
	return err;
}

static int narrow_conv_backward_data(struct backend *base, struct conv *c, const void *dy,
                                     const float *filters, void *dx)
{
	struct narrow *b = narrow_of(base);
	float *in, *rounded, *out;
	int err = widen(b, ROLE_IN, c->y_n, dy, &in);

	if (!err)
		err = rounded_filters(b, c, filters, &rounded);
	if (!err)
		err = room(b, ROLE_OUT, c->x_n, &out);
	if (!err)
		err = b->inner->ops->conv_backward_data(b->inner, c->inner, in, rounded, out);
	if (!err)
		round_to(b, c->x_n, out, dx);
	return err;
}

static int narrow_conv_backward_filters(struct backend *base, struct conv *c, const void *x,
                                        const void *dy, float *dfilters)
{
	struct narrow *b = narrow_of(base);
	float *in, *grad;
	int err = widen(b, ROLE_IN, c->x_n, x, &in);

	if (!err)
		err = widen(b, ROLE_IN2, c->y_n, dy, &grad);
	if (!err)
		err = b->inner->ops->conv_backward_filters(b->inner, c->inner, in, grad, dfilters);
	if (!err)
		round_floats(base->activations, c->filters_n, dfilters, dfilters);
	return err;
}

/* ---- the other layers -------------------------------------------------------------------- */

static size_t norm_n(const struct norm_shape *s)
{
	return (size_t)s->n * s->c * s->m;
}

static int narrow_norm_forward(struct backend *base, const struct norm_shape *s, const void *x,
                               const float *gamma, const float *beta, void *y, float *mean,
                               float *rstd)
{
	struct narrow *b = narrow_of(base);
	float *in, *out;
	int err = widen(b, ROLE_IN, norm_n(s), x, &in);

	if (!err)
		err = room(b, ROLE_OUT, norm_n(s), &out);
	if (!err)
		err = b->inner->ops->norm_forward(b->inner, s, in, gamma, beta, out, mean, rstd);
	if (!err)
		round_to(b, norm_n(s), out, y);
	return err;
}

static int narrow_norm_backward(struct backend *base, const struct norm_shape *s, const void *dy,
                                const void *x, const float *gamma, const float *mean,
                                const float *rstd, void *dx, float *dgamma, float *dbeta)
{
	struct narrow *b = narrow_of(base);
	float *in, *grad;
	int err = widen(b, ROLE_IN, norm_n(s), x, &in);

	if (!err)
		err = widen(b, ROLE_IN2, norm_n(s), dy, &grad);
	if (!err)
		err = b->inner->ops->norm_backward(b->inner, s, grad, in, gamma, mean, rstd, grad, dgamma,
		                                   dbeta);
	if (!err)
		round_to(b, norm_n(s), grad, dx);
	return err;
}

static int narrow_relu_forward(struct backend *base, size_t n, const void *x, void *y)
{
	struct narrow *b = narrow_of(base);
	float *in;
	int err = widen(b, ROLE_IN, n, x, &in);

	if (!err)
		err = b->inner->ops->relu_forward(b->inner, n, in, in);
	if (!err)
		round_to(b, n, in, y);
	return err;
}

static int narrow_relu_backward(struct backend *base, size_t n, const void *dy, const void *y,
                                void *dx)
{
	struct narrow *b = narrow_of(base);
	float *in, *grad;
	int err = widen(b, ROLE_IN, n, y, &in);

	if (!err)
		err = widen(b, ROLE_IN2, n, dy, &grad);
	if (!err)
		err = b->inner->ops->relu_backward(b->inner, n, grad, in, grad);
	if (!err)
		round_to(b, n, grad, dx);
	return err;
}

static int narrow_mean_forward(struct backend *base, int n, int t, int c, int m, const void *x,
                               float *y, int stride)
{
	struct narrow *b = narrow_of(base);
	float *in;
	int err = widen(b, ROLE_IN, (size_t)n * t * c * m, x, &in);

	return err ? err : b->inner->ops->mean_forward(b->inner, n, t, c, m, in, y, stride);
}

static int narrow_mean_backward(struct backend *base, int n, int t, int c, int m, const float *dy,
                                int stride, void *dx)
{
	struct narrow *b = narrow_of(base);
	size_t all = (size_t)n * t * c * m;
	float *out;
	int err = room(b, ROLE_OUT, all, &out);

	if (!err)
		err = b->inner->ops->mean_backward(b->inner, n, t, c, m, dy, stride, out);
	if (!err)
		round_to(b, all, out, dx);
	return err;
}

/* ---- the two ends ------------------------------------------------------------------------ */

static int narrow_frames_in(struct backend *base, const struct frames_shape *s,
                            const uint8_t *frames, const struct crop *crops, void *y)
{
	struct narrow *b = narrow_of(base);
	size_t n = (size_t)s->n * s->t * 3 * s->crop_h * s->crop_w;
	float *out;
	int err = room(b, ROLE_OUT, n, &out);

	if (!err)
		err = b->inner->ops->frames_in(b->inner, s, frames, crops, out);
	if (!err)
		round_to(b, n, out, y);
	return err;
}

static int narrow_mfcc_in(struct backend *base, int rows, int m, const float *x, void *y)
{
	struct narrow *b = narrow_of(base);
	size_t n = (size_t)rows * m;
	float *out;
	int err = room(b, ROLE_OUT, n, &out);

	if (!err)
		err = b->inner->ops->mfcc_in(b->inner, rows, m, x, out);
	if (!err)
		round_to(b, n, out, y);
	return err;
}

/* What has no activations is the other backend's. */

static int narrow_linear_forward(struct backend *base, int n, int in, int out, const float *x,
                                 const float *weights, const float *bias, float *y)
{
	struct backend *b = narrow_of(base)->inner;

	return b->ops->linear_forward(b, n, in, out, x, weights, bias, y);
}

static int narrow_linear_backward(struct backend *base, int n, int in, int out, const float *x,
                                  const float *weights, const float *dy, float *dx,
                                  float *dweights, float *dbias)
{
	struct backend *b = narrow_of(base)->inner;

	return b->ops->linear_backward(b, n, in, out, x, weights, dy, dx, dweights, dbias);
}

static int narrow_loss(struct backend *base, const struct loss_shape *s, const float *logits,
                       const int32_t *labels, const float *weights, float *loss, int32_t *hit,
                       float *dlogits)
{
	struct backend *b = narrow_of(base)->inner;

	return b->ops->loss(b, s, logits, labels, weights, loss, hit, dlogits);
}

static int narrow_unscale(struct backend *base, size_t n, float factor, float *g, int32_t *bad)
{
	struct backend *b = narrow_of(base)->inner;

	return b->ops->unscale(b, n, factor, g, bad);
}

static int narrow_sgd(struct backend *base, const struct sgd_step *s, size_t n, const float *g,
                      float *w, float *v)
{
	struct backend *b = narrow_of(base)->inner;

	return b->ops->sgd(b, s, n, g, w, v);
}

static int narrow_adamw(struct backend *base, const struct adamw_step *s, size_t n, const float *g,
                        float *w, float *m, float *v)
{
	struct backend *b = narrow_of(base)->inner;

	return b->ops->adamw(b, s, n, g, w, m, v);
}

/* ---- the table --------------------------------------------------------------------------- */

static const struct backend_ops ops = {
	.name = "narrow",
	.free = narrow_free,
	.describe = narrow_describe,
	.alloc = host_alloc,
	.release = host_release,
	.upload = host_upload,
	.download = host_download,
	.zero = host_zero,
	.host_alloc = host_alloc,
	.host_free = host_release,
	.conv_new = narrow_conv_new,
	.conv_free = narrow_conv_free,
	.conv_forward = narrow_conv_forward,
	.conv_backward_data = narrow_conv_backward_data,
	.conv_backward_filters = narrow_conv_backward_filters,
	.norm_forward = narrow_norm_forward,
	.norm_backward = narrow_norm_backward,
	.relu_forward = narrow_relu_forward,
	.relu_backward = narrow_relu_backward,
	.mean_forward = narrow_mean_forward,
	.mean_backward = narrow_mean_backward,
	.linear_forward = narrow_linear_forward,
	.linear_backward = narrow_linear_backward,
	.loss = narrow_loss,
	.frames_in = narrow_frames_in,
	.mfcc_in = narrow_mfcc_in,
	.unscale = narrow_unscale,
	.sgd = narrow_sgd,
	.adamw = narrow_adamw,
};

int narrow_new(struct backend *inner, enum precision precision, struct backend **ret)
{
	struct narrow *b = calloc(1, sizeof(*b));

	if (!b) {
		backend_free(inner);
		return -ENOMEM;
	}
	b->base = (struct backend){ &ops, precision };
	b->inner = inner;
	*ret = &b->base;
	return 0;
}
