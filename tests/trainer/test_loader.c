/* Batches: the same whatever the threads do; what can't be read is left out, or ends it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "data/loader.h"
#include "data/samples.h"
#include "format/npy.h"
#include "format/npy_read.h"
#include "sample_tree.h"
#include "util/why.h"

enum { SAMPLES = 23, VAL = 4 };

static char folder[64];
static struct samples *samples;
static struct why why;

static const struct clip_spec whole = { true, true, TREE_T, TREE_H, TREE_W, TREE_N_MFCC,
                                        TREE_COLUMNS };

static struct loader_config config_of(unsigned readers, unsigned queue, size_t batch)
{
	return (struct loader_config){
		.folder = folder, .samples = samples, .spec = whole,
		.plan = { samples->n_train, samples->n_val, batch, 2 },
		.seed = 3, .ranks = 1, .readers = readers, .queue = queue,
		.crop_h = 3, .crop_w = 3, .flip = true,
	};
}

static size_t frame_bytes(void)
{
	return clip_frames_bytes(&whole);
}

/* Everything that a model would see of a batch, as text. */
static void describe(const struct batch *b, struct buf *out)
{
	buf_printf(out, "%u %d %zu %zu:", b->plan.epoch, b->plan.training, b->plan.first, b->n);
	for (size_t i = 0; i < b->places; i++)
		buf_printf(out, " %d/%d/%g/%g/%d,%d,%d", b->frames[i * frame_bytes()], b->labels[i],
		           (double)b->weights[i],
		           (double)b->mfcc[i * clip_mfcc_floats(&whole)], b->crops[i].y, b->crops[i].x,
		           b->crops[i].flip);
	for (size_t i = 0; i < b->n_bad; i++)
		buf_printf(out, " bad %u %s", b->bad[i].sample, b->bad[i].reason);
	buf_putc(out, '\n');
}

static char *run(const struct loader_config *config)
{
	struct loader *l;
	struct batch *b;
	struct buf out;
	int err;

	buf_init(&out, 1 << 20);
	assert_int_equal(loader_new(config, &l, &why), 0);
	while ((err = loader_next(l, &b, &why)) == 0) {
		describe(b, &out);
		loader_give_back(l, b);
	}
	if (err != 1)
		fail_msg("%s", why.text);
	/* It stays at the end. */
	assert_int_equal(loader_next(l, &b, &why), 1);
	loader_free(l);
	return buf_take(&out);
}

static void batches_are_the_same_however_many_threads(void **state)
{
	struct loader_config one = config_of(1, 2, 5), many = config_of(16, 9, 5);
	char *expected = run(&one);

	(void)state;
	for (int i = 0; i < 20; i++) {
		char *text = run(&many);

		assert_string_equal(text, expected);
		free(text);
	}
	free(expected);
}

static void every_sample_comes_once_an_epoch(void **state)
{
	const struct loader_config config = config_of(3, 3, 4);
	int seen[2][SAMPLES] = { 0 };
	struct loader *l;
	struct batch *b;

	(void)state;
	assert_int_equal(loader_new(&config, &l, &why), 0);
	while (loader_next(l, &b, &why) == 0) {
		for (size_t i = 0; i < b->n; i++) {
			/* each sample's bytes are its number */
			assert_int_equal(b->frames[i * frame_bytes()], b->samples[i]);
			assert_true(b->mfcc[i * clip_mfcc_floats(&whole)] == (float)b->samples[i]);
			assert_int_equal(b->labels[i], samples->sample[b->samples[i]].class);
			seen[b->plan.epoch][b->samples[i]]++;
		}
		/* The places behind the last sample count nothing. */
		for (size_t i = b->n; i < b->places; i++)
			assert_true(b->weights[i] == 0 && b->frames[i * frame_bytes()] == 0);
		loader_give_back(l, b);
	}
	loader_free(l);
	for (int i = 0; i < SAMPLES; i++)
		assert_int_equal(seen[0][i] + 10 * seen[1][i], 11);
}

static void ranks_have_parts_of_the_same_batches(void **state)
{
	struct loader_config all = config_of(2, 2, 8), part = config_of(2, 2, 8);
	struct loader *l[5];
	struct batch *b[5];

	(void)state;
	assert_int_equal(loader_new(&all, &l[4], &why), 0);
	part.ranks = 4;
	for (part.rank = 0; part.rank < 4; part.rank++)
		assert_int_equal(loader_new(&part, &l[part.rank], &why), 0);
	while (loader_next(l[4], &b[4], &why) == 0) {
		size_t n = 0;

		for (int r = 0; r < 4; r++) {
			assert_int_equal(loader_next(l[r], &b[r], &why), 0);
			assert_int_equal(b[r]->places, 2);
			n += b[r]->n;
			assert_memory_equal(b[r]->weights, b[4]->weights + 2 * r, 2 * sizeof(float));
			assert_memory_equal(b[r]->samples, b[4]->samples + 2 * r,
			                    b[r]->n * sizeof(uint32_t));
		}
		assert_int_equal(n, b[4]->n);
		for (int r = 0; r < 5; r++)
			loader_give_back(l[r], b[r]);
	}
	for (int r = 0; r < 5; r++) {
		assert_int_equal(loader_next(l[r], &b[r], &why), 1);
		loader_free(l[r]);
	}
}

static void a_run_goes_on_where_it_was(void **state)
{
	struct loader_config config = config_of(2, 3, 5);
	char *text = run(&config), *rest;
	char *from = text;

	(void)state;
	for (int i = 0; i < 2; i++)
		from = strchr(from, '\n') + 1;
	config.start = (struct plan_cursor){ .epoch = 0, .position = 10 };
	rest = run(&config);
	assert_string_equal(rest, from);
	free(text);
	free(rest);
}

/* ---- bad samples ----------------------------------------------------------------------------- */

/* The one bad sample of the first epoch, and the reason. */
static const char *bad_reason(uint32_t sample)
{
	static char reason[WHY_MAX];
	struct loader_config config = config_of(4, 2, 5);
	struct loader *l;
	struct batch *b;
	int found = 0;

	config.plan.epochs = 1;
	assert_int_equal(loader_new(&config, &l, &why), 0);
	while (loader_next(l, &b, &why) == 0) {
		for (size_t i = 0; i < b->n; i++)
			assert_true(b->weights[i] == (b->samples[i] == sample ? 0 : 1));
		for (size_t i = 0; i < b->n_bad; i++) {
			assert_int_equal(b->bad[i].sample, sample);
			snprintf(reason, sizeof(reason), "%s", b->bad[i].reason);
			found++;
		}
		loader_give_back(l, b);
	}
	loader_free(l);
	assert_int_equal(found, 1);
	return reason;
}

static void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" doesn't say \"%s\"", text, part);
}

static void put_array(const char *file, const char *descr, const uint64_t *shape, unsigned ndim,
                      size_t bytes, float value)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	assert_int_equal(npy_header(descr, shape, ndim, &out), 0);
	for (size_t i = 0; i < bytes / sizeof(value); i++)
		buf_add(&out, &value, sizeof(value));
	tree_file(folder, file, out.data, out.len);
	buf_done(&out);
}

static void bad_samples_are_left_out_and_named(void **state)
{
	static const uint64_t frames[] = { TREE_T, TREE_H, TREE_W, 3 }, small[] = { 1, 2, 2, 3 };
	static const uint64_t mfcc[] = { TREE_N_MFCC, TREE_COLUMNS };
	size_t mfcc_bytes = TREE_N_MFCC * TREE_COLUMNS * sizeof(float);
	char name[128];

	(void)state;
	put_array("s07/frames.npy", "|u1", small, 4, 12, 0);
	assert_says(bad_reason(7), "frames.npy: is |u1 (1, 2, 2, 3), not |u1 (2, 4, 4, 3)");
	put_array("s07/frames.npy", "<f4", frames, 4, frame_bytes() * 4, 0);
	assert_says(bad_reason(7), "is <f4");
	put_array("s07/frames.npy", "|u1", frames, 4, frame_bytes() - 8, 0);
	assert_says(bad_reason(7), "its shape says");
	put_array("s07/frames.npy", "|u1", frames, 4, frame_bytes() + 8, 0);
	assert_says(bad_reason(7), "its shape says");
	tree_file(folder, "s07/frames.npy", "\x93NUMPY\x01", 7);
	assert_says(bad_reason(7), "ends early");
	tree_file(folder, "s07/frames.npy", "no array, but long enough", 25);
	assert_says(bad_reason(7), "not an array");
	tree_sample(folder, "s07", "x", 7);
	put_array("s07/mfcc.npy", "<f4", mfcc, 2, mfcc_bytes, 0.0f / 0.0f);
	assert_says(bad_reason(7), "not finite");
	put_array("s07/mfcc.npy", "<f8", mfcc, 2, 2 * mfcc_bytes, 0);
	assert_says(bad_reason(7), "is <f8 (3, 5), not <f4 (3, 5)");
	snprintf(name, sizeof(name), "%s/s07/mfcc.npy", folder);
	unlink(name);
	assert_says(bad_reason(7), "mfcc.npy: No such file");
	assert_int_equal(mkdir(name, 0777), 0);
	assert_says(bad_reason(7), "Is a directory");
}

static void what_concerns_all_files_ends_the_run(void **state)
{
	const struct loader_config config = config_of(4, 2, 5);
	struct loader *l;
	struct batch *b;
	char name[128];
	int err;

	(void)state;
	/* ELOOP stands for whatever isn't the sample's own fault. */
	snprintf(name, sizeof(name), "%s/s07/mfcc.npy", folder);
	unlink(name);
	assert_int_equal(symlink("mfcc.npy", name), 0);
	assert_int_equal(loader_new(&config, &l, &why), 0);
	while ((err = loader_next(l, &b, &why)) == 0)
		loader_give_back(l, b);
	assert_int_equal(err, -ELOOP);
	assert_says(why.text, "s07/mfcc.npy");
	loader_free(l);
}

static void *interrupt(void *arg)
{
	loader_interrupt(arg);
	return NULL;
}

static void an_interrupt_reaches_who_waits(void **state)
{
	struct loader_config config = config_of(1, 2, 5);
	struct loader *l;
	struct batch *b;
	pthread_t thread;
	char name[128];
	int fd;

	(void)state;
	config.plan.epochs = 1000000;
	/* A pipe that nobody writes to: the reader hangs in it, until somebody does. */
	snprintf(name, sizeof(name), "%s/s07/mfcc.npy", folder);
	unlink(name);
	assert_int_equal(mkfifo(name, 0666), 0);
	assert_int_equal(loader_new(&config, &l, &why), 0);
	assert_int_equal(pthread_create(&thread, NULL, interrupt, l), 0);
	while (loader_next(l, &b, &why) == 0)
		loader_give_back(l, b);
	assert_int_equal(loader_next(l, &b, &why), -EINTR);
	pthread_join(thread, NULL);
	/* Lets the reader out, whether it has come there or not: no one can enter after unlink. */
	fd = open(name, O_RDWR | O_NONBLOCK);
	unlink(name);
	close(fd);
	loader_free(l);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Of the batches: how much there is, and which allocation fails. */
struct store {
	size_t bytes;
	int live, left, err;
};

static int store_alloc(void *context, size_t bytes, void **ret)
{
	struct store *s = context;

	if (s->left-- == 0)
		return s->err;
	*ret = calloc(1, bytes);
	assert_non_null(*ret);
	s->bytes += bytes;
	s->live++;
	return 0;
}

static void store_free(void *context, void *memory)
{
	struct store *s = context;

	assert_non_null(memory);
	free(memory);
	s->live--;
}

static void batches_lie_where_they_are_asked_to(void **state)
{
	struct store store = { .left = -1 };
	struct loader_config config = config_of(4, 3, 5), own = config;
	char *expected = run(&config), *text;

	(void)state;
	own.allocator = (struct loader_allocator){ store_alloc, store_free, &store, "far memory" };
	text = run(&own);
	assert_string_equal(text, expected);
	assert_int_equal(store.bytes, loader_memory(&config));
	assert_int_equal(store.live, 0);
	free(text);
	free(expected);
}

static void memory_that_is_refused_is_told(void **state)
{
	struct store store = { 0 };
	struct loader_config config = config_of(2, 3, 5);
	struct loader *l;

	(void)state;
	config.allocator = (struct loader_allocator){ store_alloc, store_free, &store, "far memory" };
	/* frames and MFCC of three batches */
	for (int i = 0; i < 6; i++) {
		store = (struct store){ .left = i, .err = i % 2 ? -EIO : -ENOMEM };
		assert_int_equal(loader_new(&config, &l, &why), store.err);
		assert_int_equal(store.live, 0);
		assert_says(why.text, i % 2 ? "there is no far memory for batches: Input/output error" :
		            "out of memory: 3 batches need 0 MiB of far memory; a smaller batch or queue "
		            "needs less");
	}
}

/* The one that the consumer still has is freed as well. */
static void a_batch_that_was_not_given_back_is_freed(void **state)
{
	struct store store = { .left = -1 };
	struct loader_config config = config_of(2, 3, 5);
	struct loader *l;
	struct batch *b;

	(void)state;
	config.allocator = (struct loader_allocator){ store_alloc, store_free, &store, "far memory" };
	assert_int_equal(loader_new(&config, &l, &why), 0);
	assert_int_equal(loader_next(l, &b, &why), 0);
	loader_free(l);
	assert_int_equal(store.live, 0);
}

static void memory_is_bounded_by_queue_and_batch(void **state)
{
	const struct loader_config config = config_of(4, 3, 5);

	(void)state;
	assert_int_equal(loader_memory(&config),
	                 3 * 5 * (frame_bytes() + clip_mfcc_floats(&whole) * sizeof(float)));
}

/* ---- headers ---------------------------------------------------------------------------------- */

static void headers_are_read_strictly(void **state)
{
	static const char *const bad[] = {
		"{'descr': '<f4', 'fortran_order': True, 'shape': (3,), }",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (3), }",
		"{'descr': '<f4', 'fortran_order': False, }",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } x",
		"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999,), }",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,), }",
		"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
		"{'descr': '<f4'",
	};
	static const char good[] = "{'shape':(3,4),'fortran_order':False,\"descr\":'<f4'}\n";
	char head[256];
	struct npy_info info;
	size_t need;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t len = strlen(bad[i]);

		memcpy(head, "\x93NUMPY\x01\x00", 8);
		head[8] = (char)len;
		head[9] = 0;
		memcpy(head + 10, bad[i], len);
		assert_int_equal(npy_parse(head, 10 + len, &info, &need), -EINVAL);
	}
	memcpy(head, "\x93NUMPY\x02\x00", 8);
	memset(head + 8, 0, 4);
	head[8] = (char)strlen(good);
	memcpy(head + 12, good, sizeof(good));
	for (size_t len = 0; len < 12 + strlen(good); len++) {
		assert_int_equal(npy_parse(head, len, &info, &need), -EAGAIN);
		assert_int_equal(need, len < 12 ? 12 : 12 + strlen(good));
	}
	assert_int_equal(npy_parse(head, 12 + strlen(good), &info, &need), 0);
	assert_string_equal(info.descr, "<f4");
	assert_int_equal(info.ndim, 2);
	assert_int_equal(info.shape[1], 4);
	assert_int_equal(info.offset, 12 + strlen(good));
}

static int set_up(void **state)
{
	const struct samples_config config = { 0 };

	(void)state;
	tree_new(folder);
	for (int i = 0; i < SAMPLES; i++) {
		char path[32];

		snprintf(path, sizeof(path), "%ss%02d", i < SAMPLES - VAL ? "" : "val/", i);
		tree_sample(folder, path, i % 3 ? "x" : "y", i);
	}
	return samples_load(folder, &config, &samples, &why);
}

static int tear_down(void **state)
{
	(void)state;
	samples_free(samples);
	tree_remove(folder);
	return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(batches_are_the_same_however_many_threads),
		CASE(every_sample_comes_once_an_epoch),
		CASE(ranks_have_parts_of_the_same_batches),
		CASE(a_run_goes_on_where_it_was),
		CASE(bad_samples_are_left_out_and_named),
		CASE(what_concerns_all_files_ends_the_run),
		CASE(an_interrupt_reaches_who_waits),
		CASE(batches_lie_where_they_are_asked_to),
		CASE(memory_that_is_refused_is_told),
		CASE(a_batch_that_was_not_given_back_is_freed),
		CASE(memory_is_bounded_by_queue_and_batch),
		CASE(headers_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
