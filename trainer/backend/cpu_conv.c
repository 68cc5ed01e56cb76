#include <errno.h>
#include <stdlib.h>

#include "backend/cpu_onednn.h"
#include "backend/cpu_priv.h"

/* One array of one direction: ours, and the same in the layout that oneDNN asked for. */
struct operand {
	int arg;                    /* DNNL_ARG_... */
	enum scratch scratch;
	dnnl_memory_t plain;
	dnnl_memory_t wanted;       /* NULL: plain is what it wants */
	size_t size;                /* bytes of wanted */
	dnnl_primitive_t reorder;   /* into wanted, or out of it for the result */
};

enum { OPERANDS = 3 };          /* two inputs and the result */

struct direction {
	dnnl_primitive_t primitive;
	struct operand operand[OPERANDS]; /* the result last */
};

struct conv {
	struct conv_shape shape;
	struct direction forward, data, filters;
};

/* ---- building ------------------------------------------------------------------------ */

static void direction_free(struct direction *d)
{
	for (int i = 0; i < OPERANDS; i++) {
		dnnl_primitive_destroy(d->operand[i].reorder);
		dnnl_memory_destroy(d->operand[i].wanted);
		dnnl_memory_destroy(d->operand[i].plain);
	}
	dnnl_primitive_destroy(d->primitive);
}

void cpu_conv_free(struct backend *b, struct conv *c)
{
	(void)b;
	if (!c)
		return;
	direction_free(&c->forward);
	direction_free(&c->data);
	direction_free(&c->filters);
	free(c);
}

static dnnl_query_t query_of(int arg)
{
	switch (arg) {
	case DNNL_ARG_SRC:
		return dnnl_query_src_md;
	case DNNL_ARG_WEIGHTS:
		return dnnl_query_weights_md;
	case DNNL_ARG_DST:
		return dnnl_query_dst_md;
	case DNNL_ARG_DIFF_SRC:
		return dnnl_query_diff_src_md;
	case DNNL_ARG_DIFF_WEIGHTS:
		return dnnl_query_diff_weights_md;
	default:
		return dnnl_query_diff_dst_md;
	}
}

static dnnl_status_t operand_init(struct operand *o, struct cpu *cpu, const struct conv_shape *s,
                                  const_dnnl_primitive_desc_t pd, int arg, bool result)
{
	const dnnl_dims_t x = { s->n, s->c, s->h, s->w };
	const dnnl_dims_t filters = { s->k, s->c, s->r, s->s };
	const dnnl_dims_t y = { s->n, s->k, conv_out_h(s), conv_out_w(s) };
	const dnnl_dim_t *dims;
	dnnl_status_t status;

	o->arg = arg;
	switch (arg) {
	case DNNL_ARG_SRC:
	case DNNL_ARG_DIFF_SRC:
		o->scratch = SCRATCH_IMAGES_IN;
		dims = x;
		break;
	case DNNL_ARG_DST:
	case DNNL_ARG_DIFF_DST:
		o->scratch = SCRATCH_IMAGES_OUT;
		dims = y;
		break;
	default:
		o->scratch = SCRATCH_FILTERS;
		dims = filters;
		break;
	}
	status = onednn_plain(cpu->engine, dims, &o->plain);
	if (!status)
		status = onednn_wanted(cpu->engine, pd, query_of(arg), o->plain, &o->wanted, &o->size);
	if (status || !o->wanted)
		return status;
	return result ? onednn_reorder(cpu->engine, o->wanted, o->plain, &o->reorder) :
	                onednn_reorder(cpu->engine, o->plain, o->wanted, &o->reorder);
}

static dnnl_status_t direction_init(struct direction *d, struct cpu *cpu,
                                    const struct conv_shape *s, const_dnnl_primitive_desc_t pd,
                                    const int args[OPERANDS])
{
	dnnl_status_t status = dnnl_primitive_create(&d->primitive, pd);

	for (int i = 0; i < OPERANDS && !status; i++)
		status = operand_init(&d->operand[i], cpu, s, pd, args[i], i == OPERANDS - 1);
	return status;
}

static dnnl_status_t conv_init(struct conv *c, struct cpu *cpu)
{
	static const int forward[] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST };
	static const int data[] = { DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC };
	static const int filters[] = { DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS };
	dnnl_primitive_desc_t pd = NULL, back = NULL;
	dnnl_status_t status;

	status = onednn_conv(cpu->engine, dnnl_forward_training, &c->shape, NULL, &pd);
	if (!status)
		status = direction_init(&c->forward, cpu, &c->shape, pd, forward);
	if (!status)
		status = onednn_conv(cpu->engine, dnnl_backward_data, &c->shape, pd, &back);
	if (!status) {
		status = direction_init(&c->data, cpu, &c->shape, back, data);
		dnnl_primitive_desc_destroy(back);
	}
	if (!status)
		status = onednn_conv(cpu->engine, dnnl_backward_weights, &c->shape, pd, &back);
	if (!status) {
		status = direction_init(&c->filters, cpu, &c->shape, back, filters);
		dnnl_primitive_desc_destroy(back);
	}
	dnnl_primitive_desc_destroy(pd);
	return status;
}

int cpu_conv_new(struct backend *b, const struct conv_shape *s, struct conv **ret)
{
	struct conv *c;
	int err;

	if (conv_out_h(s) < 1 || conv_out_w(s) < 1)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->shape = *s;
	err = cpu_error(conv_init(c, cpu_of(b)), "convolution");
	if (err) {
		cpu_conv_free(b, c);
		return err;
	}
	*ret = c;
	return 0;
}

/* ---- running ------------------------------------------------------------------------- */

static int scratch_get(struct cpu *cpu, enum scratch which, size_t size, void **ret)
{
	if (cpu->scratch_size[which] < size) {
		void *buffer;

		if (posix_memalign(&buffer, 64, size))
			return -ENOMEM;
		free(cpu->scratch[which]);
		cpu->scratch[which] = buffer;
		cpu->scratch_size[which] = size;
	}
	*ret = cpu->scratch[which];
	return 0;
}

static int reorder(struct cpu *cpu, const struct operand *o, bool result)
{
	const dnnl_exec_arg_t args[] = {
		{ DNNL_ARG_FROM, result ? o->wanted : o->plain },
		{ DNNL_ARG_TO, result ? o->plain : o->wanted },
	};

	return cpu_error(dnnl_primitive_execute(o->reorder, cpu->stream, 2, args), "reorder");
}

/* oneDNN's handles aren't const; inputs are only read. */
static int bind(struct cpu *cpu, const struct operand *o, const void *data)
{
	void *scratch;
	int err = cpu_error(dnnl_memory_set_data_handle(o->plain, (void *)(uintptr_t)data), "bind");

	if (err || !o->wanted)
		return err;
	err = scratch_get(cpu, o->scratch, o->size, &scratch);
	if (!err)
		err = cpu_error(dnnl_memory_set_data_handle(o->wanted, scratch), "bind");
	return err;
}

static int direction_run(struct backend *b, const struct direction *d, const void *first,
                         const void *second, void *result)
{
	struct cpu *cpu = cpu_of(b);
	const void *data[OPERANDS] = { first, second, result };
	dnnl_exec_arg_t args[OPERANDS];
	int err = 0;

	for (int i = 0; i < OPERANDS; i++) {
		const struct operand *o = &d->operand[i];

		err = bind(cpu, o, data[i]);
		if (!err && o->wanted && i < OPERANDS - 1)
			err = reorder(cpu, o, false);
		if (err)
			return err;
		args[i] = (dnnl_exec_arg_t){ o->arg, o->wanted ? o->wanted : o->plain };
	}
	err = cpu_error(dnnl_primitive_execute(d->primitive, cpu->stream, OPERANDS, args),
	                "convolution");
	if (!err && d->operand[OPERANDS - 1].wanted)
		err = reorder(cpu, &d->operand[OPERANDS - 1], true);
	if (!err)
		err = cpu_error(dnnl_stream_wait(cpu->stream), "wait");
	return err;
}

int cpu_conv_forward(struct backend *b, struct conv *c, const void *x, const float *filters,
                     void *y)
{
	return direction_run(b, &c->forward, x, filters, y);
}

int cpu_conv_backward_data(struct backend *b, struct conv *c, const void *dy,
                           const float *filters, void *dx)
{
	return direction_run(b, &c->data, dy, filters, dx);
}

int cpu_conv_backward_filters(struct backend *b, struct conv *c, const void *x, const void *dy,
                              float *dfilters)
{
	return direction_run(b, &c->filters, x, dy, dfilters);
}
