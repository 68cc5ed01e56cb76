#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/parts.h"

static const enum view_type default_types[] = { VIEW_RAW, VIEW_FRAMES, VIEW_MFCC, VIEW_INFO,
	                                        VIEW_SAMPLES };

int config_default_views(struct config *c, char *why)
{
	const size_t n = sizeof(default_types) / sizeof(default_types[0]);

	if (!c->views)
		c->views = calloc(CONFIG_VIEWS_MAX, sizeof(*c->views));
	while (c->views && c->n_views < n) {
		enum view_type type = default_types[c->n_views];

		if (view_config_init(&c->views[c->n_views], type, view_type_name(type)))
			break;
		c->n_views++;
	}
	if (c->n_views < n)
		return config_no_memory(why);
	for (size_t i = 0; i < n; i++) {
		if (config_resolve_view(c, i, why))
			return -1;
	}
	return 0;
}

static const struct view_config *find_view(const struct config *c, const char *name,
                                           enum view_type type)
{
	for (size_t i = 0; i < c->n_views; i++) {
		if (c->views[i].type == type && strcmp(c->views[i].name, name) == 0)
			return &c->views[i];
	}
	return NULL;
}

/* The view that key names. NULL in *ret_view: the standard one, of which the
 * file has no section: its defaults hold. */
static int named_view(const struct config *c, const char *key, const char *name, enum view_type type,
                      char why[VIEW_WHY_MAX], const struct view_config **ret_view)
{
	*ret_view = find_view(c, name, type);
	if (*ret_view || strcmp(name, view_type_name(type)) == 0)
		return 0;
	snprintf(why, VIEW_WHY_MAX, "%s = %s: there is no [view %s] of type %s", key, name, name,
	         view_type_name(type));
	return -1;
}

int config_resolve_view(struct config *c, size_t i, char why[VIEW_WHY_MAX])
{
	struct view_config *v = &c->views[i];
	const struct view_config *frames, *mfcc;

	if (view_config_check(v, why))
		return -1;
	if (v->type != VIEW_SAMPLES)
		return 0;
	if (named_view(c, "frames", v->frames_view, VIEW_FRAMES, why, &frames) ||
	    named_view(c, "mfcc", v->mfcc_view, VIEW_MFCC, why, &mfcc))
		return -1;
	if (frames)
		v->frames = frames->frames;
	if (mfcc) {
		v->mfcc = mfcc->mfcc;
		v->win_length_set = mfcc->win_length_set;
	}
	return 0;
}
