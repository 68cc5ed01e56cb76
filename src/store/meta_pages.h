/* meta_pages.h - the names that listings have shown, and so those that there are not.
 *
 * A page tells everything about the stretch of names from its first to its last:
 * what it doesn't have in there isn't there. Pages that came one after the other
 * join: where one ends the next begins. So after a walk, or after everything was
 * listed at once, neither "is NAME/ a directory?" nor "what stands beside it?"
 * costs a LIST.
 *
 * Names alone, packed: which version an object has is meta_table's. Pure memory,
 * under meta's lock, bounded in bytes; the pages that go first are those that were
 * not asked for the longest. */
#ifndef S3SAMPLEFS_STORE_META_PAGES_H
#define S3SAMPLEFS_STORE_META_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/meta_table.h"
#include "store/store.h"

struct meta_page;
struct meta_group;

struct meta_pages {
	struct meta_group *groups;     /* by kind and prefix of the listing */
	struct meta_page *lru;         /* least recently used first */
	size_t bytes, max_bytes;       /* of pages and groups, their places in tables included */
};

void meta_pages_init(struct meta_pages *p, size_t max_bytes);
void meta_pages_done(struct meta_pages *p);

/* Notes a page of a listing. A page that isn't in bytewise order, that is partial or
 * doesn't fit tells nothing; without memory nothing is noted. Pages from before
 * oldest_ms (clock_ms) may go. */
void meta_pages_add(struct meta_pages *p, const struct store_list *l, const struct store_page *page,
                    struct meta_date date, uint64_t oldest_ms);

/* True if a page not from before oldest_ms tells whether there is a directory dir
 * (which ends in '/'): the latest of them, asked for at *ret_date. That there is none
 * a listing of everything tells only of names that are made of a shown one: of
 * clip.mp4 and clip.mp4.npy, where there is clip.mp4. Others are as new as any name
 * that nobody has asked for; they may have come since. */
bool meta_pages_dir(struct meta_pages *p, const char *dir, uint64_t oldest_ms, bool *ret_exists,
                    struct meta_date *ret_date);

/* The names that are prefix and an ending without '.' and '/', in bytewise order, each
 * with its NUL, after the last an empty one; malloc'd. *ret_date is that of the oldest
 * page that had to be asked. -EAGAIN: the pages don't tell; -ENOMEM. */
int meta_pages_siblings(struct meta_pages *p, const char *prefix, uint64_t oldest_ms,
                        char **ret_names, struct meta_date *ret_date);

#endif
