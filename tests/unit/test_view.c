/* Virtual trees over a store that the test answers by hand, and decoded values that it makes up:
 * what is told when memory runs out, and when nobody waits any more.
 *
 * To be linked with -Wl,--wrap= for the allocating functions below. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/stats.h"
#include "base/wanted.h"
#include "hand_store.h"
#include "media/samples.h"
#include "store/meta.h"
#include "store/object.h"
#include "view/view_priv.h"

/* -- allocations that fail -- */

/* The allocation that fails, counted down; 0 or less: none. */
static long countdown;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_asprintf(char **ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool fails(void)
{
	return countdown-- == 1;
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

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (fails())
		return -1;
	va_start(ap, fmt);
	n = vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

/* -- decoded values -- */

void samples_table(struct samples *s, struct object *obj, const struct wanted *wanted, samples_blob_fn *done, void *arg)
{
	(void)s, (void)obj, (void)wanted;
	done(arg, -EBADMSG, "made up", NULL);
}

/* A silent clip. */
void samples_mfcc(struct samples *s, struct object *obj, const struct mfcc_spec *spec, const struct wanted *wanted,
                  samples_blob_fn *done, void *arg)
{
	(void)s, (void)obj, (void)spec, (void)wanted;
	done(arg, -ENODATA, "it has no sound", NULL);
}

void samples_sound(struct samples *s, struct object *obj, const struct wanted *wanted, samples_blob_fn *done,
                   void *arg)
{
	(void)s, (void)obj, (void)wanted;
	done(arg, -ENODATA, "it has no sound", NULL);
}

void samples_clip(struct samples *s, struct object *obj, const struct frames_spec *spec, const struct wanted *wanted,
                  samples_clip_fn *done, void *arg)
{
	(void)s, (void)obj, (void)spec, (void)wanted;
	done(arg, -EBADMSG, "made up", NULL);
}

void samples_rows(struct samples *s, struct object *obj, const struct frames_spec *spec, uint32_t first, uint32_t count,
                  bool sequential, const struct wanted *wanted, samples_rows_fn *done, void *arg)
{
	(void)s, (void)obj, (void)spec, (void)first, (void)count, (void)sequential, (void)wanted;
	done(arg, -EBADMSG, "made up", NULL);
}

struct blob *samples_mfcc_now(struct samples *s, const struct object *obj, const struct mfcc_spec *spec)
{
	(void)s, (void)obj, (void)spec;
	return NULL;
}

bool samples_rows_now(struct samples *s, const struct object *obj, const struct frames_spec *spec, uint32_t first,
                      uint32_t count, struct blob **ret_rows)
{
	(void)s, (void)obj, (void)spec, (void)first, (void)count, (void)ret_rows;
	return false;
}

void samples_drop(struct samples *s)
{
	(void)s;
}

void samples_shrink(struct samples *s, size_t taken)
{
	(void)s, (void)taken;
}

/* -- the world -- */

static struct stats stats;
static struct hand_store hand;
static struct meta *meta;
static struct views *views;

static int setup(void **state)
{
	struct view_config cfg[2];
	struct view_env env = { .stats = &stats, .index_max = 1 << 20, .metadata_ttl_ms = META_FOREVER };
	char why[VIEW_WHY_MAX];

	(void)state;
	memset(&stats, 0, sizeof(stats));
	hand_init(&hand, &stats);
	meta = env.meta = meta_new(&hand.store, META_FOREVER, 1 << 20, &stats);
	assert_int_equal(view_config_init(&cfg[0], VIEW_SAMPLES, "samples"), 0);
	assert_int_equal(view_config_init(&cfg[1], VIEW_RAW, "raw"), 0);
	assert_int_equal(views_new(cfg, 2, &env, why, &views), 0);
	view_config_done(&cfg[0]);
	view_config_done(&cfg[1]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(hand.n, 0);
	views_cancel(views);
	views_stop(views);
	views_free(views);
	meta_free(meta);
	return 0;
}

static struct node *root_of(const char *name)
{
	char why[VIEW_WHY_MAX];

	struct view *v = views_find(views, name, why);
	struct node *root = view_root(v);

	view_unref(v);
	return root;
}

/* Answers the oldest LIST with the page of its token. Only it has memory. */
static void answer_page(const struct store_page *pages)
{
	struct hand_request q = hand_take(&hand, 0);

	assert_int_equal(q.kind, 'l');
	q.list_done(q.arg, 0, NULL, &pages[q.token[0] ? q.token[0] - '0' : 0]);
}

/* -- directories -- */

/* `x` is held back over a page's end until it is seen that it is a directory as well, `a` until it
 * is seen that it is none. */
static const struct store_entry listing[][4] = {
	{ { .name = "a", .meta = { .size = 1, .etag = "v" } }, { .name = "a-b", .meta = { .size = 1, .etag = "v" } },
	  { .name = "a.c", .meta = { .size = 1, .etag = "v" } }, { .name = "b/", .is_prefix = true } },
	{ { .name = "c\nd", .meta = { .size = 1, .etag = "v" } }, { .name = "x", .meta = { .size = 1, .etag = "v" } },
	  { .name = "x-y", .meta = { .size = 1, .etag = "v" } } },
	{ { .name = "x/", .is_prefix = true }, { .name = "z", .meta = { .size = 1, .etag = "v" } } },
};
static const struct store_page listing_pages[] = {
	{ .entries = listing[0], .n = 4, .next = "1" },
	{ .entries = listing[1], .n = 3, .next = "2" },
	{ .entries = listing[2], .n = 2 },
};

static int load_err, load_answers;

static void loaded(void *arg, int err, const char *why)
{
	(void)arg;
	load_err = err;
	load_answers++;
	assert_int_equal(err == 0, why == NULL);
}

/* Reads the directory, each time again where it failed. Returns how often that was. */
static int read_directory(char *names, size_t size)
{
	struct node *root = root_of("raw");
	struct view_dir *d;
	struct view_entry e;
	int failures = 0, got;

	assert_non_null(root);
	names[0] = '\0';
	while (!(d = view_dir_open(root)))
		failures++;
	while ((got = view_dir_next(d, &e)) != 0) {
		if (got == 1) {
			snprintf(names + strlen(names), size - strlen(names), "%s%s ", e.name, e.node->is_dir ? "/" : "");
			free(e.name);
			node_unref(e.node);
			continue;
		}
		assert_int_equal(got, -EAGAIN);
		load_answers = 0;
		view_dir_load(d, loaded, NULL);
		if (hand.n > 0)
			answer_page(listing_pages);
		assert_int_equal(load_answers, 1);
		assert_true(load_err == 0 || load_err == -ENOMEM);
		failures += load_err != 0;
	}
	view_dir_close(d);
	node_unref(root);
	return failures;
}

static void a_directory_is_read_once_however_often_memory_runs_out(void **state)
{
	char names[256];
	int runs = 0, failures = 0;
	int64_t left_out = stats_get(&stats, STAT_names_left_out);

	(void)state;
	do {
		countdown = runs++ + 3; /* the root itself is always had */
		failures += read_directory(names, sizeof(names));
		assert_string_equal(names, "a-b a.c a b/ x-y x/ z ");
		assert_int_equal(stats_get(&stats, STAT_names_left_out), left_out += 2);
	} while (countdown <= 0);
	countdown = 0;
	assert_true(failures > 30);
}

/* -- silence -- */

struct answer {
	int n, err;
	size_t len;
	bool zeros;
};

static void read_done(void *arg, int err, const char *why, const struct iovec *iov, unsigned n_iov)
{
	struct answer *a = arg;

	a->n++;
	a->err = err;
	a->zeros = true;
	a->len = 0;
	assert_int_equal(err == 0, why == NULL);
	for (unsigned i = 0; i < n_iov; i++)
		for (size_t k = 0; k < iov[i].iov_len; k++)
			a->zeros &= a->len++ < 128 || ((const char *)iov[i].iov_base)[k] == 0;
}

static void no_memory_for_silence_is_no_want_of_sound(void **state)
{
	static const struct object_meta version = { .size = 100, .etag = "v" };
	struct object *obj = object_new("a/clip.mp4", &version);
	char why[VIEW_WHY_MAX];
	struct view *mfcc = views_find(views, "samples", why)->parts[SAMPLES_MFCC];
	struct node *n = node_new(mfcc, false, obj->key, obj, 0);
	struct view_file *f = view_open(n);
	int runs = 0, no_memory = 0;

	(void)state;
	n->size = 100000;
	do {
		struct answer a = { 0 };

		countdown = ++runs;
		view_read(f, 0, 1000, NULL, read_done, &a);
		assert_int_equal(a.n, 1);
		assert_true(a.err == 0 || a.err == -ENOMEM);
		assert_true(a.err || (a.len == 1000 && a.zeros));
		no_memory += a.err == -ENOMEM;
	} while (countdown <= 0);
	countdown = 0;
	assert_true(no_memory >= 2);
	view_close(f);
	node_unref(n);
	object_unref(obj);
}

/* -- names with parameters -- */

static struct view *find(const char *list, int i)
{
	char name[128], why[VIEW_WHY_MAX];
	struct view *v;

	snprintf(name, sizeof(name), "%s=%d", list, i);
	v = views_find(views, name, why);
	if (!v)
		fail_msg("%s: %s", name, why);
	return v;
}

/* Epochs come, 10^4 of them: what nobody has any more is forgotten, what somebody has stays. */
static void views_with_parameters_are_forgotten_once_nobody_has_them(void **state)
{
	const int64_t before = stats_get(&stats, STAT_views);
	struct view *first = find("samples@num_frames", 1), *v;
	struct node *root = view_root(first), *part;

	(void)state;
	assert_true(view_bytes(first) > 0);
	part = node_new(first->parts[SAMPLES_FRAMES], true, "", NULL, -1);
	assert_true(node_bytes(root) >= view_bytes(first));
	view_unref(first);
	for (int i = 1; i <= 10000; i++) {
		v = find("raw@match", i);
		view_unref(v);
		v = find("samples@num_frames", i);
		view_unref(v);
	}
	assert_in_range(stats_get(&stats, STAT_views) - before, 1, 65);
	assert_ptr_equal(v = find("samples@num_frames", 1), first);
	view_unref(v);
	node_unref(root);
	for (int i = 2; i <= 200; i++)
		view_unref(find("raw@match", i));
	assert_ptr_equal(v = find("samples@num_frames", 1), first);  /* a part of it is enough */
	view_unref(v);
	node_unref(part);
	for (int i = 2; i <= 200; i++)
		view_unref(find("raw@match", i));
	assert_in_range(stats_get(&stats, STAT_views) - before, 0, 64);
}

/* -- index.csv -- */

static const struct store_entry clips[][1] = {
	{ { .name = "train/a/1.mp4", .meta = { .size = 1, .etag = "v" } } },
	{ { .name = "train/b/2.mp4", .meta = { .size = 1, .etag = "v" } } },
	{ { .name = "train/c/3.mp4", .meta = { .size = 1, .etag = "v" } } },
};
static const struct store_page clip_pages[] = {
	{ .entries = clips[0], .n = 1, .next = "1" },
	{ .entries = clips[1], .n = 1, .next = "2" },
	{ .entries = clips[2], .n = 1 },
};

struct index_answer {
	_Atomic int n;
	int err;
	size_t lines;
};

static void index_done(void *arg, int err, const char *why, struct node *n, uint64_t ttl_ms)
{
	struct index_answer *a = arg;

	(void)ttl_ms, (void)why;
	a->err = err;
	for (size_t i = 0; n && i < blob_len(n->content); i++)
		a->lines += blob_data(n->content)[i] == '\n';
	atomic_fetch_add(&a->n, 1);
}

static void a_listing_that_nobody_waits_for_ends_with_its_page(void **state)
{
	struct wanted wanted[2] = { { 0 }, { 0 } };
	struct index_answer a[2] = { { 0 }, { 0 } };
	struct node *root = root_of("samples");

	(void)state;
	for (int i = 0; i < 2; i++)
		view_lookup(root, "index.csv", &wanted[i], index_done, &a[i]);
	assert_int_equal(hand.total, 1);
	answer_page(clip_pages);
	assert_int_equal(hand.total, 2);
	/* One has gone: the other still waits. */
	wanted_drop(&wanted[0]);
	views_drop(views);
	assert_int_equal(a[0].n, 1);
	assert_int_equal(a[0].err, -ECANCELED);
	assert_int_equal(a[1].n, 0);
	wanted_drop(&wanted[1]);
	views_drop(views);
	assert_int_equal(a[1].n, 1);
	assert_int_equal(a[1].err, -ECANCELED);
	answer_page(clip_pages);
	assert_int_equal(hand.total, 2);
	node_unref(root);
}

static void await(const struct index_answer *a)
{
	/* Written by the catalogues' own thread. */
	while (atomic_load(&a->n) == 0)
		sched_yield();
	assert_int_equal(a->err, 0);
	assert_int_equal(a->lines, 4);
}

static void who_comes_before_that_page_goes_on_with_the_listing(void **state)
{
	struct wanted wanted = { 0 };
	struct index_answer gone = { 0 }, later = { 0 }, last = { 0 };
	struct node *root = root_of("samples");

	(void)state;
	view_lookup(root, "index.csv", &wanted, index_done, &gone);
	answer_page(clip_pages);
	wanted_drop(&wanted);
	views_drop(views);
	view_lookup(root, "index.csv", NULL, index_done, &later);
	answer_page(clip_pages);
	answer_page(clip_pages);
	assert_int_equal(hand.total, 3);
	await(&later);
	view_lookup(root, "index.csv", NULL, index_done, &last);
	await(&last);
	assert_int_equal(hand.total, 3);
	node_unref(root);
}

static void who_comes_after_that_page_begins_anew(void **state)
{
	struct wanted wanted = { 0 };
	struct index_answer gone = { 0 }, later = { 0 };
	struct node *root = root_of("samples");

	(void)state;
	view_lookup(root, "index.csv", &wanted, index_done, &gone);
	wanted_drop(&wanted);
	views_drop(views);
	answer_page(clip_pages);
	assert_int_equal(hand.n, 0);
	view_lookup(root, "index.csv", NULL, index_done, &later);
	for (int i = 0; i < 3; i++)
		answer_page(clip_pages);
	assert_int_equal(hand.total, 4);
	await(&later);
	node_unref(root);
}

/* Another catalogue's turn comes when that of one that nobody waits for has ended. */
static void a_dropped_listing_leaves_its_turn_to_the_next(void **state)
{
	struct wanted wanted[2] = { { 0 }, { 0 } };
	struct index_answer a[2] = { { 0 }, { 0 } }, other = { 0 };
	struct node *root = root_of("samples"), *second = root_of("samples@match=*.mp4");
	struct node *third = root_of("samples@match=*.mp4,split_names=first");

	(void)state;
	view_lookup(root, "index.csv", &wanted[0], index_done, &a[0]);
	view_lookup(second, "index.csv", &wanted[1], index_done, &a[1]);
	view_lookup(third, "index.csv", NULL, index_done, &other);
	assert_int_equal(hand.total, 1);
	wanted_drop(&wanted[0]);
	wanted_drop(&wanted[1]);
	views_drop(views);
	assert_int_equal(a[0].err, -ECANCELED);
	assert_int_equal(a[1].err, -ECANCELED);
	for (int i = 0; i < 4; i++)
		answer_page(clip_pages);
	await(&other);
	assert_int_equal(hand.total, 4);
	node_unref(root);
	node_unref(second);
	node_unref(third);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(views_with_parameters_are_forgotten_once_nobody_has_them, setup, teardown),
		TEST(a_directory_is_read_once_however_often_memory_runs_out),
		TEST(no_memory_for_silence_is_no_want_of_sound),
		TEST(a_listing_that_nobody_waits_for_ends_with_its_page),
		TEST(who_comes_before_that_page_goes_on_with_the_listing),
		TEST(who_comes_after_that_page_begins_anew),
		TEST(a_dropped_listing_leaves_its_turn_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
