/* A local folder as a bucket: keys and their order, versions, and that nothing
 * outside of it can be reached. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/stats.h"
#include "sync_store.h"

static char root[64];
static struct stats stats;
static struct store *store;
static struct sync_result r;

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void make_dir(const char *name)
{
	assert_int_equal(mkdir(path_of(name), 0755), 0);
}

static void make_file(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void make_link(const char *name, const char *target)
{
	assert_int_equal(symlink(target, path_of(name)), 0);
}

static void run(const char *command)
{
	char line[256];

	snprintf(line, sizeof(line), "cd '%s' && %s", root, command);
	assert_int_equal(system(line), 0);
}

static int set_up(void **state)
{
	char why[STORE_WHY_MAX];

	(void)state;
	memset(&stats, 0, sizeof(stats));
	strcpy(root, "/tmp/test_store_dir.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	return store_dir_open(root, &stats, why, &store);
}

static int tear_down(void **state)
{
	char line[256];

	(void)state;
	store_free(store);
	store = NULL;
	snprintf(line, sizeof(line), "chmod -R u+rwx '%s' && rm -rf '%s'", root, root);
	return system(line);
}

static void expect_list(const char *prefix, bool delimiter, const char *names)
{
	struct store_list l = { .prefix = prefix, .delimiter = delimiter };

	assert_int_equal(sync_list(store, &l, &r), 0);
	assert_string_equal(r.names, names);
	assert_false(r.has_next);
}

static void head_tells_size_mtime_and_version(void **state)
{
	struct timespec times[2] = { { 5, 6 }, { 1700000000, 123456789 } };
	struct stat st;
	char etag[OBJECT_ETAG_MAX];

	(void)state;
	make_dir("a");
	make_file("a/.hidden", "12345");
	assert_int_equal(utimensat(AT_FDCWD, path_of("a/.hidden"), times, 0), 0);
	assert_int_equal(stat(path_of("a/.hidden"), &st), 0);
	assert_int_equal(sync_head(store, "a/.hidden", &r), 0);
	assert_string_equal(r.why, "");
	assert_int_equal(r.meta.size, 5);
	assert_int_equal(r.meta.mtime_ns, INT64_C(1700000000123456789));
	snprintf(etag, sizeof(etag), "%lx-5-%llx", (unsigned long)st.st_ino, 1700000000123456789LL);
	assert_string_equal(r.meta.etag, etag);
}

static void what_is_no_regular_file_is_not_found(void **state)
{
	static const char *const keys[] = {
		"", "/", "dir", "dir/", "dir/f/", "dir//f", "./dir/f", "dir/../dir/f",
		"/dir/f", "nope", "dir/nope", "dir/f/x", "fifo", "new\nline",
	};

	(void)state;
	make_dir("dir");
	make_file("dir/f", "x");
	make_file("new\nline", "x");
	assert_int_equal(mkfifo(path_of("fifo"), 0644), 0);
	assert_int_equal(sync_head(store, "dir/f", &r), 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct object_meta version = { .size = 1, .etag = "1-1-1" };

		if (sync_head(store, keys[i], &r) != -ENOENT)
			fail_msg("head \"%s\" is %d", keys[i], r.err);
		assert_string_not_equal(r.why, "");
		if (sync_get(store, keys[i], &version, 0, 1, &r) != -ENOENT)
			fail_msg("get \"%s\" is %d", keys[i], r.err);
	}
}

static void a_key_longer_than_any_is_not_found(void **state)
{
	char key[3000];

	(void)state;
	memset(key, 'a', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	assert_int_equal(sync_head(store, key, &r), -ENOENT);
	for (size_t i = 1; i < sizeof(key) - 1; i += 2)
		key[i] = '/';
	assert_int_equal(sync_head(store, key, &r), -ENOENT);
}

static void links_are_followed_only_inside(void **state)
{
	(void)state;
	make_dir("in");
	make_dir("in/deep");
	make_file("in/deep/f", "abc");
	make_link("file", "in/deep/f");
	make_link("in/up", "../in/deep");
	make_link("out", "../../etc/passwd");
	make_link("absolute", "/etc/passwd");
	make_link("etc", "/etc");
	make_link("dangling", "nothing");
	assert_int_equal(sync_head(store, "file", &r), 0);
	assert_int_equal(r.meta.size, 3);
	assert_int_equal(sync_head(store, "in/up/f", &r), 0);
	assert_int_equal(sync_head(store, "out", &r), -ENOENT);
	assert_int_equal(sync_head(store, "absolute", &r), -ENOENT);
	assert_int_equal(sync_head(store, "etc/passwd", &r), -ENOENT);
	expect_list("", true, "file\nin/\n");
	expect_list("", false, "file\nin/deep/f\nin/up/f\n");
}

static void a_link_that_leads_back_makes_no_endless_tree(void **state)
{
	(void)state;
	make_dir("a");
	make_dir("a/b");
	make_file("a/b/f", "");
	make_link("a/b/self", ".");
	make_link("a/b/top", "../..");
	make_link("a/round", "round");
	expect_list("", false, "a/b/f\n");
	expect_list("a/b/", true, "a/b/f\n");
	expect_list("a/b/top/", false, "");
	expect_list("a/b/top/a/", true, "");
}

static void keys_come_in_the_order_of_s3(void **state)
{
	(void)state;
	make_dir("a");
	make_file("a/b", "");
	make_file("a-x", "");
	make_file("a.mp4", "");
	make_file("a0", "");
	make_file("B", "");
	make_file("\xc3\xa4", "");
	make_dir("empty");
	expect_list("", false, "B\na-x\na.mp4\na/b\na0\nempty/\n\xc3\xa4\n");
	expect_list("", true, "B\na-x\na.mp4\na/\na0\nempty/\n\xc3\xa4\n");
}

static void an_empty_directory_is_listed_as_s3s_tools_make_it(void **state)
{
	(void)state;
	expect_list("", false, "");
	expect_list("", true, "");
	make_dir("a");
	make_dir("a/b");
	expect_list("", false, "a/b/\n");
	expect_list("", true, "a/\n");
	expect_list("a/", true, "a/b/\n");
	expect_list("a/b/", true, "a/b/\n");
	expect_list("a/b/", false, "a/b/\n");
	expect_list("a/b/c", false, "");
	make_file("a/b/c", "");
	expect_list("a/b/", false, "a/b/c\n");
}

static void a_prefix_need_not_end_in_a_slash(void **state)
{
	(void)state;
	make_dir("dir");
	make_dir("dir/clips");
	make_file("dir/clips/1", "");
	make_file("dir/clip", "");
	make_file("dir/cut", "");
	expect_list("dir/cl", false, "dir/clip\ndir/clips/1\n");
	expect_list("dir/cl", true, "dir/clip\ndir/clips/\n");
	expect_list("dir/clips/", true, "dir/clips/1\n");
	expect_list("di", true, "dir/\n");
	expect_list("dir", true, "dir/\n");
	expect_list("nope", false, "");
	expect_list("nope/", false, "");
	expect_list("dir/clip/", false, "");
	expect_list("dir//", false, "");
	expect_list("../", false, "");
	expect_list("dir/../", false, "");
}

static void names_no_file_line_can_hold_are_left_out(void **state)
{
	(void)state;
	make_file("new\nline", "");
	make_dir("d\n");
	make_file("d\n/x", "");
	make_file("ok", "");
	assert_int_equal(mkfifo(path_of("fifo"), 0644), 0);
	expect_list("", false, "ok\n");
	assert_int_equal(stats_get(&stats, STAT_names_left_out), 2);
}

static void a_tree_deeper_than_a_key_is_cut(void **state)
{
	char dir[OBJECT_KEY_MAX] = "", want[3 * OBJECT_KEY_MAX];

	(void)state;
	/* 102 levels of ten bytes, then names that just fit and some that don't. */
	run("for i in $(seq 102); do mkdir ddddddddd && cd ddddddddd || exit 1; done;"
	    " touch 1234 12345 && mkdir 123 && touch 123/x");
	for (int i = 0; i < 102; i++)
		strcat(dir, "ddddddddd/");
	snprintf(want, sizeof(want), "%s123/\n%s1234\n", dir, dir);
	expect_list("", false, want);
	assert_int_equal(stats_get(&stats, STAT_names_left_out), 2);
}

static void pages_join_without_gap_or_overlap(void **state)
{
	static char all[sizeof(r.names)], joined[sizeof(r.names)];

	(void)state;
	run("for d in a b c; do mkdir -p $d/x $d/y $d/empty &&"
	    " touch $d/1 $d/x/2 $d/x/3 $d/y/4 $d-5 $d.6; done");
	for (int delimiter = 0; delimiter <= 1; delimiter++) {
		struct store_list l = { .prefix = "", .delimiter = delimiter };

		assert_int_equal(sync_list(store, &l, &r), 0);
		assert_int_equal(r.n_names, delimiter ? 9 : 21);
		strcpy(all, r.names);
		for (unsigned max = 1; max <= 22; max++) {
			char token[OBJECT_KEY_MAX + 1] = "";

			l.max_keys = max;
			l.token = NULL;
			joined[0] = '\0';
			do {
				assert_int_equal(sync_list(store, &l, &r), 0);
				assert_true(r.n_names <= max);
				assert_true(r.n_names == max || !r.has_next);
				strcat(joined, r.names);
				strcpy(token, r.next);
				l.token = token;
			} while (r.has_next);
			assert_string_equal(joined, all);
		}
	}
}

static void a_page_holds_ten_thousand(void **state)
{
	struct store_list l = { .prefix = "many/" };

	(void)state;
	run("mkdir many && cd many && seq 10005 | xargs touch");
	assert_int_equal(sync_list(store, &l, &r), 0);
	assert_int_equal(r.n_names, 10000);
	assert_true(r.has_next);
	l.token = r.next;
	{
		static struct sync_result last;

		assert_int_equal(sync_list(store, &l, &last), 0);
		assert_int_equal(last.n_names, 5);
		assert_false(last.has_next);
	}
}

static void a_folder_that_goes_between_two_pages_is_stale(void **state)
{
	struct store_list l = { .prefix = "d/", .delimiter = true, .max_keys = 1 };
	static struct sync_result next;

	(void)state;
	run("mkdir d && touch d/1 d/2");
	assert_int_equal(sync_list(store, &l, &r), 0);
	assert_true(r.has_next);
	run("rm -r d");
	l.token = r.next;
	assert_int_equal(sync_list(store, &l, &next), -ESTALE);
	assert_non_null(strstr(next.why, "d/"));
}

static void get_reads_the_range(void **state)
{
	struct object_meta version;

	(void)state;
	make_file("f", "0123456789");
	assert_int_equal(sync_head(store, "f", &r), 0);
	version = r.meta;
	assert_int_equal(sync_get(store, "f", &version, 3, 4, &r), 0);
	assert_int_equal(blob_len(r.body), 4);
	assert_memory_equal(blob_data(r.body), "3456", 4);
	blob_unref(r.body);
	assert_int_equal(sync_get(store, "f", &version, 0, 10, &r), 0);
	assert_memory_equal(blob_data(r.body), "0123456789", 10);
	blob_unref(r.body);
	assert_int_equal(stats_get(&stats, STAT_dir_reads), 2);
	assert_int_equal(stats_get(&stats, STAT_dir_bytes), 14);
	assert_int_equal(sync_get(store, "f", &version, 8, 3, &r), -EINVAL);
	assert_int_equal(sync_get(store, "f", &version, UINT64_MAX, 2, &r), -EINVAL);
	assert_int_equal(sync_get(store, "f", &version, 0, 0, &r), -EINVAL);
}

static void a_replaced_or_changed_file_is_stale(void **state)
{
	struct object_meta version;

	(void)state;
	make_file("f", "0123456789");
	assert_int_equal(sync_head(store, "f", &r), 0);
	version = r.meta;
	make_file("g", "abcdefghij");
	run("touch -r f g && mv g f");
	assert_int_equal(sync_get(store, "f", &version, 0, 10, &r), -ESTALE);
	assert_null(r.body);
	assert_string_not_equal(r.why, "");
	assert_int_equal(sync_head(store, "f", &r), 0);
	version = r.meta;
	assert_int_equal(truncate(path_of("f"), 5), 0);
	assert_int_equal(sync_get(store, "f", &version, 0, 10, &r), -ESTALE);
	assert_int_equal(unlink(path_of("f")), 0);
	assert_int_equal(sync_get(store, "f", &version, 0, 10, &r), -ENOENT);
}

/* What wrote a file while it is served may put its mtime back; of a file that was complete
 * before, a changed ctime tells of chmod, links and restores, and of no other content. */
static void ctime_counts_in_files_written_since_the_folder_was_opened(void **state)
{
	struct timespec times[2] = { { 0, UTIME_NOW }, { 1700000000, 0 } };
	struct object_meta old, young;
	struct stat st;

	(void)state;
	make_file("old", "12345");
	assert_int_equal(utimensat(AT_FDCWD, path_of("old"), times, 0), 0);
	assert_int_equal(sync_head(store, "old", &r), 0);
	old = r.meta;
	run("chmod 600 old && ln old other");
	assert_int_equal(sync_head(store, "old", &r), 0);
	assert_string_equal(r.meta.etag, old.etag);
	assert_int_equal(sync_get(store, "old", &old, 0, 5, &r), 0);
	blob_unref(r.body);

	make_file("young", "12345");
	assert_int_equal(stat(path_of("young"), &st), 0);
	assert_int_equal(sync_head(store, "young", &r), 0);
	young = r.meta;
	times[1] = st.st_mtim;
	do {	/* until the clock that files are dated by has moved on */
		make_file("young", "67890");
		assert_int_equal(utimensat(AT_FDCWD, path_of("young"), times, 0), 0);
		assert_int_equal(stat(path_of("young"), &st), 0);
	} while (st.st_ctim.tv_sec == times[1].tv_sec && st.st_ctim.tv_nsec == times[1].tv_nsec);
	assert_int_equal(sync_get(store, "young", &young, 0, 5, &r), -ESTALE);
	assert_int_equal(sync_head(store, "young", &r), 0);
	assert_int_equal(r.meta.mtime_ns, young.mtime_ns);
	assert_string_not_equal(r.meta.etag, young.etag);
	young = r.meta;
	assert_int_equal(sync_get(store, "young", &young, 0, 5, &r), 0);
	blob_unref(r.body);
}

static void the_folder_stays_the_one_that_was_opened(void **state)
{
	char why[STORE_WHY_MAX], moved[80];

	(void)state;
	make_file("f", "x");
	snprintf(moved, sizeof(moved), "%s.moved", root);
	assert_int_equal(rename(root, moved), 0);
	assert_int_equal(sync_head(store, "f", &r), 0);
	assert_int_equal(store_check(store, why), 0);
	assert_int_equal(rename(moved, root), 0);
	assert_int_equal(unlink(path_of("f")), 0);
	assert_int_equal(rmdir(root), 0);
	assert_int_equal(store_check(store, why), -ENOENT);
	assert_string_equal(why, "the folder was removed");
	assert_int_equal(mkdir(root, 0755), 0);
}

static void open_says_what_is_wrong(void **state)
{
	char why[STORE_WHY_MAX], want[STORE_WHY_MAX];
	struct store *other;

	(void)state;
	make_file("f", "x");
	assert_int_equal(store_dir_open(path_of("nope"), &stats, why, &other), -ENOENT);
	snprintf(want, sizeof(want), "%s/nope: there is no such folder", root);
	assert_string_equal(why, want);
	assert_int_equal(store_dir_open(path_of("f"), &stats, why, &other), -ENOENT);
	snprintf(want, sizeof(want), "%s/f: this is not a folder", root);
	assert_string_equal(why, want);
}

/* Root reads everything: these are tried as nobody. */
static void without_permission(void (*test)(void))
{
	uid_t me = geteuid();

	if (me == 0) {
		assert_int_equal(chown(root, 65534, (gid_t)-1), 0);
		run("chown -R 65534 .");
		assert_int_equal(seteuid(65534), 0);
	}
	test();
	assert_int_equal(seteuid(me), 0);
}

static void try_unreadable(void)
{
	char why[STORE_WHY_MAX];
	struct store_list l = { .prefix = "" };
	struct store *s;

	assert_int_equal(store_dir_open(root, &stats, why, &s), 0);
	assert_int_equal(store_check(s, why), 0);
	assert_int_equal(sync_head(s, "file", &r), 0);
	assert_int_equal(sync_get(s, "file", &(struct object_meta){ .size = 1, .etag = "x" }, 0, 1,
	                          &r), -EACCES);
	assert_int_equal(sync_head(s, "closed/f", &r), -EACCES);
	assert_string_equal(r.why, "the file \"closed/f\" cannot be read: Permission denied");
	assert_int_equal(sync_list(s, &l, &r), 0);
	assert_string_equal(r.names, "file\nopen/f\n");
	l.delimiter = true;
	assert_int_equal(sync_list(s, &l, &r), 0);
	assert_string_equal(r.names, "closed/\nfile\nopen/\n");
	l.prefix = "closed/";
	assert_int_equal(sync_list(s, &l, &r), -EACCES);
	assert_string_equal(r.why, "the folder \"closed/\" cannot be read: Permission denied");
	l.prefix = "closed/deeper/";
	assert_int_equal(sync_list(s, &l, &r), -EACCES);
	assert_int_equal(chmod(root, 0), 0);
	assert_int_equal(store_check(s, why), -EACCES);
	assert_string_equal(why, "the folder may not be read: permission denied");
	assert_int_equal(chmod(root, 0700), 0);
	store_free(s);
}

static void what_may_not_be_read_is_refused_by_name(void **state)
{
	(void)state;
	make_dir("closed");
	make_dir("open");
	make_file("open/f", "x");
	make_file("closed/f", "x");
	make_file("file", "x");
	assert_int_equal(chmod(path_of("file"), 0), 0);
	assert_int_equal(chmod(path_of("closed"), 0), 0);
	log_set_level(LOG_LEVEL_ERROR);
	without_permission(try_unreadable);
	log_set_level(LOG_LEVEL_INFO);
}

#define BURST 500

struct burst {
	_Atomic int answers, canceled;
	struct store *store;
};

static void count_head(void *arg, int err, const char *why, const struct object_meta *meta)
{
	struct burst *b = arg;

	(void)why;
	(void)meta;
	/* Asking again from a callback is answered too, even while closing. */
	if (atomic_fetch_add(&b->answers, 1) < BURST)
		store_head(b->store, "f", count_head, b);
	if (err == -ECANCELED)
		atomic_fetch_add(&b->canceled, 1);
	else if (err)
		abort();
}

static void free_answers_everything_that_is_under_way(void **state)
{
	struct burst b = { 0 };
	char why[STORE_WHY_MAX];

	(void)state;
	make_file("f", "x");
	assert_int_equal(store_dir_open(root, &stats, why, &b.store), 0);
	for (int i = 0; i < BURST; i++)
		store_head(b.store, "f", count_head, &b);
	store_free(b.store);
	assert_int_equal(b.answers, 2 * BURST);
}

static void after_cancel_nothing_is_tried(void **state)
{
	struct store_list l = { .prefix = "" };

	(void)state;
	make_file("f", "x");
	store_cancel(store);
	assert_int_equal(sync_head(store, "f", &r), -ECANCELED);
	assert_string_equal(r.why, "the folder is being closed");
	assert_int_equal(sync_list(store, &l, &r), -ECANCELED);
	assert_int_equal(sync_get(store, "f", &(struct object_meta){ .size = 1 }, 0, 1, &r),
	                 -ECANCELED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(head_tells_size_mtime_and_version),
		TEST(what_is_no_regular_file_is_not_found),
		TEST(a_key_longer_than_any_is_not_found),
		TEST(links_are_followed_only_inside),
		TEST(a_link_that_leads_back_makes_no_endless_tree),
		TEST(keys_come_in_the_order_of_s3),
		TEST(an_empty_directory_is_listed_as_s3s_tools_make_it),
		TEST(a_prefix_need_not_end_in_a_slash),
		TEST(names_no_file_line_can_hold_are_left_out),
		TEST(a_tree_deeper_than_a_key_is_cut),
		TEST(pages_join_without_gap_or_overlap),
		TEST(a_page_holds_ten_thousand),
		TEST(a_folder_that_goes_between_two_pages_is_stale),
		TEST(get_reads_the_range),
		TEST(a_replaced_or_changed_file_is_stale),
		TEST(ctime_counts_in_files_written_since_the_folder_was_opened),
		TEST(the_folder_stays_the_one_that_was_opened),
		TEST(open_says_what_is_wrong),
		TEST(what_may_not_be_read_is_refused_by_name),
		TEST(after_cancel_nothing_is_tried),
		TEST(free_answers_everything_that_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
