/* view.h - virtual trees: what stands in one top-level directory, and the bytes
 * of its files. Knows objects and decoded values, nothing of FUSE.
 *
 * Asynchronous functions call back exactly once, from any thread or
 * before they return, with no lock held; callbacks must not block. `why` is a
 * sentence, valid during the call, NULL on success. Errors are negative errno
 * as in the table of the man page. wanted (base/wanted.h; NULL: always) is the
 * asker's, and stays until his callback has come; views_drop makes -ECANCELED
 * of questions that aren't wanted any more, where there is work to be saved. */
#ifndef S3SAMPLEFS_VIEW_VIEW_H
#define S3SAMPLEFS_VIEW_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "view/name.h"
#include "view/node.h"
#include "view/view_config.h"

struct blob;
struct blocks;
struct meta;
struct object;
struct samples;
struct stats;
struct wanted;
struct view;
struct views;

#define VIEW_FILE_NAME_MAX NAME_BYTES_MAX

/* What the views stand on; borrowed. */
struct view_env {
	struct meta *meta;
	struct blocks *blocks;
	struct samples *samples;
	struct stats *stats;
	size_t index_max;        /* bytes that all index.csv, and what they are made from, may take */
	uint64_t metadata_ttl_ms;
};

/* All views of a configuration; a samples view has its frames and mfcc specs
 * already. Returns 0 or -errno with why[VIEW_WHY_MAX]. cfg is copied. */
int views_new(const struct view_config *cfg, size_t n, const struct view_env *env, char *why,
              struct views **ret_views);

/* In two steps, around the end of the store: nothing more is asked of it; then what still goes on
 * in threads of the views' own is over. NULL allowed. */
void views_cancel(struct views *vs);
void views_stop(struct views *vs);
void views_free(struct views *vs);

size_t views_count(const struct views *vs);
struct view *views_at(struct views *vs, size_t i);
const char *view_name(const struct view *v);

/* NAME, or NAME@key=value,...: made on first use, and forgotten some time after nobody has it or
 * a node of it any more. With a reference. NULL when there is none, or the list is wrong: then
 * why[VIEW_WHY_MAX] tells ("" for a plain name). */
struct view *views_find(struct views *vs, const char *name, char *why);

void view_ref(struct view *v);
void view_unref(struct view *v);  /* NULL allowed */

/* The view's top directory. NULL when out of memory. */
struct node *view_root(struct view *v);

/* One name in a directory of a view. -ENOENT: ttl_ms tells how long that holds. */
void view_lookup(struct node *dir, const char *name, const struct wanted *wanted, view_node_fn *done, void *arg);

/* Reading a directory: entries come one by one, pages are fetched in between.
 * Not thread-safe; one load at a time. */
struct view_dir;
struct view_entry {
	char *name;              /* the caller's from now on, to be freed */
	struct node *node;       /* a reference of the caller's; size_known may be false */
};
struct view_dir *view_dir_open(struct node *dir);
void view_dir_close(struct view_dir *d);  /* no load under way; NULL allowed */

/* 1: an entry; 0: the end; -EAGAIN: view_dir_load first; -ENOMEM. Of what isn't there any more
 * the load says -ESTALE, never -ENOENT. */
int view_dir_next(struct view_dir *d, struct view_entry *ret_entry);
typedef void view_done_fn(void *arg, int err, const char *why);
void view_dir_load(struct view_dir *d, view_done_fn *done, void *arg);

/* An open file: remembers how it is read. Reads may overlap. NULL: out of memory. */
struct view_file;
struct view_file *view_open(struct node *n);
void view_close(struct view_file *f);

/* off < size, len > 0; cut at the size. iov: exactly the bytes, valid during the call. */
typedef void view_read_fn(void *arg, int err, const char *why, const struct iovec *iov, unsigned n_iov);
void view_read(struct view_file *f, uint64_t off, size_t len, const struct wanted *wanted, view_read_fn *done,
               void *arg);

/* The same where all of it is in memory: no callback, and nothing is allocated. False: view_read
 * tells; nothing was asked for. The bytes are valid until view_span_done, f open as long. */
#define VIEW_SPAN_PARTS 16u
struct view_span {
	struct iovec iov[VIEW_SPAN_PARTS + 1];
	unsigned n_iov;
	struct blob *held[VIEW_SPAN_PARTS];
	unsigned n_held;
};
bool view_read_now(struct view_file *f, uint64_t off, size_t len, struct view_span *ret);
void view_span_done(struct view_span *s);

/* Some questions aren't wanted any more: ends decoding that was for them alone. */
void views_drop(struct views *vs);

/* From now on decoded values get by with so many bytes less: somebody else needs them. */
void views_shrink(struct views *vs, size_t bytes);

#endif
