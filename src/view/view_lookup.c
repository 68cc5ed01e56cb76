/* view_lookup.c - one name in a directory: is it a directory, or an object's
 * file? Both are asked at once; the directory wins. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/meta.h"
#include "view/name.h"
#include "view/view_priv.h"

struct lookup {
	struct view *view;
	const struct wanted *wanted;
	view_node_fn *done;
	void *arg;
	char *prefix;                /* of the directory the name may be */
	_Atomic int left;            /* answers still to come */

	/* Each set by its own answer. */
	int dir_err, obj_err;
	uint64_t dir_ttl, obj_ttl;
	struct object *obj;
	char dir_why[STORE_WHY_MAX], obj_why[STORE_WHY_MAX];
};

static void lookup_free(struct lookup *l)
{
	object_unref(l->obj);
	free(l->prefix);
	free(l);
}

static void reply_dir(struct lookup *l, const char *path, struct object *obj, uint64_t ttl_ms)
{
	struct node *n = node_new(l->view, true, path, obj, -1);

	if (!n) {
		l->done(l->arg, -ENOMEM, "not enough memory", NULL, 0);
		return;
	}
	n->ttl_ms = ttl_ms;
	l->done(l->arg, 0, NULL, n, ttl_ms);
	node_unref(n);
}

static void lookup_finish(struct lookup *l)
{
	struct view *v = l->view;

	if (l->dir_err == 0)
		reply_dir(l, l->prefix, NULL, l->dir_ttl);
	else if (l->dir_err != -ENOENT)
		l->done(l->arg, l->dir_err, l->dir_why, NULL, 0);
	else if (l->obj_err)
		l->done(l->arg, l->obj_err, l->obj_why, NULL, l->dir_ttl < l->obj_ttl ? l->dir_ttl : l->obj_ttl);
	else if (v->ops->ending)
		node_reply_sized(v, l->obj, 0, false, l->obj_ttl, l->wanted, l->done, l->arg);
	else
		reply_dir(l, l->obj->key, l->obj, l->obj_ttl);
	lookup_free(l);
}

static void lookup_step(struct lookup *l)
{
	if (atomic_fetch_sub(&l->left, 1) == 1)
		lookup_finish(l);
}

static void dir_answer(void *arg, int err, const char *why, uint64_t ttl_ms)
{
	struct lookup *l = arg;

	l->dir_err = err;
	l->dir_ttl = ttl_ms;
	snprintf(l->dir_why, sizeof(l->dir_why), "%s", why ? why : "");
	lookup_step(l);
}

static void object_answer(void *arg, int err, const char *why, struct object *obj, uint64_t ttl_ms)
{
	struct lookup *l = arg;

	l->obj_err = err;
	l->obj_ttl = ttl_ms;
	l->obj = err ? NULL : object_ref(obj);
	snprintf(l->obj_why, sizeof(l->obj_why), "%s", why ? why : "");
	lookup_step(l);
}

static int find_name(const char *const *names, const char *name)
{
	for (int i = 0; names && names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

static void reply_none(struct view *v, view_node_fn *done, void *arg)
{
	done(arg, -ENOENT, "no such file in this view", NULL, v->env.metadata_ttl_ms);
}

/* The key that name would show, if the view shows such objects at all. */
static char *candidate_key(const struct view *v, const char *dir, const char *name, int *ret_err)
{
	char *key = name_to_key(dir, name, v->ops->ending ? v->ops->ending : "", ret_err);

	if (!key)
		return NULL;
	if (view_shows(v, key))
		return key;
	free(key);
	*ret_err = -ENOENT;
	return NULL;
}

void view_lookup(struct node *dir, const char *name, const struct wanted *wanted, view_node_fn *done, void *arg)
{
	struct view *v = dir->view;
	struct lookup *l;
	char *key;
	int member, err;

	member = find_name(dir->obj ? v->ops->members : dir->path[0] ? NULL : v->ops->root_files, name);
	if (member >= 0) {
		v->ops->member(v, dir->obj, member, false, wanted, done, arg);
		return;
	}
	if (dir->obj || !name_is_possible(name, strlen(name), "")) {
		reply_none(v, done, arg);
		return;
	}
	key = candidate_key(v, dir->path, name, &err);
	l = calloc(1, sizeof(*l));
	if (!l || (!key && err == -ENOMEM) || asprintf(&l->prefix, "%s%s/", dir->path, name) < 0) {
		free(key);
		free(l);
		done(arg, -ENOMEM, "not enough memory", NULL, 0);
		return;
	}
	l->view = v;
	l->wanted = wanted;
	l->done = done;
	l->arg = arg;
	l->left = 2;
	if (key) {
		meta_object(v->env.meta, key, object_answer, l);
	} else {
		/* Such a name can only be a directory. */
		object_answer(l, -ENOENT, "no such file in this view", NULL, v->env.metadata_ttl_ms);
	}
	meta_dir(v->env.meta, l->prefix, dir_answer, l);
	free(key);
}
