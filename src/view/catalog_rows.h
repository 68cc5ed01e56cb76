/* catalog_rows.h - a table of samples: what each is made of, and of which class it is. Where they
 * come from, a listing say, is the source's business; index.csv (catalog_csv.h) is one way to
 * show them. Immutable once made. A row takes 48 bytes, its version, and what its sound's key
 * doesn't have in common with its own, beside the key. */
#ifndef S3SAMPLEFS_VIEW_CATALOG_ROWS_H
#define S3SAMPLEFS_VIEW_CATALOG_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "store/object.h"

struct catalog_rows;

/* A row as a source tells it, and as it is told back. Texts are valid for the call. */
struct catalog_row {
	const char *key;             /* the video's, which also names the sample */
	const char *split, *label;   /* split_len, label_len bytes */
	size_t split_len, label_len;
	int64_t class;               /* told back: the label's number, in bytewise order of labels */
	const char *audio;           /* the key of the object that has the sound; may be key */
	const char *version;         /* the video's ETag */
	uint64_t size;               /* the video's, bytes */
	double start, end;           /* s: the part of the clip that it is; 0, 0: all of it */
};

/* Tells each row, in the table's order, the same ones each time it is asked. row: 0, or a
 * negative errno with which each then ends. */
typedef int catalog_each_fn(void *arg, const struct catalog_row *row);
struct catalog_source {
	int (*each)(void *of, catalog_each_fn *row, void *arg);
	void *of;
};

/* Asks twice: how much there is, then what. room is asked in between whether so many bytes may be
 * had; 0 or -errno. Returns 0 or -errno (-ENOMEM, each's, room's). */
int catalog_rows_new(const struct catalog_source *source, int (*room)(void *arg, size_t bytes), void *arg,
                     struct catalog_rows **ret_rows);
void catalog_rows_free(struct catalog_rows *r);  /* NULL allowed */

size_t catalog_rows_count(const struct catalog_rows *r);

/* Row i. audio[OBJECT_KEY_MAX + 1] is where its sound's key may be put together. */
void catalog_rows_get(const struct catalog_rows *r, size_t i, char *audio, struct catalog_row *ret_row);

/* Labels in bytewise order, so by number of class. */
size_t catalog_rows_classes(const struct catalog_rows *r);
const char *catalog_rows_label(const struct catalog_rows *r, size_t class);

/* The class number of a label, or -1. */
int64_t catalog_rows_class(const struct catalog_rows *r, const char *label, size_t len);

#endif
