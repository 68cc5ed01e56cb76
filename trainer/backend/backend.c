#include "backend/backend.h"

int conv_out(int size, int filter, int stride, int pad)
{
	int room = size + 2 * pad - filter;

	return room < 0 ? 0 : room / stride + 1;
}

int conv_out_h(const struct conv_shape *s)
{
	return conv_out(s->h, s->r, s->stride_h, s->pad_h);
}

int conv_out_w(const struct conv_shape *s)
{
	return conv_out(s->w, s->s, s->stride_w, s->pad_w);
}

size_t backend_activation_size(const struct backend *b)
{
	return b->activations == PRECISION_FLOAT32 ? sizeof(float) : sizeof(uint16_t);
}

void backend_free(struct backend *b)
{
	if (b)
		b->ops->free(b);
}
