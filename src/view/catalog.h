/* catalog.h - all samples of a `samples` view: index.csv, classes.txt, and the
 * number of each class.
 *
 * Made by listing everything once, on first use; good for metadata_ttl. Classes
 * are numbered in bytewise order of their labels. Asynchronous and single-flight
 * like everything in view.h. */
#ifndef S3SAMPLEFS_VIEW_CATALOG_H
#define S3SAMPLEFS_VIEW_CATALOG_H

#include <stddef.h>
#include <stdint.h>

struct blob;
struct catalog;
struct view;

/* One listing's outcome; immutable, valid during the callback. */
struct catalog_data {
	struct blob *index_csv;       /* path,split,label,class,video,audio,etag,size */
	struct blob *classes_txt;     /* one label a line */
	const char *const *labels;    /* bytewise order */
	size_t n_labels;
	uint64_t ttl_ms;              /* how much longer it holds */
};

struct catalog *catalog_new(struct view *v);
void catalog_free(struct catalog *c);  /* nothing under way; NULL allowed */

typedef void catalog_fn(void *arg, int err, const char *why, const struct catalog_data *data);
void catalog_get(struct catalog *c, catalog_fn *done, void *arg);

/* What is known is out of date: the next catalog_get lists anew. */
void catalog_expire(struct catalog *c);

/* The class number of a label, or -1. */
int64_t catalog_class(const struct catalog_data *d, const char *label, size_t len);

#endif
