/* Nodeids: one (path, version) each; what they take, and which the kernel is asked to forget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/stats.h"
#include "fs/inode.h"

#define FILES 2000u

static struct stats stats;
static uint64_t now = 1000000;      /* ms, as clock_ms() */
static struct inodes *table;
static struct inode *root;
/* Nodes belong to no view here; the test's own reference keeps them. */
static struct node file = { .refs = { 1 }, .size = 10, .size_known = true, .path = "k", .version = "1" };
static struct node newer = { .refs = { 1 }, .size = 10, .size_known = true, .path = "k", .version = "2" };
static struct node folder = { .refs = { 1 }, .is_dir = true, .size_known = true, .path = "d/", .version = "" };

static void new_table(size_t capacity)
{
	inode_unref(root);
	inodes_free(table);
	memset(&stats, 0, sizeof(stats));
	table = inodes_new(&stats, 0, capacity);
	assert_non_null(table);
	root = inodes_by_id(table, 1);
	assert_non_null(root);
}

static int set_up(void **state)
{
	(void)state;
	new_table(SIZE_MAX / 2);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	inode_unref(root);
	root = NULL;
	inodes_free(table);
	table = NULL;
	return file.refs.n == 1 && newer.refs.n == 1 && folder.refs.n == 1 ? 0 : -1;
}

/* A look-up of a file; returns its nodeid. */
static uint64_t look_up(unsigned number, struct node *n)
{
	char name[32];
	struct inode *i;
	uint64_t id;

	snprintf(name, sizeof(name), "%u", number);
	i = inodes_node(table, root, name, n);
	assert_non_null(i);
	id = i->id;
	inode_unref(i);
	return id;
}

static void open_once(uint64_t id)
{
	struct inode *i = inodes_by_id(table, id);

	assert_non_null(i);
	inodes_opened(table, i);
	inode_unref(i);
}

static bool is_known(uint64_t id)
{
	struct inode *i = inodes_by_id(table, id);

	inode_unref(i);
	return i != NULL;
}

/* What a kernel without any use for them does. Returns how many went. */
static size_t recall_all(size_t *to_free)
{
	uint64_t ids[INODES_RECALLS];
	size_t n, total = 0;

	do {
		n = inodes_choose_recalls(table, now, ids, to_free);
		for (size_t i = 0; i < n; i++)
			inodes_forget(table, ids[i], 1);
		total += n;
	} while (n > 0);
	return total;
}

static void a_version_has_one_nodeid_until_it_is_forgotten(void **state)
{
	uint64_t id = look_up(1, &file);

	(void)state;
	assert_int_equal(look_up(1, &file), id);
	inodes_forget(table, id, 1);
	assert_true(is_known(id));
	inodes_forget(table, id, 1);
	assert_false(is_known(id));
	assert_int_not_equal(look_up(1, &file), id);
}

static void a_newer_version_supersedes_and_the_older_one_is_recalled(void **state)
{
	uint64_t old = look_up(1, &file), new = look_up(1, &newer), ids[INODES_RECALLS];
	struct inode *held = inodes_by_id(table, old);
	size_t to_free = 0;

	(void)state;
	assert_int_not_equal(old, new);
	assert_true(inodes_superseded(table, held));
	/* Not while somebody has it open. */
	assert_int_equal(inodes_choose_recalls(table, now, ids, &to_free), 0);
	inode_unref(held);
	assert_int_equal(inodes_choose_recalls(table, now, ids, &to_free), 1);
	assert_int_equal(ids[0], old);
	inodes_forget(table, old, 1);
	assert_false(is_known(old));
	assert_true(is_known(new));
}

static void bytes_are_counted_up_and_down_to_nothing(void **state)
{
	const int64_t before = stats_get(&stats, STAT_inode_bytes);
	uint64_t ids[100];

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		ids[i] = look_up(i, &file);
	struct inode *i = inodes_by_id(table, ids[7]);
	inodes_set_why(table, i, "a long sentence about what went wrong with it");
	assert_true(stats_get(&stats, STAT_inode_bytes) > before + 100 * 200);
	for (unsigned k = 0; k < 100; k++)
		inodes_forget(table, ids[k], 1);
	/* After it was forgotten nothing is counted any more. */
	inodes_set_why(table, i, "another, much longer sentence, which nobody will ever count or read");
	inode_unref(i);
	assert_int_equal(stats_get(&stats, STAT_inode_bytes), before);
	assert_int_equal(stats_get(&stats, STAT_inodes), 1);
}

static void nothing_is_recalled_within_the_capacity(void **state)
{
	size_t to_free;

	(void)state;
	for (unsigned i = 0; i < FILES; i++)
		look_up(i, &file);
	assert_int_equal(inodes_excess(table, &to_free), 0);
	assert_int_equal(to_free, 0);
	assert_false(inodes_full(table));
	assert_int_equal(recall_all(&to_free), 0);
}

/* A table of FILES files in which there is room for about half of them. */
static void fill(uint64_t *ids)
{
	for (unsigned i = 0; i < FILES; i++)
		ids[i] = look_up(i, &file);
	new_table((size_t)stats_get(&stats, STAT_inode_bytes) / 2);
	for (unsigned i = 0; i < FILES; i++)
		ids[i] = look_up(i, &file);
}

static void the_oldest_never_opened_go_first(void **state)
{
	static uint64_t ids[FILES];
	size_t to_free, gone;

	(void)state;
	fill(ids);
	for (unsigned i = 0; i < FILES / 4; i++)
		open_once(ids[i]);
	assert_true(inodes_full(table));
	assert_true(inodes_excess(table, &to_free) > 0);
	gone = recall_all(&to_free);
	assert_in_range(gone, FILES * 9 / 16 - 20, FILES * 9 / 16 + 20);  /* to 7/8 of a half */
	assert_false(inodes_full(table));
	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(is_known(ids[i]), i < FILES / 4 || i >= FILES / 4 + gone);
}

static void of_those_opened_some_go_everywhere(void **state)
{
	static uint64_t ids[FILES];
	unsigned halves[2] = { 0, 0 };
	size_t to_free;

	(void)state;
	fill(ids);
	for (unsigned i = 0; i < FILES; i++)
		open_once(ids[i]);
	inodes_excess(table, &to_free);
	to_free = to_free * 2 / 9; /* an eighth of all */
	recall_all(&to_free);
	for (unsigned i = 0; i < FILES; i++)
		halves[i < FILES / 2] += !is_known(ids[i]);
	/* Neither only the oldest nor only the newest. */
	assert_in_range(halves[0], FILES / 16 - 10, FILES / 16 + 10);
	assert_in_range(halves[1], FILES / 16 - 10, FILES / 16 + 10);
}

static void who_is_in_use_stays(void **state)
{
	static uint64_t ids[FILES];
	struct inode *held[FILES / 2];
	size_t to_free;

	(void)state;
	fill(ids);
	for (unsigned i = 0; i < FILES / 2; i++)
		held[i] = inodes_by_id(table, ids[2 * i]);
	to_free = SIZE_MAX;
	assert_int_equal(recall_all(&to_free), FILES / 2);
	for (unsigned i = 0; i < FILES / 2; i++) {
		assert_true(is_known(ids[2 * i]));
		inode_unref(held[i]);
	}
	assert_int_equal(recall_all(&to_free), FILES / 2);
	assert_true(is_known(1));
}

/* A kernel that keeps everything: each is asked for once, then others, and after a while again. */
static void what_the_kernel_keeps_is_not_asked_for_again_soon(void **state)
{
	static uint64_t ids[FILES];
	uint64_t asked[INODES_RECALLS];
	size_t to_free, n, total = 0;

	(void)state;
	fill(ids);
	do {
		to_free = SIZE_MAX;
		n = inodes_choose_recalls(table, now, asked, &to_free);
		total += n;
	} while (n > 0);
	assert_int_equal(total, FILES);
	now += 60000;
	assert_int_equal(inodes_choose_recalls(table, now, asked, &to_free), INODES_RECALLS);
}

/* Directories that stay for what is in them don't stand before that. */
static void directories_do_not_hide_the_files_in_them(void **state)
{
	static uint64_t ids[FILES];
	uint64_t asked[INODES_RECALLS];
	size_t to_free, files = 0, n;

	(void)state;
	for (unsigned i = 0; i < FILES; i++)
		ids[i] = look_up(i, i % 2 ? &file : &folder);
	for (unsigned i = 1; i < FILES; i += 2)
		open_once(ids[i]);
	for (unsigned round = 0; round < 8; round++) {
		to_free = 100000;
		do {
			n = inodes_choose_recalls(table, now, asked, &to_free);
			for (size_t k = 0; k < n; k++) {
				struct inode *i = inodes_by_id(table, asked[k]);
				bool is_dir = i->node->is_dir;

				inode_unref(i);
				files += !is_dir;
				if (!is_dir)
					inodes_forget(table, asked[k], 1);
			}
		} while (n == INODES_RECALLS);
	}
	assert_true(files > FILES / 5);  /* an eighth of those left, eight times */
}

static void directories_go_too_but_not_the_root(void **state)
{
	size_t to_free = SIZE_MAX;
	uint64_t id = look_up(1, &folder);

	(void)state;
	assert_int_equal(recall_all(&to_free), 1);
	assert_false(is_known(id));
	assert_true(is_known(1));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_version_has_one_nodeid_until_it_is_forgotten),
		TEST(a_newer_version_supersedes_and_the_older_one_is_recalled),
		TEST(bytes_are_counted_up_and_down_to_nothing),
		TEST(nothing_is_recalled_within_the_capacity),
		TEST(the_oldest_never_opened_go_first),
		TEST(of_those_opened_some_go_everywhere),
		TEST(who_is_in_use_stays),
		TEST(what_the_kernel_keeps_is_not_asked_for_again_soon),
		TEST(directories_do_not_hide_the_files_in_them),
		TEST(directories_go_too_but_not_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
