/* The cache of object metadata: one request for many, answers that expire, what
 * listings teach, and which version is current. */
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
static void new_meta(uint64_t ttl_ms, size_t objects)
{
	meta_free(meta);
	meta = meta_new(&hand.store, ttl_ms, objects * meta_entry_bytes(1, true), &stats);
	assert_non_null(meta);
}

static int set_up(void **state)
{
	(void)state;
	memset(&stats, 0, sizeof(stats));
	hand_init(&hand, &stats);
	new_meta(META_FOREVER, 1000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	meta_free(meta);
	meta = NULL;
	return hand.n == 0 ? 0 : -1;
}

static void object_done(void *arg, int err, const char *why, struct object *obj, uint64_t ttl_ms)
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

static void dir_done(void *arg, int err, const char *why, uint64_t ttl_ms)
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
static int known_object(const char *key, struct object **ret_obj)
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

static int known_dir(const char *prefix)
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
static struct object *learn(const char *key, const struct object_meta *version)
{
	struct answer a = { 0 };

	meta_object(meta, key, object_done, &a);
	assert_int_equal(hand.n, 1);
	hand_found(&hand, 0, version);
	assert_int_equal(a.err, 0);
	return a.obj;
}

static void answer_page(const char *const *names, size_t n, const char *next)
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

static void list_done(void *arg, int err, const char *why, const struct store_page *page,
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

static void list(const char *prefix, const char *token, bool delimiter, const char *const *names,
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

static void many_look_ups_of_a_key_cost_one_head(void **state)
{
	struct answer a[50] = { { 0 } };
	struct object *first;

	(void)state;
	for (size_t i = 0; i < 50; i++)
		meta_object(meta, "a/b", object_done, &a[i]);
	assert_int_equal(hand.n, 1);
	assert_int_equal(hand.requests[0].kind, 'h');
	assert_string_equal(hand.requests[0].key, "a/b");
	hand_found(&hand, 0, &v1);
	first = a[0].obj;
	assert_string_equal(first->key, "a/b");
	assert_int_equal(first->meta.size, 10);
	for (size_t i = 0; i < 50; i++) {
		assert_int_equal(a[i].count, 1);
		assert_ptr_equal(a[i].obj, first);
		assert_true(a[i].ttl_ms == META_FOREVER);
	}
	for (size_t i = 0; i < 50; i++)
		object_unref(a[i].obj);
	assert_int_equal(known_object("a/b", NULL), 0);
	assert_int_equal(stats_get(&stats, STAT_meta_misses), 1);
	assert_int_equal(stats_get(&stats, STAT_meta_hits), 1);
}

static void absence_is_remembered(void **state)
{
	struct answer a = { 0 };

	(void)state;
	meta_object(meta, "a", object_done, &a);
	hand_fail(&hand, 0, -ENOENT, "404");
	assert_int_equal(a.err, -ENOENT);
	assert_true(a.ttl_ms == META_FOREVER);
	assert_int_equal(known_object("a", NULL), -ENOENT);
	meta_dir(meta, "d/", dir_done, &a);
	assert_int_equal(hand.requests[0].kind, 'l');
	assert_int_equal(hand.requests[0].max_keys, 1);
	assert_false(hand.requests[0].delimiter);
	answer_page(NULL, 0, NULL);
	assert_int_equal(a.err, -ENOENT);
	assert_int_equal(known_dir("d/"), -ENOENT);
}

static void failures_are_not_remembered(void **state)
{
	struct answer a = { 0 }, b = { 0 };

	(void)state;
	meta_object(meta, "a", object_done, &a);
	meta_object(meta, "a", object_done, &b);
	hand_fail(&hand, 0, -EACCES, "403 AccessDenied");
	assert_int_equal(a.err, -EACCES);
	assert_string_equal(b.why, "403 AccessDenied");
	assert_int_equal(known_object("a", NULL), -EAGAIN);
	meta_dir(meta, "a/", dir_done, &a);
	hand_fail(&hand, 0, -ETIMEDOUT, "slow");
	assert_int_equal(a.err, -ETIMEDOUT);
	assert_int_equal(known_dir("a/"), -EAGAIN);
}

static void names_that_cannot_be_objects_are_not_asked_for(void **state)
{
	char longest[OBJECT_KEY_MAX + 2];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(known_object("", NULL), -ENOENT);
	assert_int_equal(known_object("a/", NULL), -ENOENT);
	assert_int_equal(known_object(longest, NULL), -ENOENT);
	assert_int_equal(known_dir("a"), -ENOENT);
	longest[OBJECT_KEY_MAX] = '/';
	assert_int_equal(known_dir(longest), -ENOENT);
	assert_int_equal(hand.total, 0);
	longest[OBJECT_KEY_MAX] = '\0'; /* just fits */
	object_unref(learn(longest, &v1));
	assert_int_equal(known_object(longest, NULL), 0);
}

static void a_page_teaches_objects_and_all_directories_above_them(void **state)
{
	static const char *const names[] = { "a/b/1", "a/b/2", "a/c/d/3", "e" };
	struct object *obj;

	(void)state;
	list("", NULL, false, names, 4);
	assert_int_equal(known_object("a/b/1", &obj), 0);
	assert_string_equal(obj->meta.etag, "v1");
	assert_int_equal(known_object("a/b/2", NULL), 0);
	assert_int_equal(known_object("a/c/d/3", NULL), 0);
	assert_int_equal(known_object("e", NULL), 0);
	assert_int_equal(known_dir(""), 0);
	assert_int_equal(known_dir("a/"), 0);
	assert_int_equal(known_dir("a/b/"), 0);
	assert_int_equal(known_dir("a/c/"), 0);
	assert_int_equal(known_dir("a/c/d/"), 0);
	assert_int_equal(known_dir("e/"), -EAGAIN);
	assert_int_equal(known_object("f", NULL), -EAGAIN);
}

static void a_page_with_delimiter_teaches_directories(void **state)
{
	static const char *const names[] = { "a/1", "a/b/", "a/c/" };

	(void)state;
	list("a/", NULL, true, names, 3);
	assert_int_equal(known_object("a/1", NULL), 0);
	assert_int_equal(known_dir("a/b/"), 0);
	assert_int_equal(known_dir("a/c/"), 0);
	assert_int_equal(known_dir("a/"), 0);
}

static void a_whole_level_teaches_which_directories_there_are_not(void **state)
{
	static const char *const names[] = { "a/1", "a/b/" };

	(void)state;
	list("a/", NULL, true, names, 2);
	assert_int_equal(known_dir("a/d/"), -ENOENT);
	assert_int_equal(known_dir("a/1/"), -ENOENT);
	assert_int_equal(known_dir("a/1.npy/"), -ENOENT);
	/* Not this level. */
	assert_int_equal(known_dir("a/b/c/"), -EAGAIN);
	assert_int_equal(known_dir("d/"), -EAGAIN);
	assert_int_equal(known_dir("aa/"), -EAGAIN);
}

static void a_page_tells_nothing_of_what_lies_outside_of_it(void **state)
{
	static const char *const names[] = { "a/b", "a/m/" };
	struct store_list l = { .prefix = "a/", .delimiter = true };
	struct listed got = { 0 };

	(void)state;
	meta_list(meta, &l, list_done, &got);
	answer_page(names, 2, "next");
	object_unref(got.objects[0]);
	assert_int_equal(known_dir("a/a/"), -ENOENT);
	assert_int_equal(known_dir("a/c/"), -ENOENT);
	assert_int_equal(known_dir("a/n/"), -EAGAIN);

	l.token = "next";
	meta_list(meta, &l, list_done, &got);
	answer_page((const char *const[]){ "a/p", "a/q" }, 2, NULL);
	object_unref(got.objects[0]);
	object_unref(got.objects[1]);
	assert_int_equal(known_dir("a/n/"), -EAGAIN);
	assert_int_equal(known_dir("a/p/"), -ENOENT);
	assert_int_equal(known_dir("a/z/"), -ENOENT);
}

static void a_page_out_of_order_or_without_delimiter_teaches_no_absence(void **state)
{
	static const char *const names[] = { "a/m", "a/b" };
	struct store_list l = { .prefix = "a/", .delimiter = true };
	struct listed got = { 0 };

	(void)state;
	meta_list(meta, &l, list_done, &got);
	answer_page(names, 2, "next");
	object_unref(got.objects[0]);
	object_unref(got.objects[1]);
	assert_int_equal(known_dir("a/c/"), -EAGAIN);
	list("b/", NULL, false, (const char *const[]){ "b/1", "b/x/2" }, 2);
	assert_int_equal(known_dir("b/c/"), -EAGAIN);
}

/* An entry that had to go may have said that the directory is there. */
static void absence_is_not_believed_after_entries_went(void **state)
{
	static const char *const names[] = { "a/1", "a/2", "a/b/" };

	(void)state;
	new_meta(META_FOREVER, 2);
	list("a/", NULL, true, names, 3);
	assert_int_equal(known_dir("a/c/"), -EAGAIN);
}

static void a_younger_answer_wins_over_an_older_listing(void **state)
{
	static const char *const names[] = { "a/1" };
	struct answer a = { 0 };

	(void)state;
	new_meta(0, 1000);
	list("a/", NULL, true, names, 1);
	/* The ttl is over: asked again. */
	meta_dir(meta, "a/b/", dir_done, &a);
	assert_int_equal(hand.n, 1);
	answer_page((const char *const[]){ "a/b/x" }, 1, NULL);
	assert_int_equal(a.err, 0);
	new_meta(META_FOREVER, 1000);
	list("a/", NULL, true, names, 1);
	list("a/b/", NULL, true, (const char *const[]){ "a/b/x" }, 1);
	assert_int_equal(known_dir("a/b/"), 0);
}

static void an_empty_first_page_says_that_nothing_is_there(void **state)
{
	(void)state;
	list("a/", NULL, true, NULL, 0);
	assert_int_equal(known_dir("a/"), -ENOENT);
	list("b/", "b/x", true, NULL, 0);
	assert_int_equal(known_dir("b/"), -EAGAIN);
	list("c", NULL, true, NULL, 0);
	assert_int_equal(known_dir("c/"), -EAGAIN);
}

static void a_directory_look_up_reads_over_empty_pages(void **state)
{
	static const char *const names[] = { "a/x" };
	struct answer a = { 0 };

	(void)state;
	meta_dir(meta, "a/", dir_done, &a);
	answer_page(NULL, 0, "more");
	assert_int_equal(a.count, 0);
	assert_string_equal(hand.requests[0].token, "more");
	answer_page(names, 1, NULL);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.err, 0);
	assert_int_equal(known_object("a/x", NULL), 0);
	meta_dir(meta, "b/", dir_done, &a);
	for (int i = 0; hand.n > 0; i++) {
		assert_true(i < 1000);
		answer_page(NULL, 0, "more");
	}
	assert_int_equal(a.err, -EPROTO);
}

static void a_failed_page_is_passed_on(void **state)
{
	struct store_list l = { .prefix = "" };
	struct listed got = { 0 };

	(void)state;
	meta_list(meta, &l, list_done, &got);
	hand_fail(&hand, 0, -EACCES, "403");
	assert_int_equal(got.count, 1);
	assert_int_equal(got.err, -EACCES);
	assert_int_equal(known_dir(""), -EAGAIN);
}

static void the_same_version_stays_the_same_object(void **state)
{
	static const char *const names[] = { "a" };
	struct object *obj = learn("a", &v1), *again;

	(void)state;
	list("", NULL, true, names, 1);
	assert_int_equal(known_object("a", &again), 0);
	assert_ptr_equal(again, obj);
	object_unref(obj);
	/* Also when the answer was too old to be believed. */
	new_meta(0, 1000);
	obj = learn("a", &v1);
	again = learn("a", &v1);
	assert_ptr_equal(again, obj);
	object_unref(again);
	again = learn("a", &v2);
	assert_ptr_not_equal(again, obj);
	object_unref(again);
	object_unref(obj);
}

static void an_answer_ends_with_its_ttl(void **state)
{
	struct answer a = { 0 };
	uint64_t end;

	(void)state;
	new_meta(50, 1000);
	meta_object(meta, "a", object_done, &a);
	hand_found(&hand, 0, &v1);
	assert_true(a.ttl_ms <= 50);
	/* The clock is what is tested: watch it until the answer is too old. */
	end = clock_ms() + 50;
	while (clock_ms() <= end)
		;
	meta_object(meta, "a", object_done, &a);
	assert_int_equal(hand.n, 1);
	hand_fail(&hand, 0, -ENOENT, "404");
	assert_int_equal(a.err, -ENOENT);
	object_unref(a.obj);
}

static void with_no_ttl_look_ups_still_join(void **state)
{
	struct answer a = { 0 }, b = { 0 };

	(void)state;
	new_meta(0, 1000);
	meta_object(meta, "a", object_done, &a);
	meta_object(meta, "a", object_done, &b);
	assert_int_equal(hand.n, 1);
	hand_found(&hand, 0, &v1);
	assert_int_equal(a.ttl_ms + b.ttl_ms, 0);
	assert_ptr_equal(a.obj, b.obj);
	object_unref(a.obj);
	object_unref(b.obj);
	assert_int_equal(known_object("a", NULL), -EAGAIN);
}

static void a_replaced_object_is_not_current(void **state)
{
	static const char *const names[] = { "a" };
	struct object *obj, *old;

	(void)state;
	new_meta(0, 1000);
	old = learn("a", &v2);
	assert_true(meta_current(meta, old));
	list("", NULL, true, names, 1); /* shows v1 */
	assert_false(meta_current(meta, old));
	obj = learn("a", &v1);
	assert_true(meta_current(meta, obj));
	object_unref(old);
	object_unref(obj);
}

static void a_deleted_object_is_not_current(void **state)
{
	struct answer a = { 0 };
	struct object *obj;

	(void)state;
	new_meta(0, 1000);
	obj = learn("a", &v1);
	meta_object(meta, "a", object_done, &a);
	hand_fail(&hand, 0, -ENOENT, "404");
	assert_false(meta_current(meta, obj));
	object_unref(obj);
}

static void a_failed_refresh_changes_nothing(void **state)
{
	struct object *obj, *again;

	(void)state;
	new_meta(0, 1000);
	obj = learn("a", &v1);
	assert_int_equal(known_object("a", NULL), -EAGAIN);
	assert_true(meta_current(meta, obj));
	again = learn("a", &v1);
	assert_ptr_equal(again, obj);
	object_unref(again);
	object_unref(obj);
}

static void what_was_forgotten_is_asked_again(void **state)
{
	struct object *obj = learn("a", &v1), *again;

	(void)state;
	meta_forget(meta, "a");
	assert_false(meta_current(meta, obj));
	assert_int_equal(known_object("a", NULL), -EAGAIN);
	again = learn("a", &v1);
	assert_ptr_not_equal(again, obj);
	assert_true(meta_current(meta, again));
	assert_false(meta_current(meta, obj));
	object_unref(again);
	object_unref(obj);
	meta_forget(meta, "never seen");
	assert_int_equal(known_object("never seen", NULL), -EAGAIN);
}

static void an_answer_from_before_the_forgetting_does_not_count(void **state)
{
	static const char *const names[] = { "a" };
	struct store_list l = { .prefix = "" };
	struct answer old = { 0 }, new = { 0 };
	struct listed page = { 0 };

	(void)state;
	meta_object(meta, "a", object_done, &old);
	meta_list(meta, &l, list_done, &page);
	meta_forget(meta, "a");
	meta_object(meta, "a", object_done, &new);
	assert_int_equal(hand.n, 3);
	hand_found(&hand, 0, &v1);
	assert_int_equal(old.err, 0);
	assert_int_equal(new.count, 0);
	answer_page(names, 1, NULL);
	assert_int_equal(new.count, 0);
	hand_found(&hand, 0, &v2);
	assert_string_equal(new.obj->meta.etag, "v2");
	assert_true(meta_current(meta, new.obj));
	assert_false(meta_current(meta, old.obj));
	assert_false(meta_current(meta, page.objects[0]));
	object_unref(old.obj);
	object_unref(new.obj);
	object_unref(page.objects[0]);
}

static void an_answer_that_was_overtaken_does_not_count(void **state)
{
	static const char *const names[] = { "a" };
	struct store_list l = { .prefix = "" };
	struct listed page = { 0 };
	struct object *obj, *known;

	(void)state;
	meta_list(meta, &l, list_done, &page);
	{
		struct answer a = { 0 };

		meta_object(meta, "a", object_done, &a);
		hand_found(&hand, 1, &v2);
		obj = a.obj;
	}
	answer_page(names, 1, NULL); /* v1, asked for first */
	assert_int_equal(known_object("a", &known), 0);
	assert_ptr_equal(known, obj);
	assert_true(meta_current(meta, obj));
	object_unref(obj);
	object_unref(page.objects[0]);
}

static void the_least_recently_used_entry_goes(void **state)
{
	struct object *a, *b, *c, *again;

	(void)state;
	new_meta(META_FOREVER, 2);
	a = learn("a", &v1);
	b = learn("b", &v1);
	assert_int_equal(known_object("a", NULL), 0);
	c = learn("c", &v1); /* b goes */
	assert_int_equal(known_object("a", NULL), 0);
	assert_int_equal(known_object("c", NULL), 0);
	assert_true(meta_current(meta, b));
	again = learn("b", &v1); /* a goes */
	assert_true(meta_current(meta, b));
	assert_int_equal(known_object("c", NULL), 0);
	assert_int_equal(known_object("a", NULL), -EAGAIN);
	object_unref(a);
	object_unref(b);
	object_unref(c);
	object_unref(again);
}

static void look_ups_under_way_survive_the_bound(void **state)
{
	struct answer a[5] = { { 0 } };
	static const char *const keys[] = { "0", "1", "2", "3", "4" };

	(void)state;
	new_meta(META_FOREVER, 2);
	for (size_t i = 0; i < 5; i++) {
		meta_object(meta, keys[i], object_done, &a[i]);
		meta_object(meta, keys[i], object_done, &a[i]);
	}
	assert_int_equal(hand.n, 5);
	while (hand.n > 0)
		hand_found(&hand, 0, &v1);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(a[i].count, 2);
		object_unref(a[i].obj);
	}
	object_unref(learn("5", &v1));
	assert_int_equal(known_object("5", NULL), 0);
	assert_int_equal(known_object("4", NULL), 0);
	assert_int_equal(known_object("3", NULL), -EAGAIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_look_ups_of_a_key_cost_one_head),
		TEST(absence_is_remembered),
		TEST(failures_are_not_remembered),
		TEST(names_that_cannot_be_objects_are_not_asked_for),
		TEST(a_page_teaches_objects_and_all_directories_above_them),
		TEST(a_page_with_delimiter_teaches_directories),
		TEST(a_whole_level_teaches_which_directories_there_are_not),
		TEST(a_page_tells_nothing_of_what_lies_outside_of_it),
		TEST(a_page_out_of_order_or_without_delimiter_teaches_no_absence),
		TEST(absence_is_not_believed_after_entries_went),
		TEST(a_younger_answer_wins_over_an_older_listing),
		TEST(an_empty_first_page_says_that_nothing_is_there),
		TEST(a_directory_look_up_reads_over_empty_pages),
		TEST(a_failed_page_is_passed_on),
		TEST(the_same_version_stays_the_same_object),
		TEST(an_answer_ends_with_its_ttl),
		TEST(with_no_ttl_look_ups_still_join),
		TEST(a_replaced_object_is_not_current),
		TEST(a_deleted_object_is_not_current),
		TEST(a_failed_refresh_changes_nothing),
		TEST(what_was_forgotten_is_asked_again),
		TEST(an_answer_from_before_the_forgetting_does_not_count),
		TEST(an_answer_that_was_overtaken_does_not_count),
		TEST(the_least_recently_used_entry_goes),
		TEST(look_ups_under_way_survive_the_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
