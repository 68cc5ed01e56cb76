#include "backend/cpu_onednn.h"

#include <stdlib.h>

/* ---- descriptors ------------------------------------------------------------------- */

#if DNNL_VERSION_MAJOR >= 3

static dnnl_status_t md_new(const dnnl_dims_t dims, dnnl_format_tag_t tag, dnnl_memory_desc_t *ret)
{
	return dnnl_memory_desc_create_with_tag(ret, 4, dims, dnnl_f32, tag);
}

static onednn_md md_view(const dnnl_memory_desc_t *md)
{
	return *md;
}

static void md_free(dnnl_memory_desc_t *md)
{
	if (*md)
		dnnl_memory_desc_destroy(*md);
}

static onednn_md memory_md(dnnl_memory_t memory)
{
	onednn_md md = NULL;

	dnnl_memory_get_memory_desc(memory, &md);
	return md;
}

#else

static dnnl_status_t md_new(const dnnl_dims_t dims, dnnl_format_tag_t tag, dnnl_memory_desc_t *ret)
{
	return dnnl_memory_desc_init_by_tag(ret, 4, dims, dnnl_f32, tag);
}

static onednn_md md_view(const dnnl_memory_desc_t *md)
{
	return md;
}

static void md_free(dnnl_memory_desc_t *md)
{
	(void)md;
}

static onednn_md memory_md(dnnl_memory_t memory)
{
	onednn_md md = NULL;

	dnnl_memory_get_memory_desc(memory, &md);
	return md;
}

#endif

/* ---- convolutions ------------------------------------------------------------------- */

struct geometry {
	dnnl_memory_desc_t x, filters, y;
	dnnl_dims_t strides, dilates, pad;
};

#if DNNL_VERSION_MAJOR >= 3

static dnnl_status_t conv_create(dnnl_engine_t engine, dnnl_prop_kind_t direction,
                                 const struct geometry *g, const_dnnl_primitive_desc_t forward,
                                 dnnl_primitive_desc_t *ret)
{
	dnnl_primitive_attr_t attr = NULL;
	dnnl_status_t status = dnnl_primitive_attr_create(&attr);

	if (status)
		return status;
#if DNNL_VERSION_MAJOR > 3 || DNNL_VERSION_MINOR >= 4
	dnnl_primitive_attr_set_deterministic(attr, 1);
#endif
	if (direction == dnnl_forward_training)
		status = dnnl_convolution_forward_primitive_desc_create(ret, engine, direction,
			dnnl_convolution_direct, g->x, g->filters, NULL, g->y, g->strides, g->dilates,
			g->pad, g->pad, attr);
	else if (direction == dnnl_backward_data)
		status = dnnl_convolution_backward_data_primitive_desc_create(ret, engine,
			dnnl_convolution_direct, g->x, g->filters, g->y, g->strides, g->dilates, g->pad,
			g->pad, forward, attr);
	else
		status = dnnl_convolution_backward_weights_primitive_desc_create(ret, engine,
			dnnl_convolution_direct, g->x, g->filters, NULL, g->y, g->strides, g->dilates,
			g->pad, g->pad, forward, attr);
	dnnl_primitive_attr_destroy(attr);
	return status;
}

#else

static dnnl_status_t conv_create(dnnl_engine_t engine, dnnl_prop_kind_t direction,
                                 const struct geometry *g, const_dnnl_primitive_desc_t forward,
                                 dnnl_primitive_desc_t *ret)
{
	dnnl_convolution_desc_t desc;
	dnnl_status_t status;

	if (direction == dnnl_forward_training)
		status = dnnl_convolution_forward_desc_init(&desc, direction, dnnl_convolution_direct,
			&g->x, &g->filters, NULL, &g->y, g->strides, g->pad, g->pad);
	else if (direction == dnnl_backward_data)
		status = dnnl_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct,
			&g->x, &g->filters, &g->y, g->strides, g->pad, g->pad);
	else
		status = dnnl_convolution_backward_weights_desc_init(&desc, dnnl_convolution_direct,
			&g->x, &g->filters, NULL, &g->y, g->strides, g->pad, g->pad);
	return status ? status : dnnl_primitive_desc_create(ret, &desc, NULL, engine, forward);
}

#endif

dnnl_status_t onednn_conv(dnnl_engine_t engine, dnnl_prop_kind_t direction,
                          const struct conv_shape *s, const_dnnl_primitive_desc_t forward,
                          dnnl_primitive_desc_t *ret)
{
	const dnnl_dims_t x = { s->n, s->c, s->h, s->w };
	const dnnl_dims_t filters = { s->k, s->c, s->r, s->s };
	const dnnl_dims_t y = { s->n, s->k, conv_out_h(s), conv_out_w(s) };
	struct geometry g = {
		.strides = { s->stride_h, s->stride_w },
		.pad = { s->pad_h, s->pad_w },
	};
	dnnl_status_t status = md_new(x, dnnl_format_tag_any, &g.x);

	if (!status)
		status = md_new(filters, dnnl_format_tag_any, &g.filters);
	if (!status)
		status = md_new(y, dnnl_format_tag_any, &g.y);
	if (!status)
		status = conv_create(engine, direction, &g, forward, ret);
	md_free(&g.x);
	md_free(&g.filters);
	md_free(&g.y);
	return status;
}

/* ---- memory ------------------------------------------------------------------------- */

dnnl_status_t onednn_plain(dnnl_engine_t engine, const dnnl_dims_t dims, dnnl_memory_t *ret)
{
	dnnl_memory_desc_t md;
	dnnl_status_t status = md_new(dims, dnnl_abcd, &md);

	if (status)
		return status;
	status = dnnl_memory_create(ret, md_view(&md), engine, DNNL_MEMORY_NONE);
	md_free(&md);
	return status;
}

dnnl_status_t onednn_wanted(dnnl_engine_t engine, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                            dnnl_memory_t plain, dnnl_memory_t *ret, size_t *ret_size)
{
	onednn_md md = dnnl_primitive_desc_query_md(pd, what, 0);

	if (!md)
		return dnnl_runtime_error;
	*ret_size = dnnl_memory_desc_get_size(md);
	*ret = NULL;
	if (dnnl_memory_desc_equal(md, memory_md(plain)))
		return dnnl_success;
	return dnnl_memory_create(ret, md, engine, DNNL_MEMORY_NONE);
}

dnnl_status_t onednn_reorder(dnnl_engine_t engine, dnnl_memory_t from, dnnl_memory_t to,
                             dnnl_primitive_t *ret)
{
	dnnl_primitive_desc_t pd;
	dnnl_status_t status;

	status = dnnl_reorder_primitive_desc_create(&pd, memory_md(from), engine, memory_md(to),
	                                            engine, NULL);
	if (status)
		return status;
	status = dnnl_primitive_create(ret, pd);
	dnnl_primitive_desc_destroy(pd);
	return status;
}
