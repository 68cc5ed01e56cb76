/* list_guard.h - what a listing of many pages is watched for while it is read: that it
 * ends, and that no name comes twice.
 *
 * A store may send pages without a key (S3 does over what was deleted), but not a thousand
 * in a row, and no token twice: it would be asked for ever. Pure memory; embedded by
 * whoever reads the pages, zeroed before the first, ended by list_guard_done. */
#ifndef S3SAMPLEFS_STORE_LIST_GUARD_H
#define S3SAMPLEFS_STORE_LIST_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

#define LIST_GUARD_KEYLESS_MAX 1000u /* pages in a row */

struct list_guard {
	unsigned keyless;    /* pages without a key so far, in a row */
	uint64_t pages;
	uint64_t mark;       /* hash of the token of a page that came before, see list_guard.c */
	uint64_t mark_until; /* page at which a younger one becomes the mark */
	char *highest;       /* the last name of all pages before, bytewise; NULL: none */
	bool remembers;      /* set by the caller: names of pages that aren't in order are known, too */
	uint64_t *names;     /* hashes of all names before, if so; open addressing, 0: free */
	size_t n_names, room;
};

void list_guard_done(struct list_guard *g);

/* A page has come. Returns 0, or -EPROTO with a sentence (static text) where the listing
 * goes on without end. Changes nothing: the same page may come again after a failure. */
int list_guard_check(const struct list_guard *g, const struct store_page *page, const char **ret_why);

/* Whether an entry of that page, each of whose names stands in it once, has come before:
 * at the seam of two pages or, where the guard remembers, in a page that this one should
 * have come before. Costs a comparison where the store sorts. */
bool list_guard_repeats(const struct list_guard *g, const char *name);

/* The page was taken in. Returns 0 or -ENOMEM. */
int list_guard_pass(struct list_guard *g, const struct store_page *page);

#endif
