#include "view/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "media/samples.h"
#include "store/meta.h"
#include "view/catalog.h"
#include "view/name.h"
#include "view/view_priv.h"

#define UNUSED_MAX 64u              /* views made by NAME@key=value that are kept though nobody has them */
#define HEAP (2 * sizeof(void *))   /* malloc's own, each time */

struct views {
	struct view_env env;
	struct view_config *configs;   /* [n], as configured */
	struct view **list;            /* [n] */
	size_t n;
	struct catalogs *catalogs;

	pthread_mutex_t lock;
	/* lock: */
	struct view *dynamic;          /* by name */
	struct view *unused;           /* of them, the longest ago first */
	unsigned n_unused;
};

static void view_free(struct view *v)
{
	if (!v)
		return;
	for (unsigned i = 0; i < VIEW_PARTS_MAX; i++)
		view_free(v->parts[i]);
	catalog_unref(v->catalog);
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

static int view_new(struct views *vs, const struct view_config *cfg, struct view **ret_view);

/* The i-th view of which `whole` shows a part: the section that it names, or the defaults, with
 * its parameters. */
static int part_new(struct views *vs, struct view *whole, unsigned i, struct view **ret_view)
{
	const struct view_config *cfg = &whole->cfg, *found;
	struct view_config part;
	enum view_type type;
	const char *key, *section;
	int err;

	view_config_part(cfg, i, &type, &key, &section);
	found = find_config(vs, type, section);
	err = found ? view_config_copy(&part, found) : view_config_init(&part, type, section);
	if (err < 0)
		return err;
	view_kind(type)->lend(&part, cfg);
	part.missing = cfg->missing;
	err = view_new(vs, &part, ret_view);
	if (!err)
		(*ret_view)->whole = whole;
	view_config_done(&part);
	return err;
}

static int view_new(struct views *vs, const struct view_config *cfg, struct view **ret_view)
{
	const struct view_kind *kind = view_kind(cfg->type);
	struct view *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	err = view_config_copy(&v->cfg, cfg);
	v->ops = kind->ops;
	v->env = vs->env;
	v->owner = vs;
	for (unsigned i = 0; i < kind->n_parts && !err; i++)
		err = part_new(vs, v, i, &v->parts[i]);
	if (!err && kind->has_catalog) {
		const struct catalog_spec spec = {
			.match = v->cfg.match,
			.audio_match = v->parts[SAMPLES_MFCC]->cfg.match,
			.split_names = v->cfg.split_names,
			.path = v->cfg.path,
			.audio = v->cfg.audio,
			.hidden = kind->ops->root_files,
		};

		v->catalog = catalogs_find(vs->catalogs, &spec);
		err = v->catalog ? 0 : -ENOMEM;
	}
	if (err)
		view_free(v);
	else
		*ret_view = v;
	return err;
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
	const struct catalogs_options o = { env->meta, env->stats, env->index_max, env->metadata_ttl_ms };
	vs->catalogs = catalogs_new(&o);
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

static void remove_dynamic_locked(struct views *vs, struct view *v)
{
	HASH_DELETE(hh, vs->dynamic, v);
	DL_DELETE(vs->unused, v);
	vs->n_unused--;
	stats_add(vs->env.stats, STAT_views, -1);
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
	while (vs->unused) {
		struct view *v = vs->unused;

		remove_dynamic_locked(vs, v);
		view_free(v);
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

/* Names with parameters: those in use, and the last that were. */
static struct view *find_dynamic_locked(struct views *vs, const char *name)
{
	struct view *v;

	HASH_FIND_STR(vs->dynamic, name, v);
	if (v && v->refs++ == 0) {
		DL_DELETE(vs->unused, v);
		vs->n_unused--;
	}
	return v;
}

static struct view *view_whole(struct view *v)
{
	while (v->whole)
		v = v->whole;
	return v;
}

void view_ref(struct view *v)
{
	v = view_whole(v);
	if (!v->dynamic_name)
		return;
	pthread_mutex_lock(&v->owner->lock);
	v->refs++;
	pthread_mutex_unlock(&v->owner->lock);
}

void view_unref(struct view *v)
{
	struct view *oldest = NULL;
	struct views *vs;

	if (!v)
		return;
	v = view_whole(v);
	if (!v->dynamic_name)
		return;
	vs = v->owner;
	pthread_mutex_lock(&vs->lock);
	if (--v->refs == 0) {
		DL_APPEND(vs->unused, v);
		if (++vs->n_unused > UNUSED_MAX) {
			oldest = vs->unused;
			remove_dynamic_locked(vs, oldest);
		}
	}
	pthread_mutex_unlock(&vs->lock);
	view_free(oldest);
}

static size_t list_bytes(char *const *list)
{
	size_t bytes = 0;

	for (; list && *list; list++)
		bytes += sizeof(*list) + strlen(*list) + 1 + HEAP;
	return bytes;
}

/* What goes with it, roughly. */
static size_t bytes_of(const struct view *v)
{
	size_t bytes = sizeof(*v) + HEAP + list_bytes(v->cfg.match) + list_bytes(v->cfg.split_names);

	for (unsigned i = 0; i < VIEW_PARTS_MAX; i++)
		bytes += v->parts[i] ? bytes_of(v->parts[i]) : 0;
	return bytes;
}

size_t view_bytes(const struct view *v)
{
	return v->dynamic_name ? bytes_of(v) + strlen(v->dynamic_name) + 1 : 0;
}

/* Made outside of the lock; another one may have been first. Takes v and its name. */
static struct view *add_dynamic(struct views *vs, struct view *v, char *name)
{
	struct view *first;

	v->dynamic_name = name;
	v->refs = 1;
	pthread_mutex_lock(&vs->lock);
	first = find_dynamic_locked(vs, name);
	if (!first) {
		HASH_ADD_KEYPTR(hh, vs->dynamic, v->dynamic_name, strlen(v->dynamic_name), v);
		if (table_added(v)) {
			stats_add(vs->env.stats, STAT_views, 1);
			first = v;
			v = NULL;
		}
	}
	pthread_mutex_unlock(&vs->lock);
	view_free(v);
	return first;
}

struct view *views_find(struct views *vs, const char *name, char *why)
{
	const char *at = strchrnul(name, '@');
	struct view *base = find_plain(vs, name, (size_t)(at - name)), *v;
	struct view_config c;
	char *copy;

	why[0] = '\0';
	if (!base || *at == '\0')
		return base;
	pthread_mutex_lock(&vs->lock);
	v = find_dynamic_locked(vs, name);
	pthread_mutex_unlock(&vs->lock);
	if (v || view_config_copy(&c, &base->cfg) < 0)
		return v;
	copy = strdup(name);
	if (copy && view_config_set_list(&c, at + 1, why) == 0 && view_new(vs, &c, &v) == 0)
		v = add_dynamic(vs, v, copy);
	else
		free(copy);
	view_config_done(&c);
	return v;
}

struct node *view_root(struct view *v)
{
	return node_new(v, true, "", NULL, -1);
}

bool view_matches(const struct view_config *c, const char *key)
{
	return name_matches(c->match, key);
}

bool view_shows(const struct view *v, const char *key)
{
	return view_matches(&v->cfg, key) && (!v->ops->shows || v->ops->shows(v, key));
}

bool view_hides(const struct view *v, const char *key)
{
	return name_is_hidden(v->ops->root_files, key);
}
