/* The cache of object metadata: one request for many, answers that expire, and
 * which version is current. */
#include "meta_world.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_look_ups_of_a_key_cost_one_head),
		TEST(absence_is_remembered),
		TEST(failures_are_not_remembered),
		TEST(names_that_cannot_be_objects_are_not_asked_for),
		TEST(a_page_teaches_objects_and_all_directories_above_them),
		TEST(a_page_with_delimiter_teaches_directories),
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
