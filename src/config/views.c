#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/parts.h"

int config_default_views(struct config *c, char *why)
{
	_Static_assert(VIEW_N_TYPES <= CONFIG_VIEWS_MAX, "each type has a default view");
	if (!c->views)
		c->views = calloc(CONFIG_VIEWS_MAX, sizeof(*c->views));
	while (c->views && c->n_views < VIEW_N_TYPES) {
		enum view_type type = (enum view_type)c->n_views;

		if (view_config_init(&c->views[c->n_views], type, view_type_name(type)))
			break;
		c->n_views++;
	}
	if (c->n_views < VIEW_N_TYPES)
		return config_no_memory(why);
	for (size_t i = 0; i < c->n_views; i++) {
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
	const struct view_config *part;
	const char *key, *section;
	enum view_type type;

	if (view_config_check(v, why))
		return -1;
	for (unsigned k = 0; view_config_part(v, k, &type, &key, &section); k++) {
		if (named_view(c, key, section, type, why, &part))
			return -1;
		if (part)
			view_config_borrow(v, part);
	}
	return 0;
}
