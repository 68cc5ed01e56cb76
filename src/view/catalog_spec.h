/* catalog_spec.h - which objects are samples, and what is made of their names. */
#ifndef S3SAMPLEFS_VIEW_CATALOG_SPEC_H
#define S3SAMPLEFS_VIEW_CATALOG_SPEC_H

#include <stdbool.h>

/* Lists are NULL-terminated. What isn't marked otherwise is a key of a samples view. */
struct catalog_spec {
	char **match;
	char **audio_match;         /* the mfcc view's match: what is a sound at all */
	char **split_names;
	char *path, *audio;         /* or NULL */
	const char *const *hidden;  /* names at the top that the view has itself; static, or NULL */
};

/* With strings of its own. 0 or -ENOMEM, and then there is nothing to be ended. */
int catalog_spec_copy(struct catalog_spec *dst, const struct catalog_spec *src);
void catalog_spec_done(struct catalog_spec *s);

/* Do both find the same samples, with the same labels and sounds? */
bool catalog_spec_same(const struct catalog_spec *a, const struct catalog_spec *b);

#endif
