#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t cap)
{
	memset(b, 0, sizeof(*b));
	b->cap = cap < SIZE_MAX ? cap : SIZE_MAX - 1; /* room for the NUL */
}

void buf_done(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
	b->alloc = 0;
}

/* Makes room for extra bytes and a NUL behind them. */
static int grow(struct buf *b, size_t extra)
{
	size_t need, alloc;
	char *data;

	if (b->err)
		return b->err;
	if (extra > b->cap - b->len)
		return b->err = -EMSGSIZE;
	need = b->len + extra + 1;
	if (need <= b->alloc)
		return 0;
	alloc = b->alloc <= SIZE_MAX / 2 ? b->alloc * 2 : need;
	if (alloc < 64)
		alloc = 64;
	if (alloc > b->cap + 1)
		alloc = b->cap + 1;
	if (alloc < need)
		alloc = need;
	data = realloc(b->data, alloc);
	if (!data)
		return b->err = -ENOMEM;
	b->data = data;
	b->alloc = alloc;
	return 0;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (grow(b, len) < 0)
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		if (!b->err)
			b->err = -ENOMEM;
		return;
	}
	if (grow(b, (size_t)n) < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->err = 0;
	if (b->data)
		b->data[0] = '\0';
}

int buf_error(const struct buf *b)
{
	return b->err;
}

char *buf_take(struct buf *b)
{
	char *data;

	if (grow(b, 0) < 0)
		return NULL;
	data = b->data;
	data[b->len] = '\0';
	b->data = NULL;
	b->len = 0;
	b->alloc = 0;
	return data;
}
