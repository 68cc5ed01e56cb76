#include "view/catalog_list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/vec.h"
#include "format/csv.h"
#include "store/object.h"
#include "view/name.h"
#include "view/view_priv.h"

#define HEAP (2 * sizeof(void *))   /* malloc's own, each time */

/* A row names the key twice and may double every quote in it. */
#define ROW_MAX ((size_t)16 * OBJECT_KEY_MAX)

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

/* Can the view show the key at all? */
static bool has_a_name(const struct catalog_list *l, const struct view *v, size_t i)
{
	const char *key = l->items[i].key;

	for (const char *part = key, *end;; part = end + 1) {
		end = strchrnul(part, '/');
		if (!name_is_possible(part, (size_t)(end - part), ""))
			return false;
		if (!*end)
			break;
	}
	return !view_hides(v, key) && !is_prefix(l, i);
}

/* Whether the listed key is a sample's video, and of which class. *left_out, unless NULL, counts
 * those that would be if a file could have their name. */
static bool is_sample(const struct catalog_list *l, const struct view *v, size_t i, struct name_class *class,
                      size_t *left_out)
{
	const char *key = l->items[i].key;
	bool shown;

	if (!view_matches(&v->cfg, key) || !name_classify(v->cfg.path, v->cfg.split_names, key, class))
		return false;
	shown = has_a_name(l, v, i);
	if (!shown && left_out)
		++*left_out;
	return shown;
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts, and lets each label stand once. Returns how many are left. */
static size_t sort_labels(char **labels, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(labels, n, sizeof(*labels), compare_labels);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && strcmp(labels[kept - 1], labels[i]) == 0)
			free(labels[i]);
		else
			labels[kept++] = labels[i];
	}
	return kept;
}

int catalog_list_labels(const struct catalog_list *l, const struct view *v, struct catalog_data *ret,
                        size_t *ret_left_out)
{
	char **labels = NULL;
	size_t n = 0, room = 0;
	struct name_class class, last = { 0 };
	size_t left_out = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!is_sample(l, v, i, &class, &left_out))
			continue;
		/* Neighbours in a listing mostly share their label. */
		if (last.label && last.label_len == class.label_len &&
		    memcmp(last.label, class.label, last.label_len) == 0)
			continue;
		if (vec_grow(&labels, n, &room, sizeof(*labels)))
			goto no_memory;
		labels[n] = strndup(class.label, class.label_len);
		if (!labels[n])
			goto no_memory;
		n++;
		last = class;
	}
	ret->n_labels = sort_labels(labels, n);
	ret->labels = (const char *const *)labels;
	*ret_left_out = left_out;
	return 0;
no_memory:
	while (n > 0)
		free(labels[--n]);
	free(labels);
	return -ENOMEM;
}

/* The object that gives a video's sound: its own track where there is no other. */
static const char *find_audio(const struct view *v, const struct catalog_list *l, const char *video)
{
	char *prefix = v->cfg.audio ? name_audio_prefix(v->cfg.audio, video) : NULL;
	const char *found = video;

	for (size_t i = prefix ? lower_bound(l, prefix, strlen(prefix), "") : l->n;
	     i < l->n && strncmp(l->items[i].key, prefix, strlen(prefix)) == 0; i++) {
		const char *key = l->items[i].key;

		if (name_is_audio_of(prefix, key) && view_matches(&v->mfcc->cfg, key) &&
		    !view_matches(&v->cfg, key)) {
			found = key;
			break;
		}
	}
	free(prefix);
	return found;
}

/* The row of an item, in place of what was in b; nothing if it is no sample. */
static void write_row(const struct catalog_list *l, const struct view *v, const struct catalog_data *d,
                      size_t i, struct buf *b)
{
	const struct catalog_item *it = &l->items[i];
	struct name_class class;
	const char *audio;

	buf_reset(b);
	if (!is_sample(l, v, i, &class, NULL))
		return;
	audio = find_audio(v, l, it->key);
	csv_add_field(b, it->key, strlen(it->key), ',');
	csv_add_field(b, class.split, class.split_len, ',');
	csv_add_field(b, class.label, class.label_len, ',');
	buf_printf(b, "%" PRId64 ",", catalog_class(d, class.label, class.label_len));
	csv_add_field(b, it->key, strlen(it->key), ',');
	csv_add_field(b, audio, strlen(audio), ',');
	csv_add_field(b, it->etag, strlen(it->etag), ',');
	buf_printf(b, "%" PRIu64 "\n", it->size);
}

static const char head[] = "path,split,label,class,video,audio,etag,size\n";

int catalog_list_index_size(const struct catalog_list *l, const struct view *v, const struct catalog_data *d,
                            size_t *ret_size)
{
	size_t size = sizeof(head) - 1;
	struct buf row;
	int err = 0;

	buf_init(&row, ROW_MAX);
	for (size_t i = 0; i < l->n && !err; i++) {
		write_row(l, v, d, i, &row);
		err = buf_error(&row) ? -ENOMEM : 0;
		size += row.len;
	}
	buf_done(&row);
	if (!err)
		*ret_size = size;
	return err;
}

int catalog_list_index(const struct catalog_list *l, const struct view *v, const struct catalog_data *d, size_t size,
                       struct blob **ret_index)
{
	struct blob *index = blob_new(size);
	size_t at = sizeof(head) - 1;
	struct buf row;
	int err = 0;

	if (!index)
		return -ENOMEM;
	memcpy(blob_writable(index), head, at);
	buf_init(&row, ROW_MAX);
	for (size_t i = 0; i < l->n && !err; i++) {
		write_row(l, v, d, i, &row);
		err = buf_error(&row) || row.len > size - at ? -ENOMEM : 0;
		if (!err && row.len > 0)
			memcpy(blob_writable(index) + at, row.data, row.len);
		at += row.len;
	}
	buf_done(&row);
	if (err)
		blob_unref(index);
	else
		*ret_index = index;
	return err;
}

struct blob *catalog_classes(const struct catalog_data *d)
{
	struct buf text;
	struct blob *classes = NULL;

	buf_init(&text, SIZE_MAX);
	for (size_t i = 0; i < d->n_labels; i++)
		buf_printf(&text, "%s\n", d->labels[i]);
	if (!buf_error(&text))
		classes = blob_copy(text.len ? text.data : "", text.len);
	buf_done(&text);
	return classes;
}
