/* buf.h - a growing byte buffer that declares its cap.
 *
 * Failure is sticky: after an append that would pass the cap (or had no
 * memory) every further append does nothing and buf_error() tells why, so a
 * chain of appends is checked once, at its end. */
#ifndef S3SAMPLEFS_BASE_BUF_H
#define S3SAMPLEFS_BASE_BUF_H

#include <stddef.h>

struct buf {
	char *data;   /* always NUL-terminated once anything was appended */
	size_t len;   /* bytes, without the NUL */
	size_t alloc;
	size_t cap;   /* len never exceeds it */
	int err;      /* 0, -ENOMEM or -EMSGSIZE */
};

void buf_init(struct buf *b, size_t cap);
void buf_done(struct buf *b);

void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Empties it and clears the error; keeps the memory. */
void buf_reset(struct buf *b);

/* 0, or the first error. */
int buf_error(const struct buf *b);

/* Hands over the malloc'd, NUL-terminated string ("" if nothing was added)
 * and empties the buffer. NULL if there was an error or no memory. */
char *buf_take(struct buf *b);

#endif
