#include "worker/resize.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "worker/resize_kernels.h"

struct resize {
	struct geometry g;
	struct resize_window window;
	const struct resize_kernels *kernels;
	struct resize_axis x, y;        /* starts are relative to the window */
	bool same_width, same_height;   /* the pass would copy */
	uint8_t *ring;                  /* source row s after the horizontal pass: in s % ring_rows */
	uint32_t ring_rows;
	size_t ring_stride;
	const uint8_t **rows;           /* the y.taps rows of one output row */
};

static void axis_done(struct resize_axis *a)
{
	free(a->start);
	free(a->count);
	free(a->weights);
	free(a->packed);
}

/* Weights of output `out` before rounding, from xmin; returns how many. As
 * precompute_coeffs in Pillow, operation by operation, for the same doubles. */
static uint32_t triangle(uint32_t in, uint32_t resized, uint32_t out, uint32_t *ret_xmin, double *w)
{
	double scale = (double)in / resized;
	double filterscale = scale < 1.0 ? 1.0 : scale;
	double support = filterscale;
	double center = (out + 0.5) * scale;
	double ss = 1.0 / filterscale, ww = 0.0;
	int xmin = (int)(center - support + 0.5), xmax = (int)(center + support + 0.5);

	if (xmin < 0)
		xmin = 0;
	if (xmax > (int)in)
		xmax = (int)in;
	for (int x = 0; x < xmax - xmin; x++) {
		double d = fabs((x + xmin - center + 0.5) * ss);

		w[x] = d < 1.0 ? 1.0 - d : 0.0;
		ww += w[x];
	}
	for (int x = 0; x < xmax - xmin && ww != 0.0; x++)
		w[x] /= ww;
	*ret_xmin = (uint32_t)xmin;
	return (uint32_t)(xmax - xmin);
}

/* Outputs [first, first + n) of a resize from `in` to `resized` pixels. */
static int axis_init(uint32_t in, uint32_t resized, uint32_t first, uint32_t n,
                     struct resize_axis *a)
{
	double scale = (double)in / resized;
	uint32_t most = (uint32_t)ceil(scale < 1.0 ? 1.0 : scale) * 2 + 1;
	double *w = malloc(most * sizeof(*w));

	a->n = n;
	a->taps = (most + RESIZE_GROUP - 1) / RESIZE_GROUP * RESIZE_GROUP;
	a->start = calloc(n, sizeof(*a->start));
	a->count = calloc(n, sizeof(*a->count));
	a->weights = calloc((size_t)n * a->taps, sizeof(*a->weights));
	/* 64 bytes a group: no load of a half crosses a cache line */
	a->packed = aligned_alloc(64, (size_t)n * a->taps / RESIZE_GROUP * 64);
	if (!w || !a->start || !a->count || !a->weights || !a->packed) {
		free(w);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		int32_t *rounded = a->weights + (size_t)i * a->taps;
		int16_t *packed = a->packed + (size_t)i * a->taps / RESIZE_GROUP * 32;

		a->count[i] = triangle(in, resized, first + i, &a->start[i], w);
		for (uint32_t k = 0; k < a->count[i]; k++)
			rounded[k] = (int32_t)(0.5 + w[k] * (1 << RESIZE_BITS));
		for (uint32_t k = 0; k < a->taps; k += RESIZE_GROUP, packed += 32)
			resize_pack_group(rounded + k, packed);
	}
	free(w);
	return 0;
}

/* The source pixels an axis uses; its starts become relative to the first. */
static void axis_window(struct resize_axis *a, uint32_t *ret_first, uint32_t *ret_count)
{
	uint32_t first = a->start[0], last = a->start[a->n - 1] + a->count[a->n - 1];

	for (uint32_t i = 0; i < a->n; i++)
		a->start[i] -= first;
	*ret_first = first;
	*ret_count = last - first;
}

int resize_new(uint32_t src_height, uint32_t src_width, const struct geometry *g,
               const struct resize_kernels *kernels, struct resize **ret)
{
	struct resize *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		return -ENOMEM;
	r->g = *g;
	r->kernels = kernels;
	r->same_width = g->resized_width == src_width;
	r->same_height = g->resized_height == src_height;
	err = axis_init(src_width, g->resized_width, g->crop_left, g->region_width, &r->x);
	if (err)
		goto free_resize;
	err = axis_init(src_height, g->resized_height, g->crop_top, g->region_height, &r->y);
	if (err)
		goto free_resize;
	axis_window(&r->x, &r->window.left, &r->window.width);
	axis_window(&r->y, &r->window.top, &r->window.height);

	/* 64: the kernels' reads and writes behind the end. */
	r->ring_stride = (size_t)g->region_width * 3 + 64;
	/* 1: rows are computed in pairs, of which only the first may be needed yet. */
	r->ring_rows = r->y.taps + 1;
	r->ring = calloc(r->ring_rows, r->ring_stride);
	r->rows = calloc(r->y.taps, sizeof(*r->rows));
	if (!r->ring || !r->rows) {
		err = -ENOMEM;
		goto free_resize;
	}
	*ret = r;
	return 0;

free_resize:
	resize_free(r);
	return err;
}

void resize_free(struct resize *r)
{
	if (!r)
		return;
	axis_done(&r->x);
	axis_done(&r->y);
	free(r->ring);
	free(r->rows);
	free(r);
}

struct resize_window resize_window(const struct resize *r)
{
	return r->window;
}

static uint8_t *ring_row(const struct resize *r, uint32_t row)
{
	return r->ring + row % r->ring_rows * r->ring_stride;
}

/* Source row `row` of the window and the next one, if there is one. */
static void horizontal_pair(const struct resize *r, const uint8_t *src, size_t stride, uint32_t row)
{
	uint32_t next = row + 1 < r->window.height ? row + 1 : row;
	const uint8_t *const from[2] = {src + row * stride, src + next * stride};
	uint8_t *const to[2] = {ring_row(r, row), ring_row(r, next)};

	if (r->same_width) {
		memcpy(to[0], from[0], (size_t)r->x.n * 3);
		memcpy(to[1], from[1], (size_t)r->x.n * 3);
	} else {
		r->kernels->horizontal(&r->x, from, to);
	}
}

/* The region, its first pixel at dst. Source rows go through the horizontal
 * pass when the first output row needs them, and stay in the ring until the
 * last one did: output rows move down monotonically. */
static void resize_region(struct resize *r, const uint8_t *src, size_t stride, uint8_t *dst,
                          size_t dst_stride)
{
	const struct resize_axis *y = &r->y;
	size_t len = (size_t)r->x.n * 3;
	uint32_t done = 0;

	for (uint32_t i = 0; i < y->n; i++, dst += dst_stride) {
		for (; done < y->start[i] + y->count[i]; done += 2)
			horizontal_pair(r, src, stride, done);
		for (uint32_t k = 0; k < y->count[i]; k++)
			r->rows[k] = ring_row(r, y->start[i] + k);
		if (r->same_height)
			memcpy(dst, r->rows[0], len);
		else
			r->kernels->vertical(y->weights + (size_t)i * y->taps, y->count[i], r->rows,
			                     len, dst);
	}
}

void resize_run(struct resize *r, const uint8_t *src, size_t stride, uint8_t *dst)
{
	const struct geometry *g = &r->g;
	size_t dst_stride = (size_t)g->row_width * 3;

	if (g->region_height != g->row_height || g->region_width != g->row_width)
		memset(dst, 0, dst_stride * g->row_height);
	dst += g->pad_top * dst_stride + (size_t)g->pad_left * 3;
	resize_region(r, src, stride, dst, dst_stride);
}

