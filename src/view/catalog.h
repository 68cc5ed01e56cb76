/* catalog.h - all samples of a `samples` view: index.csv, classes.txt, and the
 * number of each class.
 *
 * Made by listing everything once, on first use; good for metadata_ttl. Classes
 * are numbered in bytewise order of their labels. Asynchronous and single-flight
 * like everything in view.h. Views that differ only in what they show of a sample
 * (samples@num_frames=8) share one. They are listed one after the other: each may
 * need all the room there is. */
#ifndef S3SAMPLEFS_VIEW_CATALOG_H
#define S3SAMPLEFS_VIEW_CATALOG_H

#include <stddef.h>
#include <stdint.h>

#include "view/catalog_rows.h"
#include "view/catalog_spec.h"

struct blob;
struct catalog;
struct catalogs;
struct meta;
struct stats;
struct wanted;

/* One listing's outcome; immutable, valid during the callback. */
struct catalog_data {
	const struct catalog_rows *rows;
	struct blob *index_csv;       /* path,split,label,class,video,audio,etag,size */
	struct blob *classes_txt;     /* one label a line */
	uint64_t ttl_ms;              /* how much longer it holds */
};

struct catalogs_options {
	struct meta *meta;            /* borrowed */
	struct stats *stats;          /* borrowed */
	size_t max;                   /* bytes that all of them may take */
	uint64_t ttl_ms;              /* how long one holds; META_FOREVER */
};

/* Where room is short, an older one goes for one that is being made. NULL: no memory or no
 * thread. */
struct catalogs *catalogs_new(const struct catalogs_options *o);

/* From now on nothing is asked of the store, and who waits for that gets -ESHUTDOWN.
 * Before the store is cancelled; NULL allowed. */
void catalogs_cancel(struct catalogs *cs);

/* Ends the thread, once it has finished what it writes. After the store's last
 * callback; NULL allowed. */
void catalogs_stop(struct catalogs *cs);
void catalogs_free(struct catalogs *cs);  /* stopped, no catalogue left; NULL allowed */

/* The catalogue of such samples, with a reference; spec is copied. NULL: no memory. */
struct catalog *catalogs_find(struct catalogs *cs, const struct catalog_spec *spec);
void catalog_unref(struct catalog *c);    /* nobody asks it any more; NULL allowed */

/* A listing that nobody waits for any more ends with the page that is on its way. */
typedef void catalog_fn(void *arg, int err, const char *why, const struct catalog_data *data);
void catalog_get(struct catalog *c, const struct wanted *wanted, catalog_fn *done, void *arg);

/* Some that wait have been dropped (wanted_drop): answers them -ECANCELED. Any thread. */
void catalogs_drop(struct catalogs *cs);

/* What is known is out of date: the next catalog_get lists anew. */
void catalog_expire(struct catalog *c);

#endif
