#include "view/catalog_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "store/object.h"
#include "view/catalog_spec.h"
#include "view/name.h"

#define HEAP (2 * sizeof(void *))   /* malloc's own, each time */

size_t catalog_item_bytes(const char *key, const struct object_meta *meta)
{
	/* The array doubles. */
	return 2 * sizeof(struct catalog_item) + strlen(key) + strlen(meta->etag) + 2 + 2 * HEAP;
}

int catalog_list_add(struct catalog_list *l, const char *key, const struct object_meta *meta)
{
	struct catalog_item *it;

	if (vec_grow(&l->items, l->n, &l->room, sizeof(*l->items)))
		return -ENOMEM;
	it = &l->items[l->n];
	*it = (struct catalog_item){ strdup(key), meta->size, strdup(meta->etag) };
	l->n++;
	return it->key && it->etag ? 0 : -ENOMEM;
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const struct catalog_item *)a)->key, ((const struct catalog_item *)b)->key);
}

void catalog_list_sort(struct catalog_list *l)
{
	size_t kept = l->n > 0, i = 1;

	while (i < l->n && strcmp(l->items[i - 1].key, l->items[i].key) < 0)
		i++;
	if (i >= l->n)
		return;
	qsort(l->items, l->n, sizeof(*l->items), compare_items);
	for (i = 1; i < l->n; i++) {
		if (strcmp(l->items[kept - 1].key, l->items[i].key) == 0) {
			free(l->items[i].key);
			free(l->items[i].etag);
		} else {
			l->items[kept++] = l->items[i];
		}
	}
	l->n = kept;
}

void catalog_list_done(struct catalog_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].key);
		free(l->items[i].etag);
	}
	free(l->items);
	*l = (struct catalog_list){ 0 };
}

/* As strcmp of key against name, behind which stands `end`. */
static int compare_with_end(const char *key, const char *name, size_t len, const char *end)
{
	int order = strncmp(key, name, len);

	return order ? order : strcmp(key + len, end);
}

/* The first item not before the key that is name[0, len) and end. */
static size_t lower_bound(const struct catalog_list *l, const char *name, size_t len, const char *end)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (compare_with_end(l->items[mid].key, name, len, end) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Something lies below "key/": then that is the directory, and the object's files have no name. */
static bool is_prefix(const struct catalog_list *l, size_t i)
{
	const char *key = l->items[i].key;
	size_t len = strlen(key);
	/* '/' isn't the lowest character, so others may stand between the two; mostly none does. */
	size_t next = i + 1 < l->n && strncmp(l->items[i + 1].key, key, len) == 0 ? lower_bound(l, key, len, "/") : l->n;

	return next < l->n && strncmp(l->items[next].key, key, len) == 0 && l->items[next].key[len] == '/';
}

/* Can a directory have the sample's name? */
static bool has_a_name(const struct catalog_list *l, const struct catalog_spec *spec, size_t i)
{
	const char *key = l->items[i].key;

	for (const char *part = key, *end;; part = end + 1) {
		end = strchrnul(part, '/');
		if (!name_is_possible(part, (size_t)(end - part), ""))
			return false;
		if (!*end)
			break;
	}
	return !name_is_hidden(spec->hidden, key) && !is_prefix(l, i);
}

/* The object that gives a video's sound: its own track where there is no other. -ENOMEM. */
static int find_audio(const struct catalog_list *l, const struct catalog_spec *spec, const char *video,
                      const char **ret_audio)
{
	char *prefix;
	size_t len;

	*ret_audio = video;
	if (!spec->audio)
		return 0;
	prefix = name_audio_prefix(spec->audio, video);
	if (!prefix)
		return -ENOMEM;
	len = strlen(prefix);
	for (size_t i = lower_bound(l, prefix, len, ""); i < l->n && strncmp(l->items[i].key, prefix, len) == 0; i++) {
		const char *key = l->items[i].key;

		if (name_is_audio_of(prefix, key) && name_matches(spec->audio_match, key) &&
		    !name_matches(spec->match, key)) {
			*ret_audio = key;
			break;
		}
	}
	free(prefix);
	return 0;
}

static int each(void *of, catalog_each_fn *tell, void *arg)
{
	struct catalog_listing *listing = of;
	const struct catalog_list *l = &listing->list;
	const struct catalog_spec *spec = listing->spec;
	int err = 0;

	listing->left_out = 0;
	for (size_t i = 0; i < l->n && !err; i++) {
		const struct catalog_item *it = &l->items[i];
		struct catalog_row row = { .key = it->key, .version = it->etag, .size = it->size };
		struct name_class class;

		if (!name_matches(spec->match, it->key) ||
		    !name_classify(spec->path, spec->split_names, it->key, &class))
			continue;
		if (!has_a_name(l, spec, i)) {
			listing->left_out++;
			continue;
		}
		row.split = class.split;
		row.split_len = class.split_len;
		row.label = class.label;
		row.label_len = class.label_len;
		err = find_audio(l, spec, it->key, &row.audio);
		if (!err)
			err = tell(arg, &row);
	}
	return err;
}

struct catalog_source catalog_list_source(struct catalog_listing *listing)
{
	return (struct catalog_source){ each, listing };
}
