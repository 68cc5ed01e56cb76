#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "checkpoint/safetensors_priv.h"
#include "util/file.h"
#include "util/why.h"

/* ---- the header ---------------------------------------------------------------------- */

static json_t *describe(const struct tensor *t, size_t begin)
{
	json_t *shape = json_array();

	for (int i = 0; i < t->ndim && shape; i++) {
		if (json_array_append_new(shape, json_integer(t->shape[i])) < 0) {
			json_decref(shape);
			return NULL;
		}
	}
	/* "o" takes the reference, also when it fails. */
	return json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensor_type_name(t->type), "shape", shape,
	                 "data_offsets", (json_int_t)begin, (json_int_t)(begin + tensor_bytes(t)));
}

static json_t *describe_meta(const struct tensor_meta *meta, size_t n)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	json_t *object = json_object();
	int err;

	_Static_assert(sizeof(zeros) == SHA256_HEX_SIZE, "as many digits as the checksum has");
	err = json_object_set_new(object, CHECKSUM_KEY, json_string(zeros));
	for (size_t i = 0; i < n && !err; i++)
		err = json_object_set_new(object, meta[i].key, json_string(meta[i].value));
	if (err) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* Keeps the order in which things are added, so that the same state is the same file. */
static char *format_header(const struct tensor *tensors, size_t n, const struct tensor_meta *meta,
                           size_t n_meta)
{
	json_t *root = json_object();
	size_t begin = 0;
	char *text = NULL;
	int err = json_object_set_new(root, META_KEY, describe_meta(meta, n_meta));

	for (size_t i = 0; i < n && !err; i++) {
		err = json_object_set_new(root, tensors[i].name, describe(&tensors[i], begin));
		begin += tensor_bytes(&tensors[i]);
	}
	if (!err)
		text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

/* Length and header, padded with blanks so that the data are aligned. malloc'd. */
static char *format_head(const char *text, size_t *ret_len)
{
	size_t len = strlen(text), padded = (len + 7) / 8 * 8;
	char *head = malloc(LENGTH_SIZE + padded);

	if (!head)
		return NULL;
	for (int i = 0; i < LENGTH_SIZE; i++)
		head[i] = (char)(padded >> 8 * i);
	memcpy(head + LENGTH_SIZE, text, len);
	memset(head + LENGTH_SIZE + len, ' ', padded - len);
	*ret_len = LENGTH_SIZE + padded;
	return head;
}

/* ---- the file ------------------------------------------------------------------------ */

/* parts[0] is the head, which gets its checksum. */
static int put_checksum(char *head, size_t len, const struct file_part *parts, size_t n)
{
	char *digits = memmem(head, len, CHECKSUM_FIELD, strlen(CHECKSUM_FIELD));
	char hex[SHA256_HEX_SIZE];
	int err = sha256_parts(parts, n, hex);

	assert(digits);
	if (!err)
		memcpy(digits + strlen(CHECKSUM_FIELD), hex, CHECKSUM_DIGITS);
	return err;
}

int safetensors_write(const char *path, const struct tensor *tensors, size_t n,
                      const struct tensor_meta *meta, size_t n_meta, struct why *why)
{
	char *text = format_header(tensors, n, meta, n_meta), *head = NULL;
	struct file_part *parts = calloc(n + 1, sizeof(*parts));
	size_t len = 0;
	int err = -ENOMEM;

	if (text && parts)
		head = format_head(text, &len);
	if (head) {
		parts[0] = (struct file_part){ head, len };
		for (size_t i = 0; i < n; i++)
			parts[i + 1] = (struct file_part){ tensors[i].data, tensor_bytes(&tensors[i]) };
		err = put_checksum(head, len, parts, n + 1);
	}
	if (err)
		why_no_memory(why);
	else
		err = file_replace(path, parts, n + 1, why);
	free(parts);
	free(head);
	free(text);
	return err;
}
