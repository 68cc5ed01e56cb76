#include "model/branch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NORM_EPS 1e-5f
#define GROUPS_MAX 8
#define GROUP_MIN 4             /* channels */

struct layer {
	struct conv_shape shape;
	struct norm_shape norm;
	struct conv *conv;
	size_t out_n;               /* values of what comes out */
	void *convolved;            /* activations (n t, k, out_h, out_w), before the norm */
	void *out;                  /* the same after norm and relu */
	float *mean, *rstd;
	const struct model_param *filters, *gamma, *beta;
};

struct branch {
	struct backend *b;
	struct branch_config config;
	void *input;
	void *grad[2];              /* of what comes out of a layer, and of what goes in */
	struct layer layer[BRANCH_DEPTH_MAX];
};

static int channels(const struct branch_config *c, int layer)
{
	int k = c->width << layer;

	return k < c->width_max ? k : c->width_max;
}

static int groups_of(int k)
{
	int groups = GROUPS_MAX;

	/* In a group of one channel a shade of the whole picture would be normalised away. */
	while (groups > 1 && (k % groups || k / groups < GROUP_MIN))
		groups /= 2;
	return groups;
}

static int alloc(struct branch *br, size_t n, void **ret)
{
	size_t size = backend_activation_size(br->b);

	return n > SIZE_MAX / size ? -ENOMEM : br->b->ops->alloc(br->b, n * size, ret);
}

static int alloc_floats(struct branch *br, size_t n, float **ret)
{
	void *buffer;
	int err = br->b->ops->alloc(br->b, n * sizeof(float), &buffer);

	if (!err)
		*ret = buffer;
	return err;
}

static int layer_init(struct branch *br, int i, int c, int h, int w)
{
	const struct branch_config *config = &br->config;
	struct layer *l = &br->layer[i];
	int images = config->n * config->t;
	int err;

	l->shape = (struct conv_shape){
		.n = images, .c = c, .h = h, .w = w,
		.k = channels(config, i), .r = config->r, .s = config->s,
		.stride_h = config->stride_h, .stride_w = config->stride_w,
		.pad_h = config->r / 2, .pad_w = config->s / 2, .no_dx = i == 0,
	};
	l->norm = (struct norm_shape){
		.n = images, .c = l->shape.k, .m = conv_out_h(&l->shape) * conv_out_w(&l->shape),
		.groups = groups_of(l->shape.k), .eps = NORM_EPS,
	};
	l->out_n = (size_t)images * l->norm.c * l->norm.m;
	err = br->b->ops->conv_new(br->b, &l->shape, &l->conv);
	if (!err)
		err = alloc(br, l->out_n, &l->convolved);
	if (!err)
		err = alloc(br, l->out_n, &l->out);
	if (!err)
		err = alloc_floats(br, (size_t)images * l->norm.groups, &l->mean);
	if (!err)
		err = alloc_floats(br, (size_t)images * l->norm.groups, &l->rstd);
	return err;
}

void branch_free(struct branch *br)
{
	if (!br)
		return;
	for (int i = 0; i < br->config.depth; i++) {
		struct layer *l = &br->layer[i];

		br->b->ops->conv_free(br->b, l->conv);
		br->b->ops->release(br->b, l->convolved);
		br->b->ops->release(br->b, l->out);
		br->b->ops->release(br->b, l->mean);
		br->b->ops->release(br->b, l->rstd);
	}
	br->b->ops->release(br->b, br->input);
	br->b->ops->release(br->b, br->grad[0]);
	br->b->ops->release(br->b, br->grad[1]);
	free(br);
}

int branch_new(struct backend *b, const struct branch_config *config, struct branch **ret)
{
	struct branch *br = calloc(1, sizeof(*br));
	int c = config->c, h = config->h, w = config->w, err;
	size_t largest = 0;

	if (!br)
		return -ENOMEM;
	br->b = b;
	br->config = *config;
	err = alloc(br, (size_t)config->n * config->t * c * h * w, &br->input);
	for (int i = 0; i < config->depth && !err; i++) {
		struct layer *l = &br->layer[i];

		err = layer_init(br, i, c, h, w);
		c = l->shape.k;
		h = conv_out_h(&l->shape);
		w = conv_out_w(&l->shape);
		largest = l->out_n > largest ? l->out_n : largest;
	}
	for (int i = 0; i < 2 && !err; i++)
		err = alloc(br, largest, &br->grad[i]);
	if (err) {
		branch_free(br);
		return err;
	}
	*ret = br;
	return 0;
}

/* ---- parameters ---------------------------------------------------------------------- */

int branch_features(const struct branch *br)
{
	return br->layer[br->config.depth - 1].shape.k;
}

static struct model_param vector(const struct branch *br, int layer, const char *what, int n)
{
	struct model_param p = { .ndim = 1, .shape = { n }, .n = (size_t)n };

	snprintf(p.name, sizeof(p.name), "%s.%d.norm.%s", br->config.name, layer, what);
	return p;
}

size_t branch_params(const struct branch *br, struct model_param *ret)
{
	size_t n = 0;

	for (int i = 0; i < br->config.depth; i++) {
		const struct conv_shape *s = &br->layer[i].shape;
		struct model_param filters = {
			.ndim = 4, .shape = { s->k, s->c, s->r, s->s },
			.n = (size_t)s->k * s->c * s->r * s->s, .decay = true,
		};

		snprintf(filters.name, sizeof(filters.name), "%s.%d.conv.weight", br->config.name, i);
		ret[n++] = filters;
		ret[n++] = vector(br, i, "weight", s->k);
		ret[n++] = vector(br, i, "bias", s->k);
	}
	return n;
}

void branch_bind(struct branch *br, const struct model_param *params)
{
	for (int i = 0; i < br->config.depth; i++) {
		br->layer[i].filters = &params[3 * i];
		br->layer[i].gamma = &params[3 * i + 1];
		br->layer[i].beta = &params[3 * i + 2];
	}
}

/* ---- running ------------------------------------------------------------------------- */

void *branch_input(struct branch *br)
{
	return br->input;
}

static int layer_forward(struct backend *b, struct layer *l, const void *in)
{
	int err = b->ops->conv_forward(b, l->conv, in, l->filters->value, l->convolved);

	if (!err)
		err = b->ops->norm_forward(b, &l->norm, l->convolved, l->gamma->value, l->beta->value,
		                           l->out, l->mean, l->rstd);
	return err ? err : b->ops->relu_forward(b, l->out_n, l->out, l->out);
}

int branch_forward(struct branch *br, float *features, int stride)
{
	const void *in = br->input;
	const struct layer *last = &br->layer[br->config.depth - 1];
	int err = 0;

	for (int i = 0; i < br->config.depth && !err; i++) {
		err = layer_forward(br->b, &br->layer[i], in);
		in = br->layer[i].out;
	}
	return err ? err : br->b->ops->mean_forward(br->b, br->config.n, br->config.t, last->norm.c,
	                                            last->norm.m, in, features, stride);
}

/* grad: of what came out, overwritten. din NULL: nobody needs the gradient of what went in. */
static int layer_backward(struct backend *b, struct layer *l, const void *in, void *grad,
                          void *din)
{
	int err = b->ops->relu_backward(b, l->out_n, grad, l->out, grad);

	if (!err)
		err = b->ops->norm_backward(b, &l->norm, grad, l->convolved, l->gamma->value, l->mean,
		                            l->rstd, grad, l->gamma->grad, l->beta->grad);
	if (!err)
		err = b->ops->conv_backward_filters(b, l->conv, in, grad, l->filters->grad);
	if (!err && din)
		err = b->ops->conv_backward_data(b, l->conv, grad, l->filters->value, din);
	return err;
}

int branch_backward(struct branch *br, const float *dfeatures, int stride)
{
	const struct layer *last = &br->layer[br->config.depth - 1];
	void *grad = br->grad[0], *din = br->grad[1];
	int err;

	err = br->b->ops->mean_backward(br->b, br->config.n, br->config.t, last->norm.c, last->norm.m,
	                                dfeatures, stride, grad);
	for (int i = br->config.depth - 1; i >= 0 && !err; i--) {
		void *swap = grad;

		err = layer_backward(br->b, &br->layer[i], i ? br->layer[i - 1].out : br->input, grad,
		                     i ? din : NULL);
		grad = din;
		din = swap;
	}
	return err;
}
