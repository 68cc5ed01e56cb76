#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "checkpoint/safetensors_priv.h"
#include "util/file.h"
#include "util/why.h"

#define FILE_MAX ((size_t)64 << 30) /* bytes */

struct safetensors {
	struct buf file;
	json_t *header;
	const char *data;       /* in file */
	size_t data_len;
};

void safetensors_free(struct safetensors *s)
{
	if (!s)
		return;
	json_decref(s->header);
	buf_done(&s->file);
	free(s);
}

/* ---- checking ------------------------------------------------------------------------ */

static bool take_size(json_t *value, uint64_t max, uint64_t *ret)
{
	json_int_t i = json_integer_value(value);

	if (!json_is_integer(value) || i < 0 || (uint64_t)i > max)
		return false;
	*ret = (uint64_t)i;
	return true;
}

/* One array's entry: its place is inside the data, and as long as its shape says. */
static bool take_tensor(const struct safetensors *s, json_t *entry, struct tensor *ret)
{
	const char *type = json_string_value(json_object_get(entry, "dtype"));
	json_t *shape = json_object_get(entry, "shape");
	json_t *offsets = json_object_get(entry, "data_offsets");
	uint64_t begin, end, dim, values = 1;
	struct tensor t = { .ndim = (int)json_array_size(shape) };

	if (!type || !tensor_type_parse(type, &t.type) || !json_is_array(shape) ||
	    json_array_size(shape) > TENSOR_DIMS_MAX || json_array_size(offsets) != 2 ||
	    !take_size(json_array_get(offsets, 0), s->data_len, &begin) ||
	    !take_size(json_array_get(offsets, 1), s->data_len, &end) || begin > end)
		return false;
	for (int i = 0; i < t.ndim; i++) {
		if (!take_size(json_array_get(shape, (size_t)i), INT64_MAX, &dim) ||
		    (dim && values > FILE_MAX / dim))
			return false;
		t.shape[i] = (int64_t)dim;
		values *= dim;
	}
	t.data = s->data + begin;
	if (tensor_bytes(&t) != end - begin)
		return false;
	*ret = t;
	return true;
}

static bool entries_ok(const struct safetensors *s)
{
	const char *key;
	json_t *entry;

	json_object_foreach(s->header, key, entry) {
		const char *type = json_string_value(json_object_get(entry, "dtype"));
		enum tensor_type known;
		struct tensor t;

		/* Types that we don't use may be there; they are never asked for. */
		if (strcmp(key, META_KEY) == 0)
			continue;
		if (!type || (tensor_type_parse(type, &known) && !take_tensor(s, entry, &t)))
			return false;
	}
	return true;
}

/* True where there is no checksum. Overwrites its digits. */
static bool checksum_ok(struct safetensors *s, int *ret_err)
{
	const char *claimed = safetensors_meta(s, CHECKSUM_KEY);
	size_t head = (size_t)(s->data - s->file.data), len = strlen(CHECKSUM_FIELD);
	struct file_part whole = { s->file.data, s->file.len };
	char *digits, hex[SHA256_HEX_SIZE];

	if (!claimed)
		return true;
	digits = memmem(s->file.data + LENGTH_SIZE, head - LENGTH_SIZE, CHECKSUM_FIELD, len);
	if (!digits || strlen(claimed) != CHECKSUM_DIGITS ||
	    (size_t)(s->data - digits) < len + CHECKSUM_DIGITS)
		return false;
	memset(digits + len, '0', CHECKSUM_DIGITS);
	*ret_err = sha256_parts(&whole, 1, hex);
	return !*ret_err && strcmp(hex, claimed) == 0;
}

static int parse(struct safetensors *s, const char *path, struct why *why)
{
	const unsigned char *b = (const unsigned char *)s->file.data;
	uint64_t len = 0;
	json_error_t fault;
	int err = 0;

	for (int i = LENGTH_SIZE - 1; i >= 0 && s->file.len >= LENGTH_SIZE; i--)
		len = len << 8 | b[i];
	if (s->file.len < LENGTH_SIZE || len < 2 || len > HEADER_MAX || b[LENGTH_SIZE] != '{')
		return why_set(why, -EBADMSG, "%s: is no safetensors file", path);
	if (len > s->file.len - LENGTH_SIZE)
		return why_set(why, -EBADMSG, "%s: is corrupt: it ends inside its header", path);
	s->data = s->file.data + LENGTH_SIZE + len;
	s->data_len = s->file.len - LENGTH_SIZE - len;
	s->header = json_loadb(s->file.data + LENGTH_SIZE, len, JSON_REJECT_DUPLICATES, &fault);
	if (!json_is_object(s->header))
		return why_set(why, -EBADMSG, "%s: is corrupt: its header can't be read (%s)", path,
		               s->header ? "no object" : fault.text);
	if (!entries_ok(s))
		return why_set(why, -EBADMSG, "%s: is corrupt: an array lies outside of the file", path);
	if (!checksum_ok(s, &err))
		return err ? why_no_memory(why) :
		             why_set(why, -EBADMSG, "%s: is corrupt: its checksum is wrong", path);
	return 0;
}

int safetensors_read(const char *path, struct safetensors **ret, struct why *why)
{
	struct safetensors *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return why_no_memory(why);
	buf_init(&s->file, FILE_MAX);
	err = file_read(path, &s->file);
	if (err == -EMSGSIZE)
		why_set(why, err, "%s: is larger than any checkpoint", path);
	else if (err)
		why_set(why, err, "%s: %s", path, strerror(-err));
	else
		err = parse(s, path, why);
	if (err) {
		safetensors_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

/* ---- asking -------------------------------------------------------------------------- */

const char *safetensors_meta(const struct safetensors *s, const char *key)
{
	return json_string_value(json_object_get(json_object_get(s->header, META_KEY), key));
}

int safetensors_tensor(const struct safetensors *s, const char *name, struct tensor *ret)
{
	json_t *entry = json_object_get(s->header, name);
	struct tensor t;

	if (!entry || !take_tensor(s, entry, &t))
		return -ENOENT;
	/* The key as the header has it lives as long as the header. */
	t.name = json_object_iter_key(json_object_iter_at(s->header, name));
	*ret = t;
	return 0;
}
