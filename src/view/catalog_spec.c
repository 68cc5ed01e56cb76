#include "view/catalog_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int catalog_spec_copy(struct catalog_spec *dst, const struct catalog_spec *src)
{
	*dst = (struct catalog_spec){
		.match = text_list_dup(src->match),
		.audio_match = text_list_dup(src->audio_match),
		.split_names = text_list_dup(src->split_names),
		.path = src->path ? strdup(src->path) : NULL,
		.audio = src->audio ? strdup(src->audio) : NULL,
		.hidden = src->hidden,
	};
	if (dst->match && dst->audio_match && dst->split_names && !dst->path == !src->path &&
	    !dst->audio == !src->audio)
		return 0;
	catalog_spec_done(dst);
	return -ENOMEM;
}

void catalog_spec_done(struct catalog_spec *s)
{
	text_list_free(s->match);
	text_list_free(s->audio_match);
	text_list_free(s->split_names);
	free(s->path);
	free(s->audio);
	*s = (struct catalog_spec){ 0 };
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_list(char *const *a, char *const *b)
{
	static char *const none[] = { NULL };

	a = a ? a : none;
	b = b ? b : none;
	while (*a && *b && strcmp(*a, *b) == 0)
		a++, b++;
	return !*a && !*b;
}

bool catalog_spec_same(const struct catalog_spec *a, const struct catalog_spec *b)
{
	return same_list(a->match, b->match) && same_list(a->audio_match, b->audio_match) &&
	       same_list(a->split_names, b->split_names) && same_text(a->path, b->path) &&
	       same_text(a->audio, b->audio) && a->hidden == b->hidden;
}
