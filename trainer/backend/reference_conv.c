#include <errno.h>
#include <stdlib.h>

#include "backend/reference_priv.h"

int reference_conv_new(struct backend *b, const struct conv_shape *s, struct conv **ret)
{
	struct conv *c;

	(void)b;
	if (conv_out_h(s) < 1 || conv_out_w(s) < 1)
		return -EINVAL;
	c = malloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->shape = *s;
	*ret = c;
	return 0;
}

void reference_conv_free(struct backend *b, struct conv *c)
{
	(void)b;
	free(c);
}

static size_t at(int a, int b, int n_b, int c, int n_c, int d, int n_d)
{
	return (((size_t)a * n_b + b) * n_c + c) * n_d + d;
}

/* One term of the sum that a convolution is: y[iy] += x[ix] filters[iw]. */
typedef void conv_term(void *arg, size_t ix, size_t iw, size_t iy);

/* The sum's terms, in one order for all three directions. */
static void for_each_term(const struct conv_shape *s, conv_term *term, void *arg)
{
	int out_h = conv_out_h(s), out_w = conv_out_w(s);

	for (int n = 0; n < s->n; n++)
	for (int k = 0; k < s->k; k++)
	for (int oy = 0; oy < out_h; oy++)
	for (int ox = 0; ox < out_w; ox++)
	for (int c = 0; c < s->c; c++)
	for (int r = 0; r < s->r; r++)
	for (int q = 0; q < s->s; q++) {
		int y = oy * s->stride_h + r - s->pad_h;
		int x = ox * s->stride_w + q - s->pad_w;

		if (y >= 0 && y < s->h && x >= 0 && x < s->w)
			term(arg, at(n, c, s->c, y, s->h, x, s->w), at(k, c, s->c, r, s->r, q, s->s),
			     at(n, k, s->k, oy, out_h, ox, out_w));
	}
}

struct sum {
	const float *x, *filters, *dy;
	double *out;
};

static void add_forward(void *arg, size_t ix, size_t iw, size_t iy)
{
	struct sum *s = arg;

	s->out[iy] += (double)s->x[ix] * s->filters[iw];
}

static void add_data(void *arg, size_t ix, size_t iw, size_t iy)
{
	struct sum *s = arg;

	s->out[ix] += (double)s->dy[iy] * s->filters[iw];
}

static void add_filters(void *arg, size_t ix, size_t iw, size_t iy)
{
	struct sum *s = arg;

	s->out[iw] += (double)s->dy[iy] * s->x[ix];
}

static int run(const struct conv_shape *s, conv_term *term, struct sum *sum, size_t n, float *to)
{
	sum->out = calloc(n, sizeof(*sum->out));
	if (!sum->out)
		return -ENOMEM;
	for_each_term(s, term, sum);
	for (size_t i = 0; i < n; i++)
		to[i] = (float)sum->out[i];
	free(sum->out);
	return 0;
}

int reference_conv_forward(struct backend *b, struct conv *c, const void *x, const float *filters,
                           void *y)
{
	const struct conv_shape *s = &c->shape;
	struct sum sum = { .x = x, .filters = filters };

	(void)b;
	return run(s, add_forward, &sum, at(s->n, 0, s->k, 0, conv_out_h(s), 0, conv_out_w(s)), y);
}

int reference_conv_backward_data(struct backend *b, struct conv *c, const void *dy,
                                 const float *filters, void *dx)
{
	const struct conv_shape *s = &c->shape;
	struct sum sum = { .dy = dy, .filters = filters };

	(void)b;
	return run(s, add_data, &sum, at(s->n, 0, s->c, 0, s->h, 0, s->w), dx);
}

int reference_conv_backward_filters(struct backend *b, struct conv *c, const void *x,
                                    const void *dy, float *dfilters)
{
	const struct conv_shape *s = &c->shape;
	struct sum sum = { .x = x, .dy = dy };

	(void)b;
	return run(s, add_filters, &sum, at(s->k, 0, s->c, 0, s->r, 0, s->s), dfilters);
}
