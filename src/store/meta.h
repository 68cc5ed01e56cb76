/* meta.h - the one cache of object metadata under all views.
 *
 * Answers "is there an object KEY?" and "is there a directory PREFIX?" from
 * memory while the answer is younger than the ttl, joins look-ups under way,
 * and learns from every listing that passes through it. Both answers, and
 * their absence, are cached; failures are not. Bounded, LRU. */
#ifndef S3SAMPLEFS_STORE_META_H
#define S3SAMPLEFS_STORE_META_H

#include "store/store.h"

struct meta;

#define META_FOREVER UINT64_MAX

struct meta *meta_new(struct store *store, uint64_t ttl_ms, size_t max_bytes,
                      struct stats *stats);
void meta_free(struct meta *m);  /* no look-up may be under way */

/* obj is NULL on error; the callee takes its own reference. ttl_ms is how much
 * longer the answer holds (also for -ENOENT). Objects of an unchanged version
 * keep their identity: the same struct object comes back. */
typedef void meta_object_fn(void *arg, int err, const char *why, struct object *obj,
                            uint64_t ttl_ms);
void meta_object(struct meta *m, const char *key, meta_object_fn *done, void *arg);

/* err 0: something lies below prefix (which ends in '/', or is "" for the
 * source itself); -ENOENT: nothing does. */
typedef void meta_dir_fn(void *arg, int err, const char *why, uint64_t ttl_ms);
void meta_dir(struct meta *m, const char *prefix, meta_dir_fn *done, void *arg);

/* One page, as store_list, never answered from memory; what it shows is
 * remembered. objects[i] is entry i's object (NULL for prefixes), valid during
 * the call. */
typedef void meta_list_fn(void *arg, int err, const char *why, const struct store_page *page,
                          struct object *const *objects);
void meta_list(struct meta *m, const struct store_list *l, meta_list_fn *done, void *arg);

/* What listings that still hold have shown of the objects beside one another: the keys
 * that are prefix and an ending without '.' and '/', in bytewise order, each with its
 * NUL, after the last an empty one; malloc'd. Asks nobody: -EAGAIN if memory doesn't
 * tell; -ENOMEM. Which versions they have, and whether they are still there,
 * meta_object tells. */
int meta_siblings(struct meta *m, const char *prefix, char **ret_names, uint64_t *ret_ttl_ms);

/* Forgets what is known of key: the store said it changed. */
void meta_forget(struct meta *m, const char *key);

/* True while obj is not known to have been replaced. */
bool meta_current(struct meta *m, const struct object *obj);

#endif
