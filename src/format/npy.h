/* npy.h - the header of a .npy file, version 1.0.
 *
 * Byte for byte what numpy.save writes (numpy 1.23 and later, which leave room
 * for the first dimension to grow): magic, version, length, a Python dict,
 * blanks so that the array begins at a multiple of 64 bytes.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef S3SAMPLEFS_FORMAT_NPY_H
#define S3SAMPLEFS_FORMAT_NPY_H

#include <stddef.h>
#include <stdint.h>

#define NPY_DIMS_MAX 32   /* numpy 1's own limit */
#define NPY_DESCR_MAX 63  /* bytes */

struct buf;

/* Appends the header of a C-order array. descr is as dtype.str ("|u1", "<f4",
 * "<i8"); shape has ndim dimensions, none is a scalar "()". Returns 0, -EINVAL
 * (too many dimensions; a descr that is empty, too long or has quotes,
 * backslashes or non-ASCII characters), or out's error. */
int npy_header(const char *descr, const uint64_t *shape, unsigned ndim, struct buf *out);

/* Bytes of that header, a multiple of 64; 0 where npy_header says -EINVAL. */
size_t npy_header_size(const char *descr, const uint64_t *shape, unsigned ndim);

#endif
