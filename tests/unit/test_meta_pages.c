/* What listings teach of names that aren't there, and of those beside one another. */
#include "meta_world.h"

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

static void a_listing_of_all_teaches_which_directories_there_are_not(void **state)
{
	static const char *const names[] = { "a/b/1.mp4", "a/b/1.wav", "a/c/d/3", "e" };

	(void)state;
	list("", NULL, false, names, 4);
	assert_int_equal(known_dir("a/b/1.mp4/"), -ENOENT);
	assert_int_equal(known_dir("a/b/1.wav/"), -ENOENT);
	assert_int_equal(known_dir("a/b/1.mp4.npy/"), -ENOENT);
	assert_int_equal(known_dir("e/"), -ENOENT);
	assert_int_equal(known_dir("a/c/d/3/"), -ENOENT);
	assert_int_equal(known_dir("a/c/d/"), 0);
	/* Any other name may have come since. */
	assert_int_equal(known_dir("a/b/2.mp4/"), -EAGAIN);
	assert_int_equal(known_dir("a/b/1/"), -EAGAIN);
	assert_int_equal(known_dir("a/b/.mp4/"), -EAGAIN);
	assert_int_equal(known_dir("a/c/d/e/"), -EAGAIN);
	assert_int_equal(known_dir("a/a/"), -EAGAIN);
	assert_int_equal(known_dir("z/"), -EAGAIN);
	assert_int_equal(known_object("f", NULL), -EAGAIN);
}

static void a_listing_of_a_part_teaches_that_part(void **state)
{
	static const char *const names[] = { "b/1", "b/x/2" };

	(void)state;
	list("b/", NULL, false, names, 2);
	assert_int_equal(known_dir("b/1/"), -ENOENT);
	assert_int_equal(known_dir("b/x/2/"), -ENOENT);
	assert_int_equal(known_dir("b/x/"), 0);
	assert_int_equal(known_dir("a/"), -EAGAIN);
	assert_int_equal(known_dir("bb/"), -EAGAIN);
	assert_int_equal(known_dir("c/"), -EAGAIN);
}

static void a_page_tells_nothing_of_what_lies_outside_of_it(void **state)
{
	(void)state;
	list_page("a/", NULL, true, (const char *const[]){ "a/b", "a/m/" }, 2, "next");
	assert_int_equal(known_dir("a/a/"), -ENOENT);
	assert_int_equal(known_dir("a/c/"), -ENOENT);
	assert_int_equal(known_dir("a/n/"), -EAGAIN);
	/* A page from the middle: what came before isn't known. */
	list_page("a/", "middle", true, (const char *const[]){ "a/p", "a/q" }, 2, NULL);
	assert_int_equal(known_dir("a/n/"), -EAGAIN);
	assert_int_equal(known_dir("a/p/"), -ENOENT);
	assert_int_equal(known_dir("a/z/"), -ENOENT);
}

static void pages_one_after_the_other_leave_no_gap(void **state)
{
	(void)state;
	list_page("", NULL, false, (const char *const[]){ "a/1.mp4", "a/1.wav", "a/2.mp4" }, 3, "t1");
	list_page("", "t1", false, (const char *const[]){ "a/2.wav", "a/3.mp4" }, 2, "t2");
	list_page("", "t2", false, (const char *const[]){ "a/4.mp4" }, 1, NULL);
	assert_int_equal(known_dir("a/2.mp4/"), -ENOENT);
	assert_int_equal(known_dir("a/3.mp4/"), -ENOENT);
	assert_int_equal(known_dir("a/4.mp4/"), -ENOENT);
	assert_string_equal(known_siblings("a/1."), "a/1.mp4 a/1.wav");
	assert_string_equal(known_siblings("a/2."), "a/2.mp4 a/2.wav");
	assert_string_equal(known_siblings("a/3."), "a/3.mp4");
	assert_string_equal(known_siblings("a/4."), "a/4.mp4");
	/* The same from one level, whose last page is empty. */
	new_meta(META_FOREVER, 1000);
	list_page("b/", NULL, true, (const char *const[]){ "b/1.mp4" }, 1, "t1");
	assert_null(known_siblings("b/1."));
	list_page("b/", "t1", true, NULL, 0, NULL);
	assert_string_equal(known_siblings("b/1."), "b/1.mp4");
	assert_int_equal(known_dir("b/2/"), -ENOENT);
}

static void siblings_are_what_one_ending_tells_apart(void **state)
{
	static const char *const names[] = { "a", "a.", "a.b.wav", "a.mp4", "a.wav", "a.x/y.wav", "aa.wav", "b.wav" };

	(void)state;
	list("", NULL, false, names, 8);
	assert_string_equal(known_siblings("a."), "a.mp4 a.wav");
	assert_string_equal(known_siblings("a.b."), "a.b.wav");
	assert_string_equal(known_siblings("c."), "");
	assert_string_equal(known_siblings("a.x/y."), "a.x/y.wav");
	assert_string_equal(known_siblings("a.x/z."), "");
}

static void siblings_are_known_from_any_listing_that_shows_them(void **state)
{
	static const char *const names[] = { "a/b.mp4", "a/b.wav", "a/c/" };

	(void)state;
	assert_null(known_siblings("a/b."));
	list("a/", NULL, true, names, 3);
	assert_string_equal(known_siblings("a/b."), "a/b.mp4 a/b.wav");
	assert_null(known_siblings("a/c/d."));
	assert_null(known_siblings("b."));
	assert_int_equal(hand.total, 1);
	/* Of these names alone. */
	list("x/y.", NULL, true, (const char *const[]){ "x/y.mp4" }, 1);
	assert_string_equal(known_siblings("x/y."), "x/y.mp4");
	assert_null(known_siblings("x/z."));
}

/* Asked for earlier, answered later: it doesn't count. */
static void the_listing_asked_for_last_counts(void **state)
{
	struct store_list all = { .prefix = "" }, level = { .prefix = "a/", .delimiter = true };
	struct listed first = { 0 }, second = { 0 };

	(void)state;
	meta_list(meta, &all, list_done, &first);
	meta_list(meta, &level, list_done, &second);
	hand_page(&hand, 1, &(struct store_page){ .entries = &(struct store_entry){ .name = "a/1.wav", .meta = v1 }, .n = 1 });
	answer_page((const char *const[]){ "a/1.mp4" }, 1, NULL);
	assert_string_equal(known_siblings("a/1."), "a/1.wav");
	object_unref(first.objects[0]);
	object_unref(second.objects[0]);
}

static void an_endless_row_of_names_is_asked_of_the_store(void **state)
{
	char token[8] = "0", next[8], name[32];

	(void)state;
	new_meta(META_FOREVER, 100000);
	for (int i = 0; i < 8; i++) {
		const char *one = name;

		snprintf(name, sizeof(name), "a.%d/x", i);
		snprintf(next, sizeof(next), "%d", i + 1);
		list_page("", i ? token : NULL, false, &one, 1, i < 7 ? next : NULL);
		memcpy(token, next, sizeof(token));
	}
	assert_null(known_siblings("a."));
	assert_string_equal(known_siblings("b."), "");
}

static void pages_out_of_order_teach_no_absence(void **state)
{
	(void)state;
	list_page("a/", NULL, true, (const char *const[]){ "a/b", "a/m" }, 2, "next");
	assert_int_equal(known_dir("a/c/"), -ENOENT);
	/* It comes after all, with the page behind. */
	list_page("a/", "next", true, (const char *const[]){ "a/c/", "a/z" }, 2, NULL);
	assert_int_equal(known_dir("a/d/"), -EAGAIN);
	assert_int_equal(known_dir("a/c/"), 0);
	/* The last of one page may be the first of the next. */
	list_page("b/", NULL, true, (const char *const[]){ "b/b", "b/m/" }, 2, "more");
	list_page("b/", "more", true, (const char *const[]){ "b/m/", "b/z" }, 2, NULL);
	assert_int_equal(known_dir("b/d/"), -ENOENT);
	assert_int_equal(known_dir("b/n/"), -ENOENT);
}

static void a_page_out_of_order_or_partial_teaches_no_absence(void **state)
{
	struct store_entry entry = { .name = "c/1", .meta = v1 };
	struct store_page part = { .entries = &entry, .n = 1, .partial = true };
	struct store_list l = { .prefix = "" };
	struct listed got = { 0 };

	(void)state;
	list_page("a/", NULL, true, (const char *const[]){ "a/m", "a/b" }, 2, "next");
	assert_int_equal(known_dir("a/c/"), -EAGAIN);
	meta_list(meta, &l, list_done, &got);
	hand_page(&hand, 0, &part);
	object_unref(got.objects[0]);
	assert_int_equal(known_dir("c/"), 0);
	assert_int_equal(known_dir("d/"), -EAGAIN);
	/* The whole of it may come in any order. */
	list_page("b/", NULL, true, (const char *const[]){ "b/m", "b/b/", "b/m.wav" }, 3, NULL);
	assert_int_equal(known_dir("b/c/"), -ENOENT);
	assert_int_equal(known_dir("b/b/"), 0);
	assert_string_equal(known_siblings("b/m."), "b/m.wav");
}

static void a_listing_ends_with_its_ttl(void **state)
{
	static const char *const names[] = { "a.mp4", "a.wav" };
	uint64_t end;

	(void)state;
	new_meta(50, 1000);
	list("", NULL, false, names, 2);
	end = clock_ms() + 50;
	while (clock_ms() <= end)
		;
	assert_int_equal(known_dir("a.mp4/"), -EAGAIN);
	assert_null(known_siblings("a."));
	/* With none nothing holds. */
	new_meta(0, 1000);
	list("", NULL, false, names, 2);
	assert_int_equal(known_dir("a.mp4/"), -EAGAIN);
	assert_null(known_siblings("a."));
}

/* Names that don't fit aren't kept; objects that had to go leave the names. */
static void what_listings_showed_is_bounded(void **state)
{
	static const char *const names[] = { "a/1", "a/2", "a/b/" };
	char prefix[16], name[32];

	(void)state;
	new_meta(META_FOREVER, 2);
	list("a/", NULL, true, names, 3);
	assert_int_equal(known_dir("a/c/"), -EAGAIN);
	new_meta(META_FOREVER, 8);
	for (int i = 0; i < 100; i++) {
		const char *one = name;

		snprintf(prefix, sizeof(prefix), "%02d/", i);
		snprintf(name, sizeof(name), "%02d/x", i);
		list(prefix, NULL, true, &one, 1);
		assert_true(stats_get(&stats, STAT_meta_bytes) <= (int64_t)(8 * meta_entry_bytes(1, true)));
		assert_int_equal(known_dir("00/y/"), -ENOENT);    /* in use: stays */
	}
	assert_int_equal(known_dir("99/y/"), -ENOENT);
	assert_int_equal(known_dir("50/y/"), -EAGAIN);
	assert_int_equal(known_object("00/x", NULL), -EAGAIN);
}

static void a_listing_again_takes_the_place_of_the_last_one(void **state)
{
	static const char *const names[] = { "a/1.mp4", "a/1.wav", "a/2.mp4" };
	int64_t bytes = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		list_page("", NULL, false, names, 2, "t1");
		list_page("", "t1", false, names + 2, 1, NULL);
		list("a/", NULL, true, names, 3);
		if (i == 1)
			bytes = stats_get(&stats, STAT_meta_bytes);
	}
	assert_int_equal(stats_get(&stats, STAT_meta_bytes), bytes);
	/* What has gone since has gone. */
	list_page("", NULL, false, names, 1, "t1");
	list_page("", "t1", false, names + 2, 1, NULL);
	assert_string_equal(known_siblings("a/1."), "a/1.mp4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_level_teaches_which_directories_there_are_not),
		TEST(a_listing_of_all_teaches_which_directories_there_are_not),
		TEST(a_listing_of_a_part_teaches_that_part),
		TEST(a_page_tells_nothing_of_what_lies_outside_of_it),
		TEST(pages_one_after_the_other_leave_no_gap),
		TEST(siblings_are_what_one_ending_tells_apart),
		TEST(siblings_are_known_from_any_listing_that_shows_them),
		TEST(the_listing_asked_for_last_counts),
		TEST(an_endless_row_of_names_is_asked_of_the_store),
		TEST(pages_out_of_order_teach_no_absence),
		TEST(a_page_out_of_order_or_partial_teaches_no_absence),
		TEST(a_listing_ends_with_its_ttl),
		TEST(what_listings_showed_is_bounded),
		TEST(a_listing_again_takes_the_place_of_the_last_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
