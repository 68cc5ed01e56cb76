/* meta_spans.h - what listings have shown not to be there.
 *
 * A page of a one-level listing tells of every directory between its first and
 * its last name that it isn't there, if the page doesn't have it: so that `ls`
 * followed by a stat of each file costs no LIST a file.
 *
 * Pure memory, under meta's lock. Only the latest spans are kept. */
#ifndef S3SAMPLEFS_STORE_META_SPANS_H
#define S3SAMPLEFS_STORE_META_SPANS_H

#include <stdbool.h>

#include "store/meta_table.h"
#include "store/store.h"

#define META_SPANS_MAX 256u

struct meta_span {
	char *prefix;             /* of the listing; NULL: free */
	char *from, *to;          /* first and last name shown; NULL: nothing comes before, after */
	struct meta_date date;
};

struct meta_spans {
	struct meta_span v[META_SPANS_MAX];
	unsigned next;            /* the one to go next */
};

void meta_spans_done(struct meta_spans *s);

/* Notes a page of a listing with a delimiter; one that isn't in bytewise order
 * tells nothing. Without memory nothing is noted. */
void meta_spans_add(struct meta_spans *s, const char *prefix, bool is_first, const struct store_page *page,
                    struct meta_date date);

/* True if the latest page that could have shown the directory did not:
 * *ret_date is that page's. dir ends in '/'. The caller knows of no entry for it. */
bool meta_spans_absent(const struct meta_spans *s, const char *dir, struct meta_date *ret_date);

/* Entries have been dropped from the table: what isn't in it may be there after all. */
void meta_spans_clear(struct meta_spans *s);

#endif
