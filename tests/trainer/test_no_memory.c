/* Every allocation of the trainer's layers fails once: each step still answers, with -ENOMEM and
 * a sentence, and nothing leaks (the address sanitizer looks).
 *
 * To be linked with -Wl,--wrap= for the functions below. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "backend/narrow.h"
#include "backend/reference.h"
#include "checkpoint/safetensors.h"
#include "data/loader.h"
#include "data/samples.h"
#include "model/model.h"
#include "model/optimizer.h"
#include "model/scaler.h"
#include "sample_tree.h"
#include "train/state.h"
#include "util/why.h"

/* Of this thread: readers allocate when they like. */
static _Thread_local long countdown;
static char folder[64], file[96];

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *s);

static bool fails(void)
{
	return countdown > 0 && --countdown == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
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

/* ---- the steps of a run --------------------------------------------------------------------- */

static const struct clip_spec spec = { true, true, TREE_T, TREE_H, TREE_W, TREE_N_MFCC,
                                       TREE_COLUMNS };
static const struct model_config config = {
	.video = true, .audio = true, .t = TREE_T, .h = TREE_H, .w = TREE_W, .crop_h = TREE_H,
	.crop_w = TREE_W, .n_mfcc = TREE_N_MFCC, .columns = TREE_COLUMNS, .video_width = 4,
	.video_depth = 2, .audio_width = 4, .audio_depth = 2, .classes = 2, .batch = 3,
};

static int list_samples(struct why *why)
{
	const struct samples_config how = { .val_share = 0.3 };
	struct samples *s;
	int err = samples_load(folder, &how, &s, why);

	if (!err)
		samples_free(s);
	return err;
}

static int alloc_batch(void *context, size_t bytes, void **ret)
{
	struct backend *b = context;

	return b->ops->host_alloc(b, bytes, ret);
}

static void free_batch(void *context, void *memory)
{
	struct backend *b = context;

	b->ops->host_free(b, memory);
}

static int start_loader_in(const struct loader_allocator *allocator, struct why *why)
{
	const struct samples_config how = { 0 };
	struct loader_config c = { .folder = folder, .spec = spec, .ranks = 1, .readers = 2, .queue = 2,
	                           .crop_h = TREE_H, .crop_w = TREE_W };
	struct samples *s;
	struct loader *l;
	long kept = countdown;
	int err;

	countdown = 0;
	assert_int_equal(samples_load(folder, &how, &s, why), 0);
	countdown = kept;
	c.samples = s;
	c.allocator = *allocator;
	c.plan = (struct plan){ s->n_train, 0, 2, 1 };
	err = loader_new(&c, &l, why);
	if (!err)
		loader_free(l);
	samples_free(s);
	return err;
}

static int start_loader(struct why *why)
{
	return start_loader_in(&(struct loader_allocator){ 0 }, why);
}

/* Its batches in memory of a backend. */
static int start_loader_for_a_backend(struct why *why)
{
	struct backend *b;
	int err = reference_new(&b);

	if (err)
		return why_no_memory(why);
	err = start_loader_in(&(struct loader_allocator){ alloc_batch, free_batch, b, "pinned memory" },
	                      why);
	backend_free(b);
	return err;
}

/* A model, as a whole: built, saved, read back. */
static int build_and_save(struct why *why)
{
	const struct optimizer_config rate = { .kind = OPTIMIZER_ADAMW, .lr = 1, .steps = 1 };
	static const char *const classes[] = { "x", "y" };
	const struct state state = { .samples_sha256 = "", .settings = "", .environment = "",
	                             .classes = classes, .n_classes = 2 };
	struct backend *b = NULL;
	struct model *m = NULL;
	struct optimizer *o = NULL;
	struct safetensors *s = NULL;
	struct progress progress;
	uint32_t *bad = NULL;
	size_t n_bad;
	int err = reference_new(&b);

	if (err)
		return why_no_memory(why);
	err = model_new(b, &config, 1, &m, why);
	if (!err && (err = optimizer_new(b, m, &rate, &o)))
		why_no_memory(why);
	if (!err)
		err = state_save(file, b, m, o, &state, why);
	if (!err)
		err = state_open(file, &s, why);
	if (!err)
		err = state_load(s, b, m, o, &progress, &bad, &n_bad, why);
	free(bad);
	safetensors_free(s);
	optimizer_free(o);
	model_free(m);
	backend_free(b);
	return err;
}

/* A step in 16 bits, which takes its room when it needs it. */
static int step_narrow(struct why *why)
{
	enum { FRAMES = 3 * TREE_T * TREE_H * TREE_W * 3, MFCC = 3 * TREE_N_MFCC * TREE_COLUMNS };
	static const uint8_t frames[FRAMES];
	static const float mfcc[MFCC], weights[3] = { 1, 1, 1 };
	static const struct crop crops[3];
	static const int32_t labels[3];
	const struct model_input in = { frames, crops, mfcc, labels, weights };
	const struct scaler_config scale = { .used = true, .dynamic = true };
	struct backend *inner, *b = NULL;
	struct model *m = NULL;
	struct scaler *s = NULL;
	float loss[3];
	int32_t hit[3];
	bool finite;
	int err = reference_new(&inner);

	if (!err)
		err = narrow_new(inner, PRECISION_FP16, &b);
	if (err)
		return why_no_memory(why);
	err = model_new(b, &config, 1, &m, why);
	if (!err && (err = scaler_new(b, m, &scale, &s)))
		why_no_memory(why);
	if (!err) {
		err = model_load(m, &in);
		if (!err)
			err = model_forward(m, 0, scaler_scale(s) / 3, loss, hit);
		if (!err)
			err = model_backward(m);
		if (!err)
			err = scaler_unscale(s, &finite);
		if (err)
			why_set(why, err, "%s", strerror(-err));
	}
	scaler_free(s);
	model_free(m);
	backend_free(b);
	return err;
}

/* Lets allocation 1, 2, ... fail, until the step needs no more. */
static void expect_each_failure_told(int (*step)(struct why *))
{
	struct why why = { "" };
	long n = 0;
	int err;

	assert_int_equal(step(&why), 0);
	do {
		bool left;

		why.text[0] = '\0';
		countdown = ++n;
		err = step(&why);
		left = countdown > 0;
		countdown = 0;
		if (err) {
			assert_int_equal(err, -ENOMEM);
			if (!strstr(why.text, "out of memory") && !strstr(why.text, strerror(ENOMEM)))
				fail_msg("allocation %ld: \"%s\"", n, why.text);
		}
		/* A failure that nobody heard of would be luck. */
		if (left)
			break;
		assert_int_equal(err, -ENOMEM);
	} while (true);
	assert_true(n > 5);
}

static void lists_of_samples_tell_it(void **state)
{
	(void)state;
	expect_each_failure_told(list_samples);
}

static void the_loader_tells_it(void **state)
{
	(void)state;
	expect_each_failure_told(start_loader);
	expect_each_failure_told(start_loader_for_a_backend);
}

static void the_model_and_its_checkpoint_tell_it(void **state)
{
	(void)state;
	expect_each_failure_told(build_and_save);
}

static void a_step_in_16_bits_tells_it(void **state)
{
	(void)state;
	expect_each_failure_told(step_narrow);
}

static int set_up(void **state)
{
	(void)state;
	tree_new(folder);
	snprintf(file, sizeof(file), "%s/file", folder);
	tree_sample(folder, "train/x/1", "x", 0);
	tree_sample(folder, "train/x/2", "x", 0);
	tree_sample(folder, "train/y/1", "y", 0);
	tree_sample(folder, "train/y/2", "y", 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_samples_tell_it),
		cmocka_unit_test(the_loader_tells_it),
		cmocka_unit_test(the_model_and_its_checkpoint_tell_it),
		cmocka_unit_test(a_step_in_16_bits_tells_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
