#include "view/catalog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/table.h"
#include "base/text.h"
#include "store/meta.h"
#include "view/name.h"
#include "view/view_priv.h"

struct waiter {
	struct waiter *next;
	catalog_fn *done;
	void *arg;
};

struct item {
	char *key;
	uint64_t size;
	char *etag;
};

/* A finished catalogue, or one in the making. */
struct snapshot {
	_Atomic unsigned refs;
	struct catalog_data data;
	uint64_t made_ms;
	struct item *items;            /* bytewise order, as listed; gone once finished */
	size_t n, room, bytes;
};

struct catalog {
	struct view *view;
	pthread_mutex_t lock;
	/* lock: */
	struct snapshot *current;
	struct waiter *waiters;        /* not NULL: a listing is under way */
	/* The listing's alone: */
	struct snapshot *making;
};

static void items_free(struct snapshot *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].key);
		free(s->items[i].etag);
	}
	free(s->items);
	s->items = NULL;
	s->n = s->room = 0;
}

static void snapshot_unref(struct snapshot *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	items_free(s);
	blob_unref(s->data.index_csv);
	blob_unref(s->data.classes_txt);
	for (size_t i = 0; i < s->data.n_labels; i++)
		free((char *)(uintptr_t)s->data.labels[i]);
	free((void *)(uintptr_t)s->data.labels);
	free(s);
}

struct catalog *catalog_new(struct view *v)
{
	struct catalog *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->view = v;
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	snapshot_unref(c->current);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Text with a length against a label. */
struct label_key {
	const char *text;
	size_t len;
};

static int compare_label(const void *key, const void *element)
{
	const struct label_key *k = key;
	const char *label = *(const char *const *)element;
	int order = strncmp(k->text, label, k->len);

	return order ? order : -(label[k->len] != '\0');
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int64_t catalog_class(const struct catalog_data *d, const char *label, size_t len)
{
	const struct label_key key = { label, len };
	const char *const *found = NULL;

	if (d->n_labels > 0)
		found = bsearch(&key, d->labels, d->n_labels, sizeof(*d->labels), compare_label);
	return found ? found - d->labels : -1;
}

/* Whether the listed key is a sample's video, and of which class. */
static bool is_sample(const struct view *v, const char *key, struct name_class *class)
{
	for (const char *part = key, *end;; part = end + 1) {
		end = strchrnul(part, '/');
		if (!name_is_possible(part, (size_t)(end - part), ""))
			return false;
		if (!*end)
			break;
	}
	return view_matches(&v->cfg, key) && name_classify(v->cfg.path, v->cfg.split_names, key, class);
}

static int collect_labels(const struct view *v, struct snapshot *s)
{
	char **labels = NULL;
	size_t n = 0, room = 0, kept = 0;
	struct name_class class;
	const char *last = NULL;
	size_t last_len = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (!is_sample(v, s->items[i].key, &class))
			continue;
		/* Neighbours in a listing mostly share their label. */
		if (last && last_len == class.label_len && memcmp(last, class.label, last_len) == 0)
			continue;
		if (n == room) {
			char **more = reallocarray(labels, room ? 2 * room : 64, sizeof(*labels));
			if (!more)
				goto no_memory;
			labels = more;
			room = room ? 2 * room : 64;
		}
		labels[n] = strndup(class.label, class.label_len);
		if (!labels[n])
			goto no_memory;
		n++;
		last = class.label;
		last_len = class.label_len;
	}
	if (n > 0)
		qsort(labels, n, sizeof(*labels), compare_labels);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && strcmp(labels[kept - 1], labels[i]) == 0)
			free(labels[i]);
		else
			labels[kept++] = labels[i];
	}
	s->data.labels = (const char *const *)labels;
	s->data.n_labels = kept;
	return 0;
no_memory:
	while (n > 0)
		free(labels[--n]);
	free(labels);
	return -ENOMEM;
}

/* RFC 4180: quoted where it must be. */
static void add_field(struct buf *b, const char *text, size_t len, char after)
{
	bool quote = memchr(text, ',', len) || memchr(text, '"', len) || memchr(text, '\r', len) || memchr(text, '\n', len);

	if (quote)
		buf_putc(b, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			buf_putc(b, '"');
		buf_putc(b, text[i]);
	}
	if (quote)
		buf_putc(b, '"');
	buf_putc(b, after);
}

/* The first item not before key. */
static size_t lower_bound(const struct snapshot *s, const char *key)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (strcmp(s->items[mid].key, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The object that gives a video's sound: its own track where there is no other. */
static const char *find_audio(const struct view *v, const struct snapshot *s, const char *video)
{
	char *prefix = v->cfg.audio ? name_audio_prefix(v->cfg.audio, video) : NULL;
	const char *found = video;

	for (size_t i = prefix ? lower_bound(s, prefix) : s->n;
	     i < s->n && strncmp(s->items[i].key, prefix, strlen(prefix)) == 0; i++) {
		const char *key = s->items[i].key;

		if (name_is_audio_of(prefix, key) && view_matches(&v->mfcc->cfg, key) &&
		    !view_matches(&v->cfg, key)) {
			found = key;
			break;
		}
	}
	free(prefix);
	return found;
}

static void write_index(const struct view *v, struct snapshot *s, struct buf *out)
{
	struct name_class class;

	buf_puts(out, "path,split,label,class,video,audio,etag,size\n");
	for (size_t i = 0; i < s->n; i++) {
		const struct item *it = &s->items[i];
		const char *audio;

		if (!is_sample(v, it->key, &class))
			continue;
		audio = find_audio(v, s, it->key);
		add_field(out, it->key, strlen(it->key), ',');
		add_field(out, class.split, class.split_len, ',');
		add_field(out, class.label, class.label_len, ',');
		buf_printf(out, "%" PRId64 ",", catalog_class(&s->data, class.label, class.label_len));
		add_field(out, it->key, strlen(it->key), ',');
		add_field(out, audio, strlen(audio), ',');
		add_field(out, it->etag, strlen(it->etag), ',');
		buf_printf(out, "%" PRIu64 "\n", it->size);
	}
}

/* From the list of all keys to the two files. */
static int snapshot_finish(const struct view *v, struct snapshot *s)
{
	struct buf index, classes;
	int err = collect_labels(v, s);

	if (err < 0)
		return err;
	buf_init(&index, v->env.index_max);
	buf_init(&classes, v->env.index_max);
	write_index(v, s, &index);
	for (size_t i = 0; i < s->data.n_labels; i++)
		buf_printf(&classes, "%s\n", s->data.labels[i]);
	err = buf_error(&index) ? buf_error(&index) : buf_error(&classes);
	if (!err) {
		s->data.index_csv = blob_copy(index.data, index.len);
		s->data.classes_txt = blob_copy(classes.len ? classes.data : "", classes.len);
		if (!s->data.index_csv || !s->data.classes_txt)
			err = -ENOMEM;
	}
	buf_done(&index);
	buf_done(&classes);
	items_free(s);
	return err == -EMSGSIZE ? -ENOMEM : err;
}

static void finish(struct catalog *c, int err, const char *why)
{
	struct snapshot *made = c->making;
	struct waiter *waiters, *w, *tmp;

	c->making = NULL;
	pthread_mutex_lock(&c->lock);
	waiters = c->waiters;
	c->waiters = NULL;
	if (!err) {
		snapshot_unref(c->current);
		c->current = made;
		atomic_fetch_add(&made->refs, 1);
	}
	pthread_mutex_unlock(&c->lock);
	LL_FOREACH_SAFE(waiters, w, tmp) {
		w->done(w->arg, err, err ? why : NULL, err ? NULL : &made->data);
		free(w);
	}
	snapshot_unref(made);
}

static int item_add(struct snapshot *s, const struct store_entry *e, size_t max)
{
	struct item *it;

	s->bytes += sizeof(*it) + strlen(e->name) + strlen(e->meta.etag) + 2;
	if (s->bytes > max)
		return -ENOMEM;
	if (s->n == s->room) {
		struct item *more = reallocarray(s->items, s->room ? 2 * s->room : 256, sizeof(*more));
		if (!more)
			return -ENOMEM;
		s->items = more;
		s->room = s->room ? 2 * s->room : 256;
	}
	it = &s->items[s->n];
	*it = (struct item){ strdup(e->name), e->meta.size, strdup(e->meta.etag) };
	s->n++;
	return it->key && it->etag ? 0 : -ENOMEM;
}

static void page_answer(void *arg, int err, const char *why, const struct store_page *page, struct object *const *objects);

static void ask_page(struct catalog *c, const char *token)
{
	const struct store_list list = { .prefix = "", .token = token };

	meta_list(c->view->env.meta, &list, page_answer, c);
}

static void page_answer(void *arg, int err, const char *why, const struct store_page *page, struct object *const *objects)
{
	struct catalog *c = arg;
	struct snapshot *s = c->making;
	char *token;

	(void)objects;
	for (size_t i = 0; !err && i < page->n; i++) {
		err = item_add(s, &page->entries[i], c->view->env.index_max);
		why = "the list of all objects would not fit into memory=";
	}
	if (!err && page->next) {
		token = strdup(page->next);
		if (token) {
			ask_page(c, token);
			free(token);
			return;
		}
		err = -ENOMEM;
	}
	if (!err) {
		err = snapshot_finish(c->view, s);
		why = "the index would not fit into memory=";
		s->made_ms = clock_ms();
		s->data.ttl_ms = c->view->env.metadata_ttl_ms;
	}
	finish(c, err, why);
}

void catalog_expire(struct catalog *c)
{
	struct snapshot *old;

	pthread_mutex_lock(&c->lock);
	old = c->current;
	c->current = NULL;
	pthread_mutex_unlock(&c->lock);
	snapshot_unref(old);
}

void catalog_get(struct catalog *c, catalog_fn *done, void *arg)
{
	const uint64_t ttl = c->view->env.metadata_ttl_ms;
	struct waiter *w;
	struct snapshot *s;
	bool first;

	pthread_mutex_lock(&c->lock);
	s = c->current;
	if (s && !c->waiters && (ttl == META_FOREVER || clock_ms() - s->made_ms < ttl)) {
		struct catalog_data data = s->data;

		atomic_fetch_add(&s->refs, 1);
		pthread_mutex_unlock(&c->lock);
		if (ttl != META_FOREVER)
			data.ttl_ms = ttl - (clock_ms() - s->made_ms < ttl ? clock_ms() - s->made_ms : ttl);
		done(arg, 0, NULL, &data);
		snapshot_unref(s);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		pthread_mutex_unlock(&c->lock);
		done(arg, -ENOMEM, "not enough memory", NULL);
		return;
	}
	*w = (struct waiter){ .done = done, .arg = arg };
	first = c->waiters == NULL;
	LL_APPEND(c->waiters, w);
	pthread_mutex_unlock(&c->lock);
	if (!first)
		return;
	c->making = calloc(1, sizeof(*c->making));
	if (!c->making) {
		finish(c, -ENOMEM, "not enough memory");
		return;
	}
	c->making->refs = 1;
	ask_page(c, NULL);
}
