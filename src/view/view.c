#include "view/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/text.h"
#include "media/samples.h"
#include "store/meta.h"
#include "view/catalog.h"
#include "view/name.h"
#include "view/view_priv.h"

#define DYNAMIC_MAX 4096u   /* views made by NAME@key=value that are kept */

struct views {
	struct view_env env;
	struct view_config *configs;   /* [n], as configured */
	struct view **list;            /* [n] */
	size_t n;
	struct catalogs *catalogs;

	pthread_mutex_t lock;
	struct view *dynamic;      /* lock; only grows */
	unsigned n_dynamic;        /* lock */
};

static const struct view_ops *const ops_of_type[] = {
	[VIEW_RAW] = &view_raw_ops,
	[VIEW_FRAMES] = &view_frames_ops,
	[VIEW_MFCC] = &view_mfcc_ops,
	[VIEW_INFO] = &view_info_ops,
	[VIEW_SAMPLES] = &view_samples_ops,
};

/* ----------------------------------------------------------------- nodes */

struct node *node_new(struct view *v, bool is_dir, const char *path, struct object *obj, int member)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	ref_init(&n->refs);
	n->view = v;
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
	free(n);
}

static size_t text_bytes(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

size_t node_bytes(const struct node *n)
{
	return sizeof(*n) + text_bytes(n->own_path) + text_bytes(n->own_version) + text_bytes(n->why) +
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

/* ----------------------------------------------------------------- views */

static void view_free(struct view *v)
{
	if (!v)
		return;
	view_free(v->frames);
	view_free(v->mfcc);
	view_config_done(&v->cfg);
	free(v->dynamic_name);
	free(v);
}

static const struct view_config *find_config(const struct views *vs, enum view_type type, const char *name)
{
	for (size_t i = 0; i < vs->n; i++)
		if (vs->configs[i].type == type && strcmp(vs->configs[i].name, name) == 0)
			return &vs->configs[i];
	return NULL;
}

static int view_new(const struct views *vs, const struct view_config *cfg, struct view **ret_view);

/* The view that a samples view shows a part of: the section it names, or the
 * defaults, with these specs. */
static int part_new(const struct views *vs, enum view_type type, const char *section, const struct view_config *cfg,
                    struct view **ret_view)
{
	const struct view_config *found = find_config(vs, type, section);
	struct view_config part;
	int err = found ? view_config_copy(&part, found) : view_config_init(&part, type, section);

	if (err < 0)
		return err;
	part.frames = cfg->frames;
	part.mfcc = cfg->mfcc;
	err = view_new(vs, &part, ret_view);
	if (err == 0)
		(*ret_view)->cfg.missing = cfg->missing;
	view_config_done(&part);
	return err;
}

static int view_new(const struct views *vs, const struct view_config *cfg, struct view **ret_view)
{
	struct view *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	err = view_config_copy(&v->cfg, cfg);
	if (err < 0) {
		free(v);
		return err;
	}
	v->ops = ops_of_type[cfg->type];
	v->env = vs->env;
	v->cfg.missing = cfg->type == VIEW_SAMPLES ? cfg->missing : MISSING_ERROR;
	if (cfg->type == VIEW_SAMPLES) {
		err = part_new(vs, VIEW_FRAMES, cfg->frames_view, cfg, &v->frames);
		if (err == 0)
			err = part_new(vs, VIEW_MFCC, cfg->mfcc_view, cfg, &v->mfcc);
		/* Last: from here on others may share what this view has. */
		v->catalog = err == 0 ? catalogs_find(vs->catalogs, v) : NULL;
		if (!v->catalog) {
			view_free(v);
			return err ? err : -ENOMEM;
		}
	}
	*ret_view = v;
	return 0;
}

int views_new(const struct view_config *cfg, size_t n, const struct view_env *env, char *why, struct views **ret_views)
{
	struct views *vs = calloc(1, sizeof(*vs));
	int err = -ENOMEM;

	snprintf(why, VIEW_WHY_MAX, "not enough memory");
	if (!vs)
		return -ENOMEM;
	pthread_mutex_init(&vs->lock, NULL);
	vs->env = *env;
	vs->list = calloc(n ? n : 1, sizeof(*vs->list));
	vs->configs = calloc(n ? n : 1, sizeof(*vs->configs));
	vs->catalogs = catalogs_new(env->index_max);
	if (!vs->list || !vs->configs || !vs->catalogs)
		goto fail;
	for (; vs->n < n; vs->n++) {
		err = view_config_copy(&vs->configs[vs->n], &cfg[vs->n]);
		if (err < 0)
			goto fail;
	}
	for (size_t i = 0; i < n; i++) {
		err = view_new(vs, &vs->configs[i], &vs->list[i]);
		if (err < 0)
			goto fail;
	}
	*ret_views = vs;
	return 0;
fail:
	views_free(vs);
	return err;
}

void views_cancel(struct views *vs)
{
	if (vs)
		catalogs_cancel(vs->catalogs);
}

void views_stop(struct views *vs)
{
	if (vs)
		catalogs_stop(vs->catalogs);
}

void views_free(struct views *vs)
{
	if (!vs)
		return;
	for (size_t i = 0; i < vs->n; i++) {
		view_free(vs->list[i]);
		view_config_done(&vs->configs[i]);
	}
	while (vs->dynamic) {
		struct view *next = vs->dynamic->next;
		view_free(vs->dynamic);
		vs->dynamic = next;
	}
	catalogs_free(vs->catalogs);
	free(vs->list);
	free(vs->configs);
	pthread_mutex_destroy(&vs->lock);
	free(vs);
}

void views_shrink(struct views *vs, size_t bytes)
{
	samples_shrink(vs->env.samples, bytes);
}

void views_drop(struct views *vs)
{
	samples_drop(vs->env.samples);
	catalogs_drop(vs->catalogs);
}

size_t views_count(const struct views *vs) { return vs->n; }
struct view *views_at(struct views *vs, size_t i) { return vs->list[i]; }
const char *view_name(const struct view *v) { return v->cfg.name; }

static struct view *find_plain(struct views *vs, const char *name, size_t len)
{
	for (size_t i = 0; i < vs->n; i++)
		if (strlen(vs->list[i]->cfg.name) == len && memcmp(vs->list[i]->cfg.name, name, len) == 0)
			return vs->list[i];
	return NULL;
}

struct view *views_find(struct views *vs, const char *name, char *why)
{
	const char *at = strchrnul(name, '@');
	struct view *base = find_plain(vs, name, (size_t)(at - name)), *v = NULL;
	struct view_config c;
	char *copy;

	why[0] = '\0';
	if (!base || *at == '\0')
		return base;
	pthread_mutex_lock(&vs->lock);
	for (v = vs->dynamic; v; v = v->next)
		if (strcmp(v->dynamic_name, name) == 0)
			break;
	if (v)
		goto out;
	if (vs->n_dynamic >= DYNAMIC_MAX) {
		snprintf(why, VIEW_WHY_MAX, "more than %u different lists of view parameters", DYNAMIC_MAX);
		goto out;
	}
	if (view_config_copy(&c, &base->cfg) < 0)
		goto out;
	copy = strdup(name);
	if (copy && view_config_set_list(&c, at + 1, why) == 0 && view_new(vs, &c, &v) == 0) {
		v->dynamic_name = copy;
		v->next = vs->dynamic;
		vs->dynamic = v;
		vs->n_dynamic++;
	} else {
		free(copy);
	}
	view_config_done(&c);
out:
	pthread_mutex_unlock(&vs->lock);
	return v;
}

struct node *view_root(struct view *v)
{
	return node_new(v, true, "", NULL, -1);
}

bool view_matches(const struct view_config *c, const char *key)
{
	for (char **m = c->match; *m; m++)
		if (text_glob_basename(*m, key))
			return true;
	return false;
}

bool view_hides(const struct view *v, const char *key)
{
	const char *const *name = v->ops->root_files;
	size_t len = strcspn(key, "/");

	for (; name && *name; name++)
		if (strlen(*name) == len && memcmp(*name, key, len) == 0)
			return true;
	return false;
}
