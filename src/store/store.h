/* store.h - a source of objects: a bucket, or a local folder seen as one.
 *
 * Three operations, all asynchronous: head, list in pages, ranged get pinned to
 * a version. The callback is called exactly once, from the store's own thread
 * or from the calling one before the function returns, with no lock held; it
 * must not block. `why` is a sentence for a person (no trailing newline),
 * valid during the call, NULL on success.
 *
 * Errors (negative errno) keep their causes apart:
 *   -ENOENT     no such key, bucket or folder
 *   -EACCES     refused, or credentials missing or expired
 *   -ESTALE     the object is no longer the version asked for
 *   -EIO        unreachable, 5xx, resets, short bodies, after all attempts
 *   -ETIMEDOUT  the deadline passed
 *   -ENOMEM     no memory here
 *   -EPROTO     the server answered something that isn't S3 (EIO to the user)
 *   -ECANCELED  the store is being freed
 *
 * Keys are relative to the source's prefix, in bytewise order. */
#ifndef S3SAMPLEFS_STORE_STORE_H
#define S3SAMPLEFS_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/object.h"

struct blob;
struct s3_options;
struct stats;
struct store;

#define STORE_WHY_MAX 256          /* bytes of a sentence, NUL included */
#define STORE_GET_MAX (16u << 20)  /* most bytes one get may ask for */

typedef void store_head_fn(void *arg, int err, const char *why, const struct object_meta *meta);

/* One entry of a page: an object, or (only with a delimiter) a common prefix,
 * whose name ends in '/' and whose meta is zero. */
struct store_entry {
	const char *name;           /* key or common prefix, whole (not just its last part) */
	bool is_prefix;
	struct object_meta meta;
};

struct store_page {
	const struct store_entry *entries;  /* bytewise order by name */
	size_t n;
	const char *next;                   /* token for the next page; NULL: this was the last */
	bool partial;                       /* what isn't here may be there: it couldn't be
	                                     * read, or the store doesn't sort */
};

/* The page and all it points to are valid during the call only. */
typedef void store_list_fn(void *arg, int err, const char *why, const struct store_page *page);

/* body has exactly the bytes asked for; the callee takes its own reference. */
typedef void store_get_fn(void *arg, int err, const char *why, struct blob *body);

struct store_list {
	const char *prefix;     /* "" for all */
	bool delimiter;         /* true: one level, by '/'; false: all keys below */
	const char *token;      /* NULL for the first page, else a page's next */
	unsigned max_keys;      /* 0: as many as the store gives a page */
};

enum store_prio { STORE_DEMAND, STORE_AHEAD };  /* somebody waits / read ahead */

struct store_ops {
	void (*head)(struct store *s, const char *key, store_head_fn *done, void *arg);
	void (*list)(struct store *s, const struct store_list *l, store_list_fn *done, void *arg);
	void (*get)(struct store *s, const char *key, const struct object_meta *version,
	            uint64_t off, size_t len, enum store_prio prio, store_get_fn *done, void *arg);
	/* Blocks: is the source there, may we list it? 1: yes, but nothing is in it.
	 * Fills why[STORE_WHY_MAX] unless 0. */
	int (*check)(struct store *s, char *why);
	/* Cancels, waits for the callbacks, frees. */
	void (*free)(struct store *s);
	/* Fails what is under way, and all that comes later, with -ECANCELED; does not wait. */
	void (*cancel)(struct store *s);
};

/* Embedded as the first member by every kind of store. */
struct store {
	const struct store_ops *ops;
	struct stats *stats;
};

static inline void store_head(struct store *s, const char *key, store_head_fn *done, void *arg)
{
	s->ops->head(s, key, done, arg);
}

/* Strings of l are copied. */
static inline void store_list(struct store *s, const struct store_list *l, store_list_fn *done,
                              void *arg)
{
	s->ops->list(s, l, done, arg);
}

/* 0 < len <= STORE_GET_MAX and off + len <= version->size. Strings of version
 * are copied. */
static inline void store_get(struct store *s, const char *key, const struct object_meta *version,
                             uint64_t off, size_t len, enum store_prio prio, store_get_fn *done, void *arg)
{
	s->ops->get(s, key, version, off, len, prio, done, arg);
}

static inline int store_check(struct store *s, char *why) { return s->ops->check(s, why); }

static inline void store_cancel(struct store *s) { s->ops->cancel(s); }

static inline void store_free(struct store *s)
{
	if (s)
		s->ops->free(s);
}

/* dir:PATH. version = inode, size, mtime. Opens the folder once and stays
 * inside it (no symbolic link is followed out of it, no ".."). Special files
 * are not objects; an empty directory is listed as the object `dir/` of no bytes.
 * Returns 0 or -errno with why[STORE_WHY_MAX] filled. */
int store_dir_open(const char *path, struct stats *stats, char *why, struct store **ret_store);

/* s3://BUCKET[/PREFIX]: o as s3/s3.h has it; stats counts instead of o's. Starts the HTTP
 * thread. Returns 0 or -errno with why[STORE_WHY_MAX] filled (bad endpoint, no credentials,
 * unreadable CA bundle, ...). */
int store_s3_open(const struct s3_options *o, struct stats *stats, char *why, struct store **ret_store);

#endif
