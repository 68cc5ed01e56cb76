/* npy_read.h - the header of a .npy file, read: versions 1.0 to 3.0.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 *
 * Pure and strict: what numpy wouldn't have written is refused. Writing headers is
 * npy.h's. */
#ifndef S3SAMPLEFS_FORMAT_NPY_READ_H
#define S3SAMPLEFS_FORMAT_NPY_READ_H

#include <stddef.h>
#include <stdint.h>

#define NPY_READ_DIMS_MAX 8
#define NPY_READ_DESCR_MAX 15 /* bytes */
#define NPY_READ_HEAD_MAX 4096 /* bytes a header may have; enough for any array of numbers */

struct npy_info {
	char descr[NPY_READ_DESCR_MAX + 1]; /* as dtype.str: "|u1" "<f4" */
	unsigned ndim;
	uint64_t shape[NPY_READ_DIMS_MAX];
	size_t offset;                      /* of the array in the file */
};

/* Reads the header at the start of head[0..len). Returns 0; -EAGAIN: more bytes are
 * needed, *ret_need of them in all; -EINVAL: not a header, or one of what isn't
 * supported (Fortran order, records, more than 8 dimensions). */
int npy_parse(const void *head, size_t len, struct npy_info *ret, size_t *ret_need);

#endif
