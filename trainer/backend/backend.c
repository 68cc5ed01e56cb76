#include "backend/backend.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* Like errno: whoever is told of a failure asks for its words at once. */
static _Thread_local struct {
	int err;
	char text[512];
} last;

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

int backend_failed(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(last.text, sizeof(last.text), fmt, ap) < 0)
		last.text[0] = '\0';
	va_end(ap);
	last.err = err;
	log_debug("%s", last.text);
	return err;
}

const char *backend_words(int err)
{
	return last.err == err && *last.text ? last.text : strerror(-err);
}
