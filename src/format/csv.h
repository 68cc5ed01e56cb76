/* csv.h - CSV text (RFC 4180: quotes, doubled quotes, CR LF or LF), read and written.
 * Pure: bytes in, calls out. */
#ifndef S3SAMPLEFS_FORMAT_CSV_H
#define S3SAMPLEFS_FORMAT_CSV_H

#include <stddef.h>

#define CSV_FIELDS_MAX 64

struct buf;

/* One row: n NUL-terminated fields, valid during the call. line: where it begins, from
 * 1. Anything but 0 stops the reading. */
typedef int csv_fn(void *arg, size_t line, char *const *field, size_t n);

/* Reads text[0..len). Empty lines are no rows. Returns 0, what fn returned, -ENOMEM, or
 * -EINVAL: *ret_line is then the line and *ret_why a constant sentence. */
int csv_read(const char *text, size_t len, csv_fn *fn, void *arg, size_t *ret_line,
             const char **ret_why);

/* Appends a field, quoted where it must be, and what stands after it: a comma, or the line
 * feed that ends the row. */
void csv_add_field(struct buf *out, const char *text, size_t len, char after);

#endif
