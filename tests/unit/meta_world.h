/* meta_world.h - for tests: a cache of metadata over a store answered by hand.
 * Used from one thread. */
#ifndef S3SAMPLEFS_TESTS_META_WORLD_H
#define S3SAMPLEFS_TESTS_META_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/stats.h"
#include "base/text.h"
#include "hand_store.h"
#include "store/meta.h"
#include "store/meta_table.h"

static struct stats stats;
static struct hand_store hand;
static struct meta *meta;

static const struct object_meta v1 = { .size = 10, .mtime_ns = 1, .etag = "v1" };
static const struct object_meta v2 = { .size = 20, .mtime_ns = 2, .etag = "v2" };

/* An answer; obj is a reference. */
struct answer {
	int count, err;
	char why[STORE_WHY_MAX];
	struct object *obj;
	uint64_t ttl_ms;
};

/* With room for so many objects of short names. */
static inline void new_meta(uint64_t ttl_ms, size_t objects)
{
	meta_free(meta);
	meta = meta_new(&hand.store, ttl_ms, objects * meta_entry_bytes(1, true), &stats);
	assert_non_null(meta);
}

static inline int set_up(void **state)
{
	(void)state;
	memset(&stats, 0, sizeof(stats));
	hand_init(&hand, &stats);
	new_meta(META_FOREVER, 1000);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	meta_free(meta);
	meta = NULL;
	return hand.n == 0 ? 0 : -1;
}

static inline void object_done(void *arg, int err, const char *why, struct object *obj, uint64_t ttl_ms)
{
	struct answer *a = arg;

	assert_true((err == 0) == (obj != NULL));
	assert_true((err == 0) == (why == NULL));
	a->count++;
	a->err = err;
	snprintf(a->why, sizeof(a->why), "%s", why ? why : "");
	object_unref(a->obj);
	a->obj = obj ? object_ref(obj) : NULL;
	a->ttl_ms = ttl_ms;
}

static inline void dir_done(void *arg, int err, const char *why, uint64_t ttl_ms)
{
	struct answer *a = arg;

	assert_true((err == 0) == (why == NULL));
	a->count++;
	a->err = err;
	snprintf(a->why, sizeof(a->why), "%s", why ? why : "");
	a->ttl_ms = ttl_ms;
}

/* What memory says of key, or -EAGAIN if the store was asked, which is then
 * answered with an error. No reference is kept. */
static inline int known_object(const char *key, struct object **ret_obj)
{
	struct answer a = { 0 };
	size_t before = hand.n;

	meta_object(meta, key, object_done, &a);
	if (hand.n > before) {
		assert_int_equal(hand.requests[before].kind, 'h');
		hand_fail(&hand, before, -EIO, "not asked for");
		assert_int_equal(a.err, -EIO);
		return -EAGAIN;
	}
	assert_int_equal(a.count, 1);
	if (ret_obj)
		*ret_obj = a.obj;
	object_unref(a.obj);
	return a.err;
}

static inline int known_dir(const char *prefix)
{
	struct answer a = { 0 };
	size_t before = hand.n;

	meta_dir(meta, prefix, dir_done, &a);
	if (hand.n > before) {
		hand_fail(&hand, before, -EIO, "not asked for");
		return -EAGAIN;
	}
	assert_int_equal(a.count, 1);
	return a.err;
}

/* Asks for key, has the store answer with version. Returns a reference. */
static inline struct object *learn(const char *key, const struct object_meta *version)
{
	struct answer a = { 0 };

	meta_object(meta, key, object_done, &a);
	assert_int_equal(hand.n, 1);
	hand_found(&hand, 0, version);
	assert_int_equal(a.err, 0);
	return a.obj;
}

static inline void answer_page(const char *const *names, size_t n, const char *next)
{
	struct store_entry entries[16] = { { 0 } };
	struct store_page page = { .entries = entries, .n = n, .next = next };

	for (size_t i = 0; i < n; i++) {
		entries[i].name = names[i];
		entries[i].is_prefix = names[i][strlen(names[i]) - 1] == '/';
		if (!entries[i].is_prefix)
			entries[i].meta = v1;
	}
	hand_page(&hand, 0, &page);
}

struct listed {
	int count, err;
	size_t n;
	struct object *objects[16]; /* references */
};

static inline void list_done(void *arg, int err, const char *why, const struct store_page *page,
                      struct object *const *objects)
{
	struct listed *l = arg;

	assert_true((err == 0) == (why == NULL));
	l->count++;
	l->err = err;
	if (err)
		return;
	l->n = page->n;
	for (size_t i = 0; i < page->n; i++) {
		assert_true(page->entries[i].is_prefix == (objects[i] == NULL));
		if (objects[i])
			assert_string_equal(objects[i]->key, page->entries[i].name);
		l->objects[i] = objects[i] ? object_ref(objects[i]) : NULL;
	}
}

static inline void list(const char *prefix, const char *token, bool delimiter, const char *const *names,
                 size_t n)
{
	struct store_list l = { .prefix = prefix, .token = token, .delimiter = delimiter };
	struct listed got = { 0 };

	meta_list(meta, &l, list_done, &got);
	assert_int_equal(hand.n, 1);
	assert_string_equal(hand.requests[0].key, prefix);
	answer_page(names, n, NULL);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.n, n);
	for (size_t i = 0; i < n; i++)
		object_unref(got.objects[i]);
}

/* What listings say stands beside one another: names with a space between, or NULL. */
static inline const char *known_siblings(const char *prefix)
{
	static char text[256];
	char *names;
	uint64_t ttl;
	int err = meta_siblings(meta, prefix, &names, &ttl);

	if (err) {
		assert_int_equal(err, -EAGAIN);
		return NULL;
	}
	text[0] = '\0';
	for (const char *name = names; *name; name += strlen(name) + 1)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", text[0] ? " " : "", name);
	free(names);
	return text;
}

/* One page of those that a listing comes in. */
static inline void list_page(const char *prefix, const char *token, bool delimiter, const char *const *names,
                      size_t n, const char *next)
{
	struct store_list l = { .prefix = prefix, .token = token, .delimiter = delimiter };
	struct listed got = { 0 };

	meta_list(meta, &l, list_done, &got);
	answer_page(names, n, next);
	assert_int_equal(got.err, 0);
	for (size_t i = 0; i < got.n; i++)
		object_unref(got.objects[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
