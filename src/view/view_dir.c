/* view_dir.c - reading a directory of a view, page by page.
 *
 * Keys come in bytewise order, in which `a` stands before `a-x`, `a.mp4` and
 * `a/`. So an object is held back while the keys that follow begin with its
 * own: only then is it known whether a directory has its file's name, which
 * wins. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "base/vec.h"
#include "store/list_guard.h"
#include "store/meta.h"
#include "view/name.h"
#include "view/view_priv.h"

struct dir_entry {
	char *name;
	struct node *node;
};

struct dir_entries {
	struct dir_entry *v;
	size_t n, room;
};

struct view_dir {
	struct node *dir;
	struct dir_entries ready;        /* to be handed out, from `at` on */
	size_t at;
	struct dir_entries held;         /* objects whose keys begin all that came since */
	char *token;                 /* next page */
	struct list_guard guard;
	bool listed;                 /* no more pages */
	view_done_fn *done;
	void *arg;
};

/* A page being taken in: what it makes of ready and held takes their place if all of it could be
 * had. Else nothing has changed, and the page may be asked for again. */
struct taking {
	struct view_dir *d;
	struct dir_entries ready, held;
	unsigned left_out;
	int err;
};

static void entries_done(struct dir_entries *e)
{
	for (size_t i = 0; i < e->n; i++) {
		free(e->v[i].name);
		node_unref(e->v[i].node);
	}
	free(e->v);
	*e = (struct dir_entries){ 0 };
}

/* Takes name and node, also on failure. */
static int entries_add(struct dir_entries *e, char *name, struct node *node)
{
	if (!name || !node || vec_grow(&e->v, e->n, &e->room, sizeof(*e->v)))
		goto fail;
	e->v[e->n++] = (struct dir_entry){ name, node };
	return 0;
fail:
	free(name);
	node_unref(node);
	return -ENOMEM;
}

static void took_node(void *arg, int err, const char *why, struct node *n, uint64_t ttl_ms)
{
	struct node **ret = arg;

	(void)why;
	(void)ttl_ms;
	*ret = err ? NULL : node_ref(n);
}

static int entries_copy(struct dir_entries *dst, const struct dir_entries *src)
{
	for (size_t i = 0; i < src->n; i++)
		if (entries_add(dst, strdup(src->v[i].name), node_ref(src->v[i].node)) < 0)
			return -ENOMEM;
	return 0;
}

/* The files of an object, or those of the view's top directory. */
static int add_members(struct view_dir *d, struct object *obj, const char *const *names)
{
	struct view *v = d->dir->view;

	for (int i = 0; names && names[i]; i++) {
		struct node *n = NULL;

		v->ops->member(v, obj, i, true, NULL, took_node, &n);
		if (entries_add(&d->ready, strdup(names[i]), n) < 0)
			return -ENOMEM;
	}
	return 0;
}

struct view_dir *view_dir_open(struct node *dir)
{
	struct view_dir *d = calloc(1, sizeof(*d));
	const struct view_ops *ops = dir->view->ops;

	if (!d)
		return NULL;
	d->dir = node_ref(dir);
	d->guard.remembers = true;
	d->listed = dir->obj != NULL;
	if ((dir->obj && add_members(d, dir->obj, ops->members) < 0) ||
	    (!dir->obj && !dir->path[0] && add_members(d, NULL, ops->root_files) < 0)) {
		view_dir_close(d);
		return NULL;
	}
	return d;
}

void view_dir_close(struct view_dir *d)
{
	if (!d)
		return;
	entries_done(&d->ready);
	entries_done(&d->held);
	node_unref(d->dir);
	free(d->token);
	list_guard_done(&d->guard);
	free(d);
}

int view_dir_next(struct view_dir *d, struct view_entry *ret_entry)
{
	if (d->at == d->ready.n)
		return d->listed ? 0 : -EAGAIN;
	ret_entry->name = d->ready.v[d->at].name;
	ret_entry->node = d->ready.v[d->at].node;
	d->ready.v[d->at] = (struct dir_entry){ 0 };
	d->at++;
	return 1;
}

/* Lets go of held objects that the key `name` doesn't begin with; of all for NULL. */
static void release_held(struct taking *t, const char *name)
{
	while (t->held.n > 0) {
		struct dir_entry *e = &t->held.v[t->held.n - 1];
		const char *key = e->node->obj->key;

		if (name && strncmp(name, key, strlen(key)) == 0)
			return;
		t->held.n--;
		if (entries_add(&t->ready, e->name, e->node) < 0)
			t->err = -ENOMEM;
	}
}

/* A directory of this name: no object's file can have it. */
static void drop_held(struct taking *t, const char *name, size_t len)
{
	for (size_t i = 0; i < t->held.n; i++) {
		struct dir_entry *e = &t->held.v[i];

		if (strlen(e->name) != len || memcmp(e->name, name, len) != 0)
			continue;
		t->left_out++;
		free(e->name);
		node_unref(e->node);
		memmove(e, e + 1, (t->held.n - i - 1) * sizeof(*e));
		t->held.n--;
		return;
	}
}

static void take_prefix(struct taking *t, const char *name, size_t skip)
{
	struct view *v = t->d->dir->view;
	size_t len = strlen(name + skip) - 1;  /* without the slash */
	struct node *n;

	if (!name_is_possible(name + skip, len, "") || view_hides(v, name)) {
		t->left_out++;
		return;
	}
	drop_held(t, name + skip, len);
	n = node_new(v, true, name, NULL, -1);
	if (n)
		n->ttl_ms = v->env.metadata_ttl_ms;
	if (entries_add(&t->ready, strndup(name + skip, len), n) < 0)
		t->err = -ENOMEM;
}

static void take_object(struct taking *t, struct object *obj, size_t skip)
{
	struct view *v = t->d->dir->view;
	const char *ending = v->ops->ending ? v->ops->ending : "", *part = obj->key + skip;
	struct node *n = NULL;
	char *name;

	if (!part[0] || !view_shows(v, obj->key))
		return;
	if (!name_is_possible(part, strlen(part), ending) || view_hides(v, obj->key)) {
		t->left_out++;
		return;
	}
	if (v->ops->ending) {
		node_reply_sized(v, obj, 0, true, v->env.metadata_ttl_ms, NULL, took_node, &n);
	} else {
		n = node_new(v, true, obj->key, obj, -1);
		if (n)
			n->ttl_ms = v->env.metadata_ttl_ms;
	}
	if (asprintf(&name, "%s%s", part, ending) < 0)
		name = NULL;
	if (entries_add(&t->held, name, n) < 0)
		t->err = -ENOMEM;
}

static void page_answer(void *arg, int err, const char *why, const struct store_page *page, struct object *const *objects)
{
	struct view_dir *d = arg;
	struct taking t = { .d = d };
	size_t skip = strlen(d->dir->path);
	char *next = NULL;

	/* What was there to be read isn't any more. ENOENT is what readdir(3) takes for the end. */
	if (err == -ENOENT)
		err = -ESTALE;
	if (!err)
		err = list_guard_check(&d->guard, page, &why);
	if (err) {
		d->done(d->arg, err, why);
		return;
	}
	t.err = entries_copy(&t.held, &d->held);
	for (size_t i = 0; i < page->n && !t.err; i++) {
		if (list_guard_repeats(&d->guard, page->entries[i].name))
			continue;
		release_held(&t, page->entries[i].name);
		if (page->entries[i].is_prefix)
			take_prefix(&t, page->entries[i].name, skip);
		else
			take_object(&t, objects[i], skip);
	}
	if (!page->next)
		release_held(&t, NULL);
	if (page->next && !t.err) {
		next = strdup(page->next);
		t.err = next ? 0 : -ENOMEM;
	}
	if (!t.err)
		t.err = list_guard_pass(&d->guard, page);
	if (t.err) {
		free(next);
		entries_done(&t.ready);
		entries_done(&t.held);
		d->done(d->arg, t.err, "not enough memory");
		return;
	}
	stats_add(d->dir->view->env.stats, STAT_names_left_out, t.left_out);
	entries_done(&d->ready);
	entries_done(&d->held);
	d->ready = t.ready;
	d->held = t.held;
	d->at = 0;
	free(d->token);
	d->token = next;
	d->listed = !page->next;
	d->done(d->arg, 0, NULL);
}

void view_dir_load(struct view_dir *d, view_done_fn *done, void *arg)
{
	const struct store_list list = { .prefix = d->dir->path, .delimiter = true, .token = d->token };

	d->done = done;
	d->arg = arg;
	meta_list(d->dir->view->env.meta, &list, page_answer, d);
}
