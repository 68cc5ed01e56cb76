#include "view/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "store/meta.h"
#include "store/object.h"
#include "view/view_priv.h"

struct node *node_new(struct view *v, bool is_dir, const char *path, struct object *obj, int member)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	ref_init(&n->refs);
	n->is_dir = is_dir;
	n->member = member;
	n->size_known = is_dir;
	n->version = "";
	if (!obj || strcmp(path, obj->key) != 0) {
		n->own_path = strdup(path);
		if (!n->own_path) {
			free(n);
			return NULL;
		}
	}
	n->path = n->own_path ? n->own_path : obj->key;
	view_ref(v);
	n->view = v;
	n->mtime_ns = OBJECT_MTIME_UNKNOWN;
	if (obj) {
		n->obj = object_ref(obj);
		n->mtime_ns = obj->meta.mtime_ns;
		if (!is_dir)
			n->version = obj->meta.etag;
	}
	return n;
}

struct node *node_ref(struct node *n)
{
	ref_take(&n->refs);
	return n;
}

void node_unref(struct node *n)
{
	if (!n || !ref_drop(&n->refs))
		return;
	blob_unref(n->content);
	object_unref(n->obj);
	free(n->why);
	free(n->own_path);
	free(n->own_version);
	view_unref(n->view);
	free(n);
}

static size_t text_bytes(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

size_t node_bytes(const struct node *n)
{
	return sizeof(*n) + (n->is_dir && !n->path[0] ? view_bytes(n->view) : 0) + text_bytes(n->own_path) + text_bytes(n->own_version) + text_bytes(n->why) +
	       (n->obj ? sizeof(*n->obj) + strlen(n->obj->key) + (n->content ? blob_len(n->content) : 0) : 0);
}

bool node_is_current(const struct node *n)
{
	return !n->obj || meta_current(n->view->env.meta, n->obj);
}

void node_outdated(const struct node *n)
{
	if (n->obj)
		meta_forget(n->view->env.meta, n->obj->key);
}

static void reply_no_memory(view_node_fn *done, void *arg)
{
	done(arg, -ENOMEM, "not enough memory", NULL, 0);
}

void node_reply_content(struct view *v, const char *path, struct object *obj, int member, struct blob *content,
                        const char *version, uint64_t ttl_ms, view_node_fn *done, void *arg)
{
	struct node *n = node_new(v, false, path, obj, member);

	if (n && strcmp(n->version, version) != 0) {
		n->own_version = strdup(version);
		n->version = n->own_version;
	}
	if (!n || !n->version) {
		node_unref(n);
		reply_no_memory(done, arg);
		return;
	}
	n->content = blob_ref(content);
	n->size_known = true;
	n->size = blob_len(content);
	n->ttl_ms = ttl_ms;
	done(arg, 0, NULL, n, ttl_ms);
	node_unref(n);
}

struct probe {
	struct node *node;
	view_node_fn *done;
	void *arg;
};

static void probe_done(void *arg, int err, const char *why, uint64_t size)
{
	struct probe *p = arg;
	struct node *n = p->node;

	if (err == -ECANCELED) {
		p->done(p->arg, err, why, NULL, 0);
		goto out;
	}
	n->size_known = true;
	n->size = size;
	if (err) {
		/* What is known of the object is out of date: the next look-up asks anew. */
		if (err == -ESTALE || err == -ENOENT)
			node_outdated(n);
		/* The file is there, only its bytes can't be had: it can be listed and
		 * asked for its attributes; open tells why. */
		n->size = 0;
		n->err = err;
		n->why = strdup(why ? why : "");
		n->ttl_ms = 0;
	}
	p->done(p->arg, 0, NULL, n, n->ttl_ms);
out:
	node_unref(n);
	free(p);
}

void node_reply_sized(struct view *v, struct object *obj, int member, bool listing, uint64_t ttl_ms,
                      const struct wanted *wanted, view_node_fn *done, void *arg)
{
	struct node *n = node_new(v, false, obj->key, obj, member);
	struct probe *p;

	if (!n) {
		reply_no_memory(done, arg);
		return;
	}
	n->ttl_ms = ttl_ms;
	n->size_known = v->ops->size(v, obj, &n->size);
	if (n->size_known || listing) {
		done(arg, 0, NULL, n, ttl_ms);
		node_unref(n);
		return;
	}
	p = calloc(1, sizeof(*p));
	if (!p) {
		node_unref(n);
		reply_no_memory(done, arg);
		return;
	}
	*p = (struct probe){ n, done, arg };
	v->ops->probe(v, obj, wanted, probe_done, p);
}
