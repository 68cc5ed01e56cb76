/* Listings end, and name nothing twice where pages meet. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/list_guard.h"

/* Takes a page with the names in it. Returns what check says. */
static int page(struct list_guard *g, const char *const *names, size_t n, const char *next)
{
	struct store_entry entries[4] = { { 0 } };
	const struct store_page p = { .entries = entries, .n = n, .next = next };
	const char *why = NULL;
	int err;

	for (size_t i = 0; i < n; i++)
		entries[i].name = names[i];
	err = list_guard_check(g, &p, &why);
	assert_int_equal(why != NULL, err != 0);
	if (!err)
		assert_int_equal(list_guard_pass(g, &p), 0);
	return err;
}

static void circles_of_any_length_are_found(void **state)
{
	static const char *const names[] = { "a" };

	(void)state;
	for (unsigned length = 1; length <= 40; length++) {
		for (unsigned before = 0; before < 20; before++) {
			struct list_guard g = { 0 };
			char token[16];
			unsigned n = 0;
			int err = 0;

			while (!err) {
				snprintf(token, sizeof(token), "%u", n < before ? 1000 + n : (n - before) % length);
				err = page(&g, names, 1, token);
				n++;
				assert_true(n < 4 * (length + before) + 4);
			}
			assert_int_equal(err, -EPROTO);
			assert_true(n > before + length);
			list_guard_done(&g);
		}
	}
}

static void long_listings_are_none(void **state)
{
	static const char *const names[] = { "a" };
	struct list_guard g = { 0 };
	char token[16];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(token, sizeof(token), "%u", i);
		assert_int_equal(page(&g, names, i % 999 == 0, token), 0);
	}
	assert_int_equal(page(&g, NULL, 0, NULL), 0);
	list_guard_done(&g);
}

static void a_thousand_pages_without_a_key_are_too_many(void **state)
{
	struct list_guard g = { 0 };
	char token[16];
	unsigned n = 0;
	int err = 0;

	(void)state;
	while (!err) {
		snprintf(token, sizeof(token), "%u", n++);
		err = page(&g, NULL, 0, token);
	}
	assert_int_equal(err, -EPROTO);
	assert_int_equal(n, 1000);
	list_guard_done(&g);
}

static void a_name_at_the_seam_comes_once(void **state)
{
	static const char *const names[] = { "a", "b/" };
	struct list_guard g = { 0 };

	(void)state;
	assert_false(list_guard_repeats(&g, "b/"));
	page(&g, names, 2, "1");
	assert_true(list_guard_repeats(&g, "b/"));
	assert_false(list_guard_repeats(&g, "a"));
	page(&g, NULL, 0, "2");
	assert_true(list_guard_repeats(&g, "b/"));
	list_guard_done(&g);
}

static void names_out_of_order_come_once_where_they_are_remembered(void **state)
{
	static const char *const first[] = { "b", "d", "f" }, *const second[] = { "a", "d", "e" };
	struct list_guard g = { .remembers = true }, forgets = { 0 };
	char name[16];

	(void)state;
	page(&g, first, 3, "1");
	page(&forgets, first, 3, "1");
	assert_true(list_guard_repeats(&g, "d"));
	assert_true(list_guard_repeats(&g, "f"));
	assert_false(list_guard_repeats(&g, "a"));
	assert_false(list_guard_repeats(&g, "z"));
	assert_false(list_guard_repeats(&forgets, "d"));
	assert_true(list_guard_repeats(&forgets, "f"));
	page(&g, second, 3, "2");
	assert_true(list_guard_repeats(&g, "a"));
	assert_true(list_guard_repeats(&g, "b"));
	assert_false(list_guard_repeats(&g, "c"));
	for (unsigned i = 0; i < 20000; i++) {
		const char *const names[] = { name };
		char token[16];

		snprintf(name, sizeof(name), "e%u", i);
		snprintf(token, sizeof(token), "t%u", i);
		assert_false(list_guard_repeats(&g, name));
		page(&g, names, 1, token);
	}
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "e%u", i);
		assert_true(list_guard_repeats(&g, name));
	}
	list_guard_done(&g);
	list_guard_done(&forgets);
}

/* After a failure the same page comes again. */
static void a_page_that_is_asked_for_again_is_no_circle(void **state)
{
	const struct store_page p = { .next = "t" };
	struct list_guard g = { 0 };
	const char *why;

	(void)state;
	assert_int_equal(list_guard_check(&g, &p, &why), 0);
	assert_int_equal(list_guard_check(&g, &p, &why), 0);
	assert_int_equal(list_guard_pass(&g, &p), 0);
	assert_int_equal(list_guard_check(&g, &p, &why), -EPROTO);
	list_guard_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(circles_of_any_length_are_found),
		cmocka_unit_test(long_listings_are_none),
		cmocka_unit_test(a_thousand_pages_without_a_key_are_too_many),
		cmocka_unit_test(a_name_at_the_seam_comes_once),
		cmocka_unit_test(names_out_of_order_come_once_where_they_are_remembered),
		cmocka_unit_test(a_page_that_is_asked_for_again_is_no_circle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
