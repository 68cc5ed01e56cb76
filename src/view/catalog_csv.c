#include "view/catalog_csv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/blob.h"
#include "base/buf.h"
#include "format/csv.h"
#include "view/catalog_rows.h"

/* A row names the key twice and may double every quote in it. */
#define ROW_MAX ((size_t)16 * OBJECT_KEY_MAX)

static const char head[] = "path,split,label,class,video,audio,etag,size\n";

/* In place of what was in b. 0 or -ENOMEM. */
static int write_row(const struct catalog_rows *r, size_t i, struct buf *b)
{
	char audio[OBJECT_KEY_MAX + 1];
	struct catalog_row row;

	catalog_rows_get(r, i, audio, &row);
	buf_reset(b);
	csv_add_field(b, row.key, strlen(row.key), ',');
	csv_add_field(b, row.split, row.split_len, ',');
	csv_add_field(b, row.label, row.label_len, ',');
	buf_printf(b, "%" PRId64 ",", row.class);
	csv_add_field(b, row.key, strlen(row.key), ',');
	csv_add_field(b, row.audio, strlen(row.audio), ',');
	csv_add_field(b, row.version, strlen(row.version), ',');
	buf_printf(b, "%" PRIu64 "\n", row.size);
	return buf_error(b) ? -ENOMEM : 0;
}

int catalog_csv_size(const struct catalog_rows *r, size_t *ret_size)
{
	size_t size = sizeof(head) - 1;
	struct buf row;
	int err = 0;

	buf_init(&row, ROW_MAX);
	for (size_t i = 0; i < catalog_rows_count(r) && !err; i++) {
		err = write_row(r, i, &row);
		size += row.len;
	}
	buf_done(&row);
	if (!err)
		*ret_size = size;
	return err;
}

int catalog_csv_index(const struct catalog_rows *r, size_t size, struct blob **ret_index)
{
	struct blob *index = blob_new(size);
	size_t at = sizeof(head) - 1;
	struct buf row;
	int err = 0;

	if (!index)
		return -ENOMEM;
	memcpy(blob_writable(index), head, at);
	buf_init(&row, ROW_MAX);
	for (size_t i = 0; i < catalog_rows_count(r) && !err; i++) {
		err = write_row(r, i, &row);
		if (!err && row.len > size - at)
			err = -ENOMEM;
		if (!err)
			memcpy(blob_writable(index) + at, row.data, row.len);
		at += row.len;
	}
	buf_done(&row);
	if (err)
		blob_unref(index);
	else
		*ret_index = index;
	return err;
}

struct blob *catalog_csv_classes(const struct catalog_rows *r)
{
	struct buf text;
	struct blob *classes = NULL;

	buf_init(&text, SIZE_MAX);
	for (size_t i = 0; i < catalog_rows_classes(r); i++)
		buf_printf(&text, "%s\n", catalog_rows_label(r, i));
	if (!buf_error(&text))
		classes = blob_copy(text.len ? text.data : "", text.len);
	buf_done(&text);
	return classes;
}
