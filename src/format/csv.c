#include "format/csv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct reader {
	const char *at, *end;
	size_t line;
	const char *why;
};

/* Copies one field to *to, terminates it, moves *to behind it. Returns false on a fault. */
static bool read_field(struct reader *r, char **to)
{
	char *out = *to;

	if (r->at < r->end && *r->at == '"') {
		for (r->at++;; r->at++) {
			if (r->at == r->end) {
				r->why = "a quote is never closed";
				return false;
			}
			if (*r->at == '"' && (++r->at == r->end || *r->at != '"'))
				break;
			r->line += *r->at == '\n';
			*out++ = *r->at;
		}
		if (r->at < r->end && *r->at != ',' && *r->at != '\n' && *r->at != '\r') {
			r->why = "text behind a closing quote";
			return false;
		}
	} else {
		while (r->at < r->end && *r->at != ',' && *r->at != '\n' && *r->at != '\r') {
			if (*r->at == '"') {
				r->why = "a quote inside a field";
				return false;
			}
			*out++ = *r->at++;
		}
	}
	*out++ = '\0';
	*to = out;
	return true;
}

/* Returns the number of fields, 0 on a fault. */
static size_t read_row(struct reader *r, char *text, char **field)
{
	size_t n = 0;

	for (;;) {
		if (n == CSV_FIELDS_MAX) {
			r->why = "more than 64 fields";
			return 0;
		}
		field[n++] = text;
		if (!read_field(r, &text))
			return 0;
		if (r->at == r->end || *r->at != ',')
			break;
		r->at++;
	}
	if (r->at < r->end && *r->at == '\r')
		r->at++;
	if (r->at < r->end && *r->at++ != '\n') {
		r->why = "a carriage return without a line feed";
		return 0;
	}
	return n;
}

int csv_read(const char *text, size_t len, csv_fn *fn, void *arg, size_t *ret_line,
             const char **ret_why)
{
	struct reader r = { .at = text, .end = text + len, .line = 1 };
	char *fields = malloc(len + CSV_FIELDS_MAX); /* no row is longer, a NUL for each field */
	char *field[CSV_FIELDS_MAX];
	int err = 0;

	if (!fields)
		return -ENOMEM;
	if (memchr(text, '\0', len)) {
		*ret_line = 1;
		*ret_why = "NUL bytes: not a text";
		err = -EINVAL;
	}
	while (!err && r.at < r.end) {
		size_t line = r.line, n = read_row(&r, fields, field);

		if (n == 0) {
			*ret_line = line;
			*ret_why = r.why;
			err = -EINVAL;
		} else if (n > 1 || *field[0]) {
			err = fn(arg, line, field, n);
		}
		r.line++;
	}
	free(fields);
	return err;
}

void csv_add_field(struct buf *out, const char *text, size_t len, char after)
{
	bool quote = memchr(text, ',', len) || memchr(text, '"', len) || memchr(text, '\r', len) ||
	             memchr(text, '\n', len);

	if (quote)
		buf_putc(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			buf_putc(out, '"');
		buf_putc(out, text[i]);
	}
	if (quote)
		buf_putc(out, '"');
	buf_putc(out, after);
}
