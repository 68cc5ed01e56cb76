/* safetensors.h - named arrays and words in one file.
 * https://huggingface.co/docs/safetensors: 8 bytes of length, a JSON header, the data.
 *
 * Files that we write have a checksum in their metadata: SHA-256 of the whole file with the
 * checksum's own digits as zeros. A file without one is read as well. */
#ifndef S3SAMPLE_CHECKPOINT_SAFETENSORS_H
#define S3SAMPLE_CHECKPOINT_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

struct why;

#define TENSOR_DIMS_MAX 4

enum tensor_type { TENSOR_F32, TENSOR_I64 };

struct tensor {
	const char *name;
	enum tensor_type type;
	int ndim;
	int64_t shape[TENSOR_DIMS_MAX];
	const void *data;       /* in C order, little-endian */
};

size_t tensor_bytes(const struct tensor *t);

struct tensor_meta {
	const char *key, *value;    /* UTF-8 */
};

/* Replaces the file at path (file_replace). Returns 0, -errno with why. */
int safetensors_write(const char *path, const struct tensor *tensors, size_t n,
                      const struct tensor_meta *meta, size_t n_meta, struct why *why);

/* A file, read as a whole. */
struct safetensors;

/* Returns 0, or -errno with why: -EBADMSG for what is no safetensors file, or one that is
 * not what was written. */
int safetensors_read(const char *path, struct safetensors **ret, struct why *why);
void safetensors_free(struct safetensors *s);

/* Valid as long as s. NULL: there is none. */
const char *safetensors_meta(const struct safetensors *s, const char *key);

/* The array of that name; strings and data are valid as long as s. Returns 0 or -ENOENT. */
int safetensors_tensor(const struct safetensors *s, const char *name, struct tensor *ret);

#endif
