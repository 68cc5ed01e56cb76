/* Every allocation of the store layer fails once: each operation still answers,
 * once, with -ENOMEM or as if nothing had happened; nothing leaks (the address
 * sanitizer looks), and what comes after works.
 *
 * To be linked with -Wl,--wrap= for the functions below. */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/stats.h"
#include "hand_store.h"
#include "store/blocks.h"
#include "store/meta.h"
#include "store/meta_table.h"

/* The allocation that fails, counted down; 0 or less: none. */
static _Atomic long countdown;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *s);

static bool fails(void)
{
	return atomic_fetch_sub(&countdown, 1) == 1;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

/* Runs scenario with its first, second, ... allocation failing, until it has no
 * more. Returns how many had one. */
static int fail_each(void (*scenario)(void))
{
	int runs = 0;

	do {
		runs++;
		atomic_store(&countdown, runs);
		scenario();
	} while (atomic_exchange(&countdown, 0) <= 0);
	return runs - 1;
}

/* How operations ended, counted. */
static _Atomic int n_ok, n_no_memory, n_other;

static void count(int err)
{
	atomic_fetch_add(err == 0 ? &n_ok : err == -ENOMEM ? &n_no_memory : &n_other, 1);
}

static void expect_answers(int n)
{
	assert_int_equal(n_other, 0);
	assert_int_equal(n_ok + n_no_memory, n);
	n_ok = 0;
	n_no_memory = 0;
}

static struct stats stats;
static struct hand_store hand;

/* Answers all requests; the store itself has memory. */
static void answer_all(void)
{
	static const struct object_meta version = { .size = 300000, .etag = "v" };
	static const struct store_entry entries[] = {
		{ .name = "a/b/1", .meta = { .size = 1, .etag = "v" } },
		{ .name = "a/c/", .is_prefix = true },
	};
	static const struct store_page page = { .entries = entries, .n = 2 };

	while (hand.n > 0) {
		long left = atomic_exchange(&countdown, 0);
		struct hand_request q = hand_take(&hand, 0);
		struct blob *body = q.kind == 'g' ? blob_new(q.len) : NULL;

		if (body)
			memset(blob_writable(body), 7, q.len);
		atomic_store(&countdown, left);
		if (q.kind == 'h')
			q.head_done(q.arg, 0, NULL, &version);
		else if (q.kind == 'l')
			q.list_done(q.arg, 0, NULL, &page);
		else
			q.get_done(q.arg, 0, NULL, body);
		blob_unref(body);
	}
}

static void object_done(void *arg, int err, const char *why, struct object *obj, uint64_t ttl_ms)
{
	(void)ttl_ms;
	assert_true((err == 0) == (obj != NULL) && (err == 0) == (why == NULL));
	if (arg && obj)
		*(struct object **)arg = object_ref(obj);
	count(err);
}

static void dir_done(void *arg, int err, const char *why, uint64_t ttl_ms)
{
	(void)arg;
	(void)ttl_ms;
	assert_true((err == 0) == (why == NULL));
	count(err);
}

static void list_done(void *arg, int err, const char *why, const struct store_page *page,
                      struct object *const *objects)
{
	(void)arg;
	(void)why;
	assert_true(err || (page->n == 2 && objects[0] && !objects[1]));
	count(err);
}

static void use_meta(void)
{
	struct store_list l = { .prefix = "a/", .delimiter = true };
	struct meta *m = meta_new(&hand.store, META_FOREVER, 4 * meta_entry_bytes(2, true), &stats);
	struct object *obj = NULL;

	if (!m)
		return;
	meta_object(m, "k", object_done, NULL);
	meta_object(m, "k", object_done, NULL);
	meta_dir(m, "a/", dir_done, NULL);
	meta_list(m, &l, list_done, NULL);
	answer_all();
	meta_forget(m, "k");
	meta_dir(m, "a/c/", dir_done, NULL);
	answer_all();
	expect_answers(5);
	/* Whatever was missed before is found now. */
	atomic_fetch_sub(&countdown, 1 << 20);
	meta_object(m, "k", object_done, &obj);
	answer_all();
	atomic_fetch_add(&countdown, 1 << 20);
	assert_non_null(obj);
	assert_true(meta_current(m, obj));
	object_unref(obj);
	expect_answers(1);
	meta_free(m);
}

static void meta_answers_without_memory(void **state)
{
	(void)state;
	hand_init(&hand, &stats);
	assert_true(fail_each(use_meta) > 20);
	assert_int_equal(hand.n, 0);
}

static void read_done(void *arg, int err, const char *why, struct blob *bytes)
{
	(void)arg;
	(void)why;
	assert_true(err ||
	            (blob_data(bytes)[0] == 7 && blob_data(bytes)[blob_len(bytes) - 1] == 7));
	count(err);
}

static void use_blocks(void)
{
	static const struct object_meta version = { .size = 300000, .etag = "v" };
	struct blocks *b = blocks_new(&hand.store, 16 << 20, &stats);
	struct object *obj = object_new("k", &version);

	if (!b || !obj)
		goto out;
	blocks_read(b, obj, 70000, 10, read_done, NULL);
	answer_all();
	blocks_read(b, obj, 10, 200000, read_done, NULL);
	blocks_read(b, obj, 20, 20, read_done, NULL);
	blocks_ahead(b, obj, 0, 300000);
	answer_all();
	expect_answers(3);
	atomic_fetch_sub(&countdown, 1 << 20);
	blocks_read(b, obj, 0, 300000, read_done, NULL);
	answer_all();
	atomic_fetch_add(&countdown, 1 << 20);
	assert_int_equal(n_ok, 1);
	expect_answers(1);
	assert_int_equal(stats_get(&stats, STAT_block_bytes), 300000);
out:
	object_unref(obj);
	blocks_free(b);
	assert_int_equal(stats_get(&stats, STAT_block_bytes), 0);
}

static void blocks_answer_without_memory(void **state)
{
	(void)state;
	hand_init(&hand, &stats);
	assert_true(fail_each(use_blocks) > 15);
	assert_int_equal(hand.n, 0);
}

static char root[64];
static sem_t answered;

static void page_done(void *arg, int err, const char *why, const struct store_page *page)
{
	(void)arg;
	/* Two objects, or a sentence; never a page that lacks one. */
	count(err ? (why ? err : -EINVAL) : page->n == 2 ? 0 : -EINVAL);
	sem_post(&answered);
}

static void head_done(void *arg, int err, const char *why, const struct object_meta *meta)
{
	(void)why;
	if (meta)
		*(struct object_meta *)arg = *meta;
	count(err);
	sem_post(&answered);
}

static void get_done(void *arg, int err, const char *why, struct blob *body)
{
	(void)arg;
	(void)why;
	count(err ? err : blob_len(body) == 3 ? 0 : -EINVAL);
	sem_post(&answered);
}

static void use_dir(void)
{
	struct store_list l = { .prefix = "" };
	struct object_meta version = { .size = 0 };
	char why[STORE_WHY_MAX] = "";
	struct store *s;
	int err = store_dir_open(root, &stats, why, &s);

	if (err < 0) {
		assert_int_equal(err, -ENOMEM);
		assert_string_not_equal(why, "");
		return;
	}
	store_head(s, "d/f", head_done, &version);
	store_list(s, &l, page_done, NULL);
	sem_wait(&answered);
	sem_wait(&answered);
	expect_answers(2);
	if (version.size) {
		store_get(s, "d/f", &version, 0, 3, STORE_DEMAND, get_done, NULL);
		sem_wait(&answered);
		expect_answers(1);
	}
	store_free(s);
}

static void a_folder_answers_without_memory(void **state)
{
	char line[256];

	(void)state;
	strcpy(root, "/tmp/test_no_memory.XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(line, sizeof(line), "cd '%s' && mkdir d && printf abc > d/f && touch g", root);
	assert_int_equal(system(line), 0);
	sem_init(&answered, 0, 0);
	assert_true(fail_each(use_dir) > 12);
	sem_destroy(&answered);
	snprintf(line, sizeof(line), "rm -rf '%s'", root);
	assert_int_equal(system(line), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meta_answers_without_memory),
		cmocka_unit_test(blocks_answer_without_memory),
		cmocka_unit_test(a_folder_answers_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
