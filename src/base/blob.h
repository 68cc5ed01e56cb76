/* blob.h - immutable bytes shared by reference count.
 *
 * Who writes a blob does so before it is shared; afterwards nobody does. */
#ifndef S3SAMPLEFS_BASE_BLOB_H
#define S3SAMPLEFS_BASE_BLOB_H

#include <stddef.h>
#include <stdint.h>

struct blob;

/* A blob of len writable bytes, contents undefined, one reference held by the
 * caller. NULL when out of memory. */
struct blob *blob_new(size_t len);

/* The same with a copy of data[0..len). */
struct blob *blob_copy(const void *data, size_t len);

struct blob *blob_ref(struct blob *b);

/* Drops one reference; NULL is allowed. Any thread. */
void blob_unref(struct blob *b);

size_t blob_len(const struct blob *b);
const uint8_t *blob_data(const struct blob *b);

/* For the sole owner who fills it, before it is shared. */
uint8_t *blob_writable(struct blob *b);

/* Shortens to len <= the present length; only before sharing. */
void blob_truncate(struct blob *b, size_t len);

#endif
