/* node.h - one version of one path in a view: immutable, shared by reference count. */
#ifndef S3SAMPLEFS_VIEW_NODE_H
#define S3SAMPLEFS_VIEW_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ref.h"

struct blob;
struct object;
struct view;
struct wanted;

#define VIEW_VERSION_MAX 192

struct node {
	struct ref refs;
	struct view *view;       /* with a reference */
	bool is_dir;
	int member;              /* which of an object's files; the view type's own numbers */
	const char *path;        /* directories: prefix, "" or ending in '/'; else the object's key */
	struct object *obj;      /* whose bytes give the content; NULL: none does */
	struct blob *content;    /* files that are complete in memory */
	bool size_known;         /* false: only a look-up tells (it takes a probe) */
	uint64_t size;           /* bytes; 0 when err */
	int err;                 /* the probe failed: open answers this */
	char *why;               /* NULL, or the sentence for err */
	int64_t mtime_ns;        /* OBJECT_MTIME_UNKNOWN: shown as the mount's own */
	uint64_t ttl_ms;         /* how long the look-up holds, from when it was made */
	const char *version;     /* ETag and whatever else the content depends on; "" for directories */
	char *own_path, *own_version;  /* those that aren't the object's own; else NULL */
};

struct node *node_ref(struct node *n);
void node_unref(struct node *n);  /* NULL allowed */

/* Memory that goes with it, bytes: with a view's top directory a view that was made by its name's
 * parameters; its object counted as if nobody else had it. The content of
 * index.csv and classes.txt isn't counted: the kernel is told to forget them at once. */
size_t node_bytes(const struct node *n);

/* False once it is known that the node's object has been replaced. */
bool node_is_current(const struct node *n);

/* The store said that the object is another one now: the next look-up asks anew. */
void node_outdated(const struct node *n);

/* ---- for the views: making them ------------------------------------------------- */

/* As in view.h: -ENOENT: ttl_ms tells how long that holds. */
typedef void view_node_fn(void *arg, int err, const char *why, struct node *n, uint64_t ttl_ms);

/* A node with one reference; obj and content are referenced. path is copied.
 * Version is the object's ETag. NULL when out of memory. */
struct node *node_new(struct view *v, bool is_dir, const char *path, struct object *obj, int member);

/* Calls back with a file whose content is complete in memory (a reference to content is taken). */
void node_reply_content(struct view *v, const char *path, struct object *obj, int member, struct blob *content,
                        const char *version, uint64_t ttl_ms, view_node_fn *done, void *arg);

/* The node of an object's file in v, sized by arithmetic or, unless listing, by
 * a probe. Takes no reference to obj beyond the call. A failed probe gives a node with err. */
void node_reply_sized(struct view *v, struct object *obj, int member, bool listing, uint64_t ttl_ms,
                      const struct wanted *wanted, view_node_fn *done, void *arg);

#endif
