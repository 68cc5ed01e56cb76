#include "store/meta_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct name {
	size_t len;
	char text[1 + OBJECT_KEY_MAX];
};

static struct name make_name(enum meta_kind kind, const char *key, size_t len)
{
	struct name n = { .len = 1 + len };

	n.text[0] = (char)kind;
	memcpy(n.text + 1, key, len);
	return n;
}

size_t meta_entry_bytes(size_t key_len, bool has_object)
{
	/* Its place in the hash's buckets; malloc's own, twice. */
	const size_t around = 2 * sizeof(void *), heap = 2 * sizeof(void *);

	return sizeof(struct meta_entry) + 1 + key_len + around + heap +
	       (has_object ? sizeof(struct object) + key_len + 1 + heap : 0);
}

static size_t weight(const struct meta_entry *e)
{
	/* The name begins with the kind. */
	return meta_entry_bytes(e->hh.keylen - 1, e->obj != NULL);
}

static void entry_free(struct meta_table *t, struct meta_entry *e)
{
	t->bytes -= weight(e);
	HASH_DELETE(hh, t->entries, e);
	object_unref(e->obj);
	free(e);
}

void meta_table_init(struct meta_table *t, size_t max_bytes)
{
	memset(t, 0, sizeof(*t));
	t->max_bytes = max_bytes;
}

void meta_table_done(struct meta_table *t)
{
	struct meta_entry *e, *next;

	HASH_ITER(hh, t->entries, e, next)
		entry_free(t, e);
}

static struct meta_entry *find(struct meta_table *t, const struct name *n)
{
	struct meta_entry *e;

	HASH_FIND(hh, t->entries, n->text, n->len, e);
	return e;
}

struct meta_entry *meta_table_find(struct meta_table *t, enum meta_kind kind, const char *key,
                                   size_t len)
{
	struct name n;

	if (len > OBJECT_KEY_MAX)
		return NULL;
	n = make_name(kind, key, len);
	return find(t, &n);
}

/* Lets the least recently used go until the bound holds; keep stays. Entries of
 * look-ups under way aren't in the list: they may pass the bound for as long as
 * they are asked. */
static void trim(struct meta_table *t, const struct meta_entry *keep)
{
	struct meta_entry *oldest;

	while (t->bytes > t->max_bytes && (oldest = t->lru) && oldest != keep) {
		DL_DELETE(t->lru, oldest);
		entry_free(t, oldest);
	}
}

void meta_table_set_max(struct meta_table *t, size_t max_bytes)
{
	t->max_bytes = max_bytes;
	trim(t, NULL);
}

/* Takes over a reference to obj, or none (NULL). */
static void set_object(struct meta_table *t, struct meta_entry *e, struct object *obj)
{
	t->bytes -= weight(e);
	object_unref(e->obj);
	e->obj = obj;
	t->bytes += weight(e);
}

struct meta_entry *meta_table_get(struct meta_table *t, enum meta_kind kind, const char *key,
                                  size_t len)
{
	struct meta_entry *e;
	struct name n;

	if (len > OBJECT_KEY_MAX)
		return NULL;
	n = make_name(kind, key, len);
	e = find(t, &n);
	if (e)
		return e;
	e = calloc(1, sizeof(*e) + n.len);
	if (!e)
		return NULL;
	memcpy(e->name, n.text, n.len);
	HASH_ADD_KEYPTR(hh, t->entries, e->name, n.len, e);
	if (!table_added(e)) {
		free(e);
		return NULL;
	}
	t->bytes += weight(e);
	trim(t, NULL);
	DL_APPEND(t->lru, e);
	return e;
}

void meta_table_touch(struct meta_table *t, struct meta_entry *e)
{
	if (e->flight)
		return;
	DL_DELETE(t->lru, e);
	DL_APPEND(t->lru, e);
}

void meta_table_set_flight(struct meta_table *t, struct meta_entry *e, struct meta_flight *flight)
{
	if (flight && !e->flight)
		DL_DELETE(t->lru, e);
	else if (!flight && e->flight)
		DL_APPEND(t->lru, e);
	e->flight = flight;
	if (flight)
		return;
	if (e->state == META_UNKNOWN && e->date.seq == 0) {
		DL_DELETE(t->lru, e);
		entry_free(t, e);
	} else {
		trim(t, e);
	}
}

static bool same_version(const struct object_meta *a, const struct object_meta *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns && strcmp(a->etag, b->etag) == 0;
}

int meta_table_learn_object(struct meta_table *t, const char *key, const struct object_meta *meta,
                            struct meta_date date, struct object **ret_obj)
{
	struct meta_entry *e = meta_table_get(t, META_OBJECT, key, strlen(key));
	struct object *obj;

	if (e && e->obj && same_version(&e->obj->meta, meta)) {
		obj = object_ref(e->obj);
	} else {
		obj = object_new(key, meta);
		if (!obj)
			return -ENOMEM;
		t->last_id = obj->id;
	}
	if (e && date.seq > e->date.seq) {
		if (e->obj != obj)
			set_object(t, e, object_ref(obj));
		e->state = META_PRESENT;
		e->date = date;
		meta_table_touch(t, e);
		trim(t, e);
	}
	*ret_obj = obj;
	return 0;
}

void meta_table_learn(struct meta_table *t, enum meta_kind kind, const char *key, size_t len,
                      enum meta_state state, struct meta_date date)
{
	struct meta_entry *e = meta_table_get(t, kind, key, len);

	if (!e || date.seq <= e->date.seq)
		return;
	set_object(t, e, NULL);
	e->state = state;
	e->date = date;
	meta_table_touch(t, e);
}

void meta_table_forget(struct meta_table *t, const char *key, struct meta_date date)
{
	struct meta_entry *e = meta_table_get(t, META_OBJECT, key, strlen(key));

	meta_table_learn(t, META_OBJECT, key, strlen(key), META_UNKNOWN, date);
	if (e)
		e->forgotten_id = t->last_id;
}

bool meta_table_current(struct meta_table *t, const struct object *obj)
{
	struct meta_entry *e = meta_table_find(t, META_OBJECT, obj->key, strlen(obj->key));

	if (!e || e->date.seq == 0)
		return true;
	if (obj->id <= e->forgotten_id)
		return false;
	/* Not by pointer: an object that outlived its entry is still current. */
	return e->state == META_PRESENT && same_version(&e->obj->meta, &obj->meta);
}
