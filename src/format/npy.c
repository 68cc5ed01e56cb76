#include "format/npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define MAGIC_SIZE 10         /* "\x93NUMPY", version, uint16 length */
#define ALIGNMENT 64
#define GROWTH_DIGITS 21      /* numpy's GROWTH_AXIS_MAX_DIGITS */
#define DIM_SIZE 22           /* a uint64 in decimal, and ", " */
#define DICT_SIZE (80 + NPY_DESCR_MAX + NPY_DIMS_MAX * DIM_SIZE)

static bool is_descr(const char *descr)
{
	size_t len = strlen(descr);

	for (size_t i = 0; i < len; i++) {
		if (descr[i] < ' ' || descr[i] > '~' || descr[i] == '\'' || descr[i] == '\\')
			return false;
	}
	return len > 0 && len <= NPY_DESCR_MAX;
}

/* Writes the dict into dict[DICT_SIZE]. Returns its length, with the room that
 * numpy leaves behind it, or 0 if there is no such header. */
static size_t format_dict(const char *descr, const uint64_t *shape, unsigned ndim, char *dict)
{
	size_t n, digits = 0;

	if (ndim > NPY_DIMS_MAX || !is_descr(descr))
		return 0;
	n = (size_t)sprintf(dict, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
	for (unsigned i = 0; i < ndim; i++) {
		n += (size_t)sprintf(dict + n, "%s%" PRIu64, i ? ", " : "", shape[i]);
		if (i == 0)
			digits = (size_t)snprintf(NULL, 0, "%" PRIu64, shape[0]);
	}
	n += (size_t)sprintf(dict + n, "%s), }", ndim == 1 ? "," : "");
	return ndim ? n + GROWTH_DIGITS - digits : n;
}

/* The header's bytes for a dict of so many and its newline. Like numpy, pads
 * by 64 what is aligned already. */
static size_t padded(size_t dict_len)
{
	return (MAGIC_SIZE + dict_len + 1) / ALIGNMENT * ALIGNMENT + ALIGNMENT;
}

int npy_header(const char *descr, const uint64_t *shape, unsigned ndim, struct buf *out)
{
	char dict[DICT_SIZE];
	size_t dict_len = format_dict(descr, shape, ndim, dict);
	size_t size = padded(dict_len);
	size_t body = size - MAGIC_SIZE;

	if (dict_len == 0)
		return -EINVAL;
	buf_add(out, "\x93NUMPY\x01\x00", 8);
	buf_putc(out, (char)(body & 0xff));
	buf_putc(out, (char)(body >> 8));
	buf_puts(out, dict);
	for (size_t i = MAGIC_SIZE + strlen(dict); i < size - 1; i++)
		buf_putc(out, ' ');
	buf_putc(out, '\n');
	return buf_error(out);
}

size_t npy_header_size(const char *descr, const uint64_t *shape, unsigned ndim)
{
	char dict[DICT_SIZE];
	size_t dict_len = format_dict(descr, shape, ndim, dict);

	return dict_len ? padded(dict_len) : 0;
}
