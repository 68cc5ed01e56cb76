#include "store/meta.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "base/text.h"
#include "store/list_guard.h"
#include "store/meta_pages.h"
#include "store/meta_table.h"

#define PAGES_SHARE 4      /* one part in so many of the memory is for what listings have shown */

struct meta {
	struct store *store;
	uint64_t ttl_ms;
	size_t max_bytes;
	struct stats *stats;
	pthread_mutex_t lock;

	/* under lock */
	struct meta_table table;
	struct meta_pages pages; /* what they take, the table goes without */
	uint64_t last_seq;
};

/* One who waits for a look-up. done is as its kind says. */
struct waiter {
	struct waiter *next;
	union {
		meta_object_fn *object;
		meta_dir_fn *dir;
	} done;
	void *arg;
};

/* One look-up under way. */
struct meta_flight {
	struct meta *m;
	enum meta_kind kind;
	struct meta_date date;
	struct list_guard guard; /* of a directory's pages */
	struct waiter *waiters;  /* under m->lock */
	char key[];
};

struct answer {
	int err;
	const char *why;
	struct object *obj;      /* a reference, or NULL */
	uint64_t ttl_ms;
};

struct listing {
	struct meta *m;
	struct meta_date date;
	struct store_list list;  /* its strings in text */
	meta_list_fn *done;
	void *arg;
	char text[];
};

struct meta *meta_new(struct store *store, uint64_t ttl_ms, size_t max_bytes, struct stats *stats)
{
	struct meta *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->store = store;
	m->ttl_ms = ttl_ms;
	m->stats = stats;
	pthread_mutex_init(&m->lock, NULL);
	m->max_bytes = max_bytes;
	meta_table_init(&m->table, max_bytes);
	meta_pages_init(&m->pages, max_bytes / PAGES_SHARE);
	return m;
}

void meta_free(struct meta *m)
{
	if (!m)
		return;
	meta_table_done(&m->table);
	meta_pages_done(&m->pages);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static void unlock(struct meta *m)
{
	int64_t bytes = (int64_t)(m->table.bytes + m->pages.bytes);

	stats_add(m->stats, STAT_meta_bytes, bytes - stats_get(m->stats, STAT_meta_bytes));
	pthread_mutex_unlock(&m->lock);
}

static struct meta_date date_now_locked(struct meta *m)
{
	return (struct meta_date){ .seq = ++m->last_seq, .ms = clock_ms() };
}

/* How much longer holds what was asked at that date. */
static uint64_t ttl_left(const struct meta *m, struct meta_date date)
{
	uint64_t age = clock_ms() - date.ms;

	if (m->ttl_ms == META_FOREVER)
		return META_FOREVER;
	return age < m->ttl_ms ? m->ttl_ms - age : 0;
}

static struct answer absent(enum meta_kind kind, uint64_t ttl_ms)
{
	return (struct answer){
		.err = -ENOENT,
		.why = kind == META_OBJECT ? "there is no such object" :
		                             "there is no such directory",
		.ttl_ms = ttl_ms,
	};
}

static void tell(enum meta_kind kind, const struct waiter *w, const struct answer *a)
{
	if (kind == META_OBJECT)
		w->done.object(w->arg, a->err, a->why, a->obj, a->ttl_ms);
	else
		w->done.dir(w->arg, a->err, a->why, a->ttl_ms);
}

/* When what still holds was asked for, at the earliest. */
static uint64_t oldest(const struct meta *m)
{
	uint64_t now = clock_ms();

	return m->ttl_ms == META_FOREVER || m->ttl_ms >= now ? 0 : now - m->ttl_ms + 1;
}

/* True if listings have shown whether there is such a directory. */
static bool listed_locked(struct meta *m, const char *dir, struct answer *ret_answer)
{
	struct meta_date date;
	bool exists;

	if (!meta_pages_dir(&m->pages, dir, oldest(m), &exists, &date))
		return false;
	*ret_answer = exists ? (struct answer){ .ttl_ms = ttl_left(m, date) } :
	                       absent(META_DIR, ttl_left(m, date));
	return true;
}

/* True if memory answers; an object comes with a reference. */
static bool known_locked(struct meta *m, enum meta_kind kind, struct meta_entry *e,
                         struct answer *ret_answer)
{
	uint64_t ttl;

	if (!e || e->state == META_UNKNOWN || (ttl = ttl_left(m, e->date)) == 0)
		return false;
	meta_table_touch(&m->table, e);
	if (e->state == META_ABSENT)
		*ret_answer = absent(kind, ttl);
	else
		*ret_answer = (struct answer){ .ttl_ms = ttl,
			                       .obj = e->obj ? object_ref(e->obj) : NULL };
	return true;
}

/* The end of a look-up: whoever asks from now on doesn't join it. */
static void land(struct meta_flight *f, struct answer a)
{
	struct meta *m = f->m;
	struct waiter *w, *next;
	struct meta_entry *e;

	pthread_mutex_lock(&m->lock);
	e = meta_table_find(&m->table, f->kind, f->key, strlen(f->key));
	if (e && e->flight == f)
		meta_table_set_flight(&m->table, e, NULL);
	w = f->waiters;
	unlock(m);
	for (; w; w = next) {
		next = w->next;
		tell(f->kind, w, &a);
		free(w);
	}
	object_unref(a.obj);
	free(f);
}

static void head_done(void *arg, int err, const char *why, const struct object_meta *meta)
{
	struct meta_flight *f = arg;
	struct meta *m = f->m;
	struct answer a = { .err = err, .why = why };

	if (err == -ENOENT) {
		pthread_mutex_lock(&m->lock);
		meta_table_learn(&m->table, META_OBJECT, f->key, strlen(f->key), META_ABSENT,
		                 f->date);
		unlock(m);
		a = absent(META_OBJECT, ttl_left(m, f->date));
	} else if (!err) {
		pthread_mutex_lock(&m->lock);
		a.err = meta_table_learn_object(&m->table, f->key, meta, f->date, &a.obj);
		unlock(m);
		a.why = a.err ? "out of memory" : NULL;
		a.ttl_ms = ttl_left(m, f->date);
	}
	land(f, a);
}

/* Directories shown by name that the name before it didn't show. */
static void learn_dirs_locked(struct meta *m, const char *name, const char *before,
                              struct meta_date date)
{
	size_t shared = 0;

	while (name[shared] && name[shared] == before[shared])
		shared++;
	for (size_t i = shared; name[i]; i++) {
		if (name[i] == '/')
			meta_table_learn(&m->table, META_DIR, name, i + 1, META_PRESENT, date);
	}
}

/* Remembers what a page shows; objects[i], if wanted, gets a reference to entry
 * i's object. The lock is taken for each entry: pages are long. */
static int learn_page(struct meta *m, const struct store_page *page, struct meta_date date,
                      struct object **objects)
{
	const char *before = "";
	int err = 0;

	for (size_t i = 0; i < page->n && !err; i++) {
		const struct store_entry *entry = &page->entries[i];
		struct object *obj = NULL;

		pthread_mutex_lock(&m->lock);
		learn_dirs_locked(m, entry->name, before, date);
		if (!entry->is_prefix)
			err = meta_table_learn_object(&m->table, entry->name, &entry->meta, date,
			                              &obj);
		unlock(m);
		if (objects)
			objects[i] = obj;
		else
			object_unref(obj);
		before = entry->name;
	}
	return err;
}

/* Remembers whether anything is below prefix. */
static void learn_prefix(struct meta *m, const char *prefix, bool exists, struct meta_date date)
{
	pthread_mutex_lock(&m->lock);
	meta_table_learn(&m->table, META_DIR, prefix, strlen(prefix),
	                 exists ? META_PRESENT : META_ABSENT, date);
	unlock(m);
}

/* What couldn't be read is there. */
static bool shows_some(const struct store_page *page)
{
	return page->n > 0 || page->partial;
}

static void dir_page_done(void *arg, int err, const char *why, const struct store_page *page)
{
	struct meta_flight *f = arg;
	struct answer a = { .err = err, .why = why };

	if (!err && page->n == 0 && page->next) {
		struct store_list l = { .prefix = f->key, .token = page->next, .max_keys = 1 };

		a.err = list_guard_check(&f->guard, page, &a.why);
		if (!a.err) {
			list_guard_pass(&f->guard, page);  /* no key: nothing that could fail */
			store_list(f->m->store, &l, dir_page_done, f);
			return;
		}
	} else if (!err) {
		/* What memory can't hold of the page is asked for again. */
		learn_page(f->m, page, f->date, NULL);
		learn_prefix(f->m, f->key, shows_some(page), f->date);
		a.ttl_ms = ttl_left(f->m, f->date);
		if (!shows_some(page))
			a = absent(META_DIR, a.ttl_ms);
	}
	land(f, a);
}

static void take_off(struct meta_flight *f)
{
	struct store_list l = { .prefix = f->key, .max_keys = 1 };

	if (f->kind == META_OBJECT)
		store_head(f->m->store, f->key, head_done, f);
	else
		store_list(f->m->store, &l, dir_page_done, f);
}

/* A look-up of key, not yet sent, with nobody waiting. NULL: no memory. */
static struct meta_flight *flight_new_locked(struct meta *m, enum meta_kind kind, const char *key,
                                             size_t len)
{
	struct meta_entry *e = meta_table_get(&m->table, kind, key, len);
	struct meta_flight *f = e ? calloc(1, sizeof(*f) + len + 1) : NULL;

	if (!f) {
		if (e && !e->flight)
			meta_table_set_flight(&m->table, e, NULL);
		return NULL;
	}
	f->m = m;
	f->kind = kind;
	f->date = date_now_locked(m);
	memcpy(f->key, key, len + 1);
	meta_table_set_flight(&m->table, e, f);
	return f;
}

/* Answers from memory, or joins a look-up, or begins one. */
static void look_up(struct meta *m, enum meta_kind kind, const char *key, struct waiter who)
{
	struct answer a = { .err = -ENOMEM, .why = "out of memory" };
	struct waiter *w = malloc(sizeof(*w));
	struct meta_flight *f = NULL;
	struct meta_entry *e;
	bool is_new = false;

	pthread_mutex_lock(&m->lock);
	e = meta_table_find(&m->table, kind, key, strlen(key));
	if (known_locked(m, kind, e, &a) || (kind == META_DIR && listed_locked(m, key, &a))) {
		stats_add(m->stats, STAT_meta_hits, 1);
	} else if (w) {
		/* Not a look-up sent before the key was forgotten. */
		if (e && e->flight && e->flight->date.seq > e->date.seq)
			f = e->flight;
		else
			is_new = (f = flight_new_locked(m, kind, key, strlen(key))) != NULL;
	}
	if (f) {
		*w = who;
		w->next = f->waiters;
		f->waiters = w;
		w = NULL;
	}
	unlock(m);
	free(w);
	if (is_new) {
		stats_add(m->stats, STAT_meta_misses, 1);
		take_off(f);
	}
	if (!f) {
		tell(kind, &who, &a);
		object_unref(a.obj);
	}
}

void meta_object(struct meta *m, const char *key, meta_object_fn *done, void *arg)
{
	struct waiter who = { .done.object = done, .arg = arg };
	size_t len = strlen(key);
	struct answer never = absent(META_OBJECT, m->ttl_ms);

	if (len == 0 || len > OBJECT_KEY_MAX || key[len - 1] == '/')
		tell(META_OBJECT, &who, &never);
	else
		look_up(m, META_OBJECT, key, who);
}

void meta_dir(struct meta *m, const char *prefix, meta_dir_fn *done, void *arg)
{
	struct waiter who = { .done.dir = done, .arg = arg };
	size_t len = strlen(prefix);
	struct answer never = absent(META_DIR, m->ttl_ms);

	if (len > OBJECT_KEY_MAX || (len > 0 && prefix[len - 1] != '/'))
		tell(META_DIR, &who, &never);
	else
		look_up(m, META_DIR, prefix, who);
}

static void remember_page(struct meta *m, const struct listing *l, const struct store_page *page)
{
	pthread_mutex_lock(&m->lock);
	meta_pages_add(&m->pages, &l->list, page, l->date, oldest(m));
	meta_table_set_max(&m->table, m->max_bytes - m->pages.bytes);
	unlock(m);
}

/* Of a whole directory an empty page says that nothing is there. */
static bool is_whole(const struct store_list *l)
{
	size_t len = strlen(l->prefix);

	return !l->token && (len == 0 || l->prefix[len - 1] == '/');
}

static void list_done(void *arg, int err, const char *why, const struct store_page *page)
{
	struct listing *l = arg;
	struct object **objects = NULL;

	if (!err) {
		stats_add(l->m->stats, STAT_meta_pages, 1);
		objects = calloc(page->n ? page->n : 1, sizeof(*objects));
		err = objects ? learn_page(l->m, page, l->date, objects) : -ENOMEM;
		why = err ? "out of memory" : NULL;
	}
	if (!err && is_whole(&l->list) && (page->n > 0 || !page->next))
		learn_prefix(l->m, l->list.prefix, shows_some(page), l->date);
	if (!err)
		remember_page(l->m, l, page);
	l->done(l->arg, err, why, err ? NULL : page, err ? NULL : objects);
	for (size_t i = 0; objects && i < page->n; i++)
		object_unref(objects[i]);
	free(objects);
	free(l);
}

void meta_list(struct meta *m, const struct store_list *l, meta_list_fn *done, void *arg)
{
	size_t prefix = strlen(l->prefix) + 1, token = l->token ? strlen(l->token) + 1 : 0;
	struct listing *listing = calloc(1, sizeof(*listing) + prefix + token);

	if (!listing) {
		done(arg, -ENOMEM, "out of memory", NULL, NULL);
		return;
	}
	listing->m = m;
	listing->list = *l;
	listing->list.prefix = memcpy(listing->text, l->prefix, prefix);
	if (l->token)
		listing->list.token = memcpy(listing->text + prefix, l->token, token);
	listing->done = done;
	listing->arg = arg;
	pthread_mutex_lock(&m->lock);
	listing->date = date_now_locked(m);
	unlock(m);
	store_list(m->store, l, list_done, listing);
}

int meta_siblings(struct meta *m, const char *prefix, char **ret_names, uint64_t *ret_ttl_ms)
{
	struct meta_date date;
	int err;

	pthread_mutex_lock(&m->lock);
	err = meta_pages_siblings(&m->pages, prefix, oldest(m), ret_names, &date);
	unlock(m);
	if (err)
		return err;
	stats_add(m->stats, STAT_meta_hits, 1);
	*ret_ttl_ms = ttl_left(m, date);
	return 0;
}

void meta_forget(struct meta *m, const char *key)
{
	pthread_mutex_lock(&m->lock);
	meta_table_forget(&m->table, key, date_now_locked(m));
	unlock(m);
}

bool meta_current(struct meta *m, const struct object *obj)
{
	bool current;

	pthread_mutex_lock(&m->lock);
	current = meta_table_current(&m->table, obj);
	unlock(m);
	return current;
}
