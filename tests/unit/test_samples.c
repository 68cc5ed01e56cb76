/* Decoded rows over real parts: a folder of clips made by ffmpeg, the block
 * cache, real worker processes. Single-flight, each GOP once, failures
 * remembered, within the capacity.
 *
 * Needs ffmpeg and, in S3SAMPLEFS_WORKER, the worker program. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/budget.h"
#include "base/stats.h"
#include "base/text.h"
#include "base/wanted.h"
#include "gate_store.h"
#include "media/plan.h"
#include "media/pool.h"
#include "media/samples.h"
#include "store/blocks.h"
#include "store/store.h"

/* The sanitizers keep what is freed, to find who uses it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURED 0
#else
#define MEASURED 1
#endif

#define FRAMES 100u          /* of the clip; a sync packet every 25 */
#define ROWS 20u
#define READERS 32u

struct world {
	char dir[64];
	struct stats stats;
	struct store *store, *gate;    /* the gate stands before the store */
	struct blocks *blocks;
	struct pool *pool;
	struct budget *budget;
	struct samples *samples;
};

/* Runs a command in which $DIR is the folder. */
static void shell(const char *command, const char *dir)
{
	setenv("DIR", dir, 1);
	assert_int_equal(system(command), 0);
}

static void open_world(struct world *w, size_t capacity)
{
	char why[512];
	struct pool_options o = { 0 };

	memset(&w->stats, 0, sizeof(w->stats));
	assert_int_equal(store_dir_open(w->dir, &w->stats, why, &w->store), 0);
	w->gate = gate_store_new(w->store, &w->stats);
	assert_non_null(w->gate);
	w->blocks = blocks_new(w->gate, (size_t)64 << 20, &w->stats);
	w->budget = budget_new((size_t)64 << 20, &w->stats);
	o.binary = getenv("S3SAMPLEFS_WORKER");
	o.workers = 2;
	o.timeout_ms = 60000;
	o.blocks = w->blocks;
	o.fetch_max = (size_t)16 << 20;
	o.stats = &w->stats;
	assert_non_null(o.binary);
	assert_int_equal(pool_new(&o, why, &w->pool), 0);
	w->samples = samples_new(w->pool, w->budget, capacity, 60000, &w->stats);
	assert_non_null(w->samples);
}

static void close_world(struct world *w)
{
	pool_free(w->pool);
	blocks_free(w->blocks);
	store_free(w->gate);
	samples_free(w->samples);
	budget_free(w->budget);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	snprintf(w->dir, sizeof(w->dir), "/tmp/test_samples.XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	shell("ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=25:d=4 -f lavfi -i sine=d=4 "
	      "-c:v libx264 -g 25 -bf 2 -sc_threshold 0 -c:a aac -movflags +faststart $DIR/clip.mp4", w->dir);
	shell("head -c 20000 /dev/urandom > $DIR/garbage.mp4", w->dir);
	/* So many frames that its table is larger than some rows of the other. */
	shell("ffmpeg -v error -y -f lavfi -i testsrc2=s=64x64:r=1000:d=20 -c:v mpeg4 -g 50 $DIR/long.mp4", w->dir);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	shell("rm -r $DIR", w->dir);
	free(w);
	return 0;
}

struct head_wait {
	sem_t done;
	int err;
	struct object *obj;
	const char *key;
};

static void got_head(void *arg, int err, const char *why, const struct object_meta *meta)
{
	struct head_wait *h = arg;

	(void)why;
	h->err = err;
	h->obj = err ? NULL : object_new(h->key, meta);
	sem_post(&h->done);
}

static struct object *object(struct world *w, const char *key)
{
	struct head_wait h = { .key = key };

	sem_init(&h.done, 0, 0);
	store_head(w->store, key, got_head, &h);
	sem_wait(&h.done);
	sem_destroy(&h.done);
	assert_int_equal(h.err, 0);
	return h.obj;
}

static struct frames_spec spec(void)
{
	struct frames_spec s;

	memset(&s, 0, sizeof(s));
	s.sampling = SAMPLING_UNIFORM;
	s.num_frames = ROWS;
	s.height = s.width = 64;
	s.square = 1;
	return s;
}

struct rows_wait {
	sem_t done;
	int err;
	uint32_t count;
	uint64_t hash[FRAMES];
	size_t len;
};

static void got_rows(void *arg, int err, const char *why, struct blob *const *rows)
{
	struct rows_wait *r = arg;

	r->err = err;
	if (err && err != -ECANCELED)
		fprintf(stderr, "rows: %s\n", why);
	for (uint32_t i = 0; !err && i < r->count; i++) {
		r->hash[i] = text_hash64(blob_data(rows[i]), blob_len(rows[i]));
		r->len = blob_len(rows[i]);
	}
	sem_post(&r->done);
}

static int read_rows(struct world *w, struct object *obj, const struct frames_spec *s, uint32_t first, uint32_t count,
                     bool sequential, uint64_t *hash)
{
	struct rows_wait r = { .count = count };

	sem_init(&r.done, 0, 0);
	samples_rows(w->samples, obj, s, first, count, sequential, NULL, got_rows, &r);
	sem_wait(&r.done);
	sem_destroy(&r.done);
	if (!r.err) {
		assert_int_equal(r.len, s->height ? 64 * 64 * 3 : 160 * 120 * 3);
		memcpy(hash + first, r.hash, count * sizeof(*hash));
	}
	return r.err;
}

struct reader {
	pthread_t thread;
	struct world *w;
	struct object *obj;
	uint64_t hash[FRAMES];
	pthread_barrier_t *start;
};

static void *read_row_7(void *arg)
{
	struct reader *r = arg;
	struct frames_spec s = spec();

	pthread_barrier_wait(r->start);
	assert_int_equal(read_rows(r->w, r->obj, &s, 7, 1, false, r->hash), 0);
	return NULL;
}

static void many_readers_of_one_cold_row_cost_one_probe_and_one_decode(void **state)
{
	struct world *w = *state;
	struct reader readers[READERS];
	pthread_barrier_t start;
	struct object *obj;

	open_world(w, (size_t)64 << 20);
	obj = object(w, "clip.mp4");
	pthread_barrier_init(&start, NULL, READERS);
	for (unsigned i = 0; i < READERS; i++) {
		readers[i].w = w;
		readers[i].obj = obj;
		readers[i].start = &start;
		pthread_create(&readers[i].thread, NULL, read_row_7, &readers[i]);
	}
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	for (unsigned i = 1; i < READERS; i++)
		assert_true(readers[i].hash[7] == readers[0].hash[7]);
	assert_int_equal(stats_get(&w->stats, STAT_probes), 1);
	assert_int_equal(stats_get(&w->stats, STAT_worker_deaths), 0);
	assert_int_equal(stats_get(&w->stats, STAT_decode_errors), 0);
	assert_int_equal(stats_get(&w->stats, STAT_decode_jobs), 2);
	pthread_barrier_destroy(&start);
	object_unref(obj);
	close_world(w);
}

/* -- readers that go away -- */

#define LEAVERS 8u           /* threads */
#define TURNS 12u            /* reads of each; every second one is given up */

struct leaver {
	pthread_t thread;
	struct world *w;
	struct object *obj;
	unsigned number;
	uint64_t want[ROWS];
	unsigned faults, left;       /* wrong answers; reads that were given up */
};

static void *read_and_leave(void *arg)
{
	struct leaver *l = arg;
	struct frames_spec s = spec();

	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct wanted wanted = { 0 };
		struct rows_wait r = { .count = 1 };
		uint32_t row = (l->number * 7 + turn * 3) % ROWS;
		bool leaves = (l->number + turn) % 2;

		sem_init(&r.done, 0, 0);
		samples_rows(l->w->samples, l->obj, &s, row, 1, false, &wanted, got_rows, &r);
		if (leaves) {
			wanted_drop(&wanted);
			samples_drop(l->w->samples);
		}
		sem_wait(&r.done);
		sem_destroy(&r.done);
		l->left += r.err == -ECANCELED;
		if (r.err == 0)
			l->faults += r.hash[0] != l->want[row];
		else
			l->faults += !leaves || r.err != -ECANCELED;
	}
	return NULL;
}

/* With room for two rows, so that all is decoded again and again, and with a new
 * object each round, so that its table is, too. */
static void readers_that_leave_cost_the_others_nothing(void **state)
{
	struct world *w = *state;
	struct leaver leavers[LEAVERS];
	struct frames_spec s = spec();
	uint64_t want[ROWS];
	unsigned left = 0;

	open_world(w, (size_t)30 << 10);
	for (unsigned round = 0; round < 5; round++) {
		struct object *obj = object(w, "clip.mp4");

		if (round == 0)
			assert_int_equal(read_rows(w, obj, &s, 0, ROWS, false, want), 0);
		for (unsigned i = 0; i < LEAVERS; i++) {
			leavers[i] = (struct leaver){ .w = w, .obj = obj, .number = i };
			memcpy(leavers[i].want, want, sizeof(want));
			pthread_create(&leavers[i].thread, NULL, read_and_leave, &leavers[i]);
		}
		for (unsigned i = 0; i < LEAVERS; i++) {
			pthread_join(leavers[i].thread, NULL);
			assert_int_equal(leavers[i].faults, 0);
			left += leavers[i].left;
		}
		object_unref(obj);
	}
	/* Who leaves a row that has to be decoded, before he has it, is not kept waiting. */
	assert_true(left > 0);
	assert_int_equal(stats_get(&w->stats, STAT_decode_errors), 0);
	assert_int_equal(stats_get(&w->stats, STAT_worker_deaths), 0);
	close_world(w);
}

static void who_was_dropped_before_he_asked_costs_nothing(void **state)
{
	struct world *w = *state;
	struct frames_spec s = spec();
	struct wanted wanted = { 0 };
	struct rows_wait r = { .count = 1 };
	struct object *obj;

	open_world(w, (size_t)64 << 20);
	obj = object(w, "clip.mp4");
	sem_init(&r.done, 0, 0);
	wanted_drop(&wanted);
	samples_rows(w->samples, obj, &s, 0, 1, false, &wanted, got_rows, &r);
	sem_wait(&r.done);
	assert_int_equal(r.err, -ECANCELED);
	assert_int_equal(stats_get(&w->stats, STAT_decode_jobs), 0);
	sem_destroy(&r.done);
	object_unref(obj);
	close_world(w);
}

static void rows_make_room_when_somebody_else_needs_it(void **state)
{
	const size_t capacity = (size_t)200 << 10, row = 64 * 64 * 3;
	struct world *w = *state;
	struct frames_spec s = spec();
	uint64_t hash[ROWS];
	struct object *obj;

	open_world(w, capacity);
	obj = object(w, "clip.mp4");
	assert_int_equal(read_rows(w, obj, &s, 0, ROWS, false, hash), 0);
	assert_in_range(stats_get(&w->stats, STAT_row_bytes), capacity / 2 + row, capacity);
	samples_shrink(w->samples, capacity / 2);
	assert_in_range(stats_get(&w->stats, STAT_row_bytes), 0, capacity / 2);
	/* Not all of it can be taken. */
	samples_shrink(w->samples, SIZE_MAX);
	for (uint32_t i = 0; i < ROWS; i++) {
		assert_int_equal(read_rows(w, obj, &s, i, 1, false, hash), 0);
		assert_in_range(stats_get(&w->stats, STAT_row_bytes), row, capacity / 4);
	}
	samples_shrink(w->samples, 0);
	assert_int_equal(read_rows(w, obj, &s, 0, ROWS, false, hash), 0);
	assert_in_range(stats_get(&w->stats, STAT_row_bytes), capacity / 2 + row, capacity);
	object_unref(obj);
	close_world(w);
}

/* What a clip can't do without is in memory, whatever else has to make room: it counts. */
static void a_clip_that_stays_keeps_its_table_in_the_count(void **state)
{
	const size_t capacity = (size_t)3 << 20, row = 160 * 120 * 3;
	struct world *w = *state;
	struct frames_spec one = spec(), all = { .sampling = SAMPLING_ALL };
	uint64_t hash[FRAMES];
	struct object *obj, *other;
	int64_t table, hits, misses;
	uint32_t n;

	one.num_frames = 1;
	open_world(w, capacity);
	obj = object(w, "long.mp4");
	other = object(w, "clip.mp4");
	assert_int_equal(read_rows(w, obj, &one, 0, 1, false, hash), 0);
	table = stats_get(&w->stats, STAT_row_bytes);
	assert_true(table > (int64_t)(10 * row));
	for (uint32_t i = 0; i < FRAMES; i++) {
		assert_int_equal(read_rows(w, other, &all, i, 1, false, hash), 0);
		assert_int_equal(read_rows(w, obj, &one, 0, 1, false, hash), 0);
		assert_in_range(stats_get(&w->stats, STAT_row_bytes), table, capacity);
	}
	hits = stats_get(&w->stats, STAT_row_hits);
	misses = stats_get(&w->stats, STAT_row_misses);
	for (n = 0; stats_get(&w->stats, STAT_row_misses) == misses; n++)
		assert_int_equal(read_rows(w, other, &all, FRAMES - 1 - n, 1, false, hash), 0);
	assert_true(stats_get(&w->stats, STAT_row_hits) > hits);
	assert_true((n - 1) * row + (size_t)table <= capacity);
	assert_int_equal(stats_get(&w->stats, STAT_probes), 2);
	object_unref(obj);
	object_unref(other);
	close_world(w);
}

/* Bytes of ours in memory. */
static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t all, pages;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zu %zu", &all, &pages), 2);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Small rows are pieces of a heap, which keeps what is freed in its middle. */
static void memory_of_rows_that_made_room_is_given_back(void **state)
{
	const size_t capacity = (size_t)48 << 20, row = 64 * 64 * 3, rows = 3500;
	struct world *w = *state;
	struct frames_spec s = { .sampling = SAMPLING_ALL };
	struct object *obj;
	size_t full;

	open_world(w, capacity);
	obj = object(w, "long.mp4");
	for (uint32_t i = 0; i < rows; i += 50) {
		struct rows_wait r = { .count = 50 };

		sem_init(&r.done, 0, 0);
		samples_rows(w->samples, obj, &s, i, r.count, true, NULL, got_rows, &r);
		sem_wait(&r.done);
		sem_destroy(&r.done);
		assert_int_equal(r.err, 0);
	}
	assert_in_range(stats_get(&w->stats, STAT_row_bytes), rows * row, capacity);
	full = resident();
	samples_shrink(w->samples, SIZE_MAX);
	assert_in_range(stats_get(&w->stats, STAT_row_bytes), 0, capacity / 4);
	assert_true(full - resident() > rows * row / 2 || !MEASURED);
	object_unref(obj);
	close_world(w);
}

static void who_comes_after_the_last_one_left_gets_the_rows(void **state)
{
	struct world *w = *state;
	struct frames_spec s = spec();
	struct wanted wanted = { 0 };
	struct rows_wait gone = { .count = 1 }, later = { .count = 1 };
	struct object *obj;

	open_world(w, (size_t)64 << 20);
	obj = object(w, "clip.mp4");
	sem_init(&gone.done, 0, 0);
	sem_init(&later.done, 0, 0);
	gate_store_set(w->gate, true);
	samples_rows(w->samples, obj, &s, 3, 1, false, &wanted, got_rows, &gone);
	gate_store_wait_held(w->gate, 1);
	wanted_drop(&wanted);
	samples_drop(w->samples);
	sem_wait(&gone.done);
	assert_int_equal(gone.err, -ECANCELED);
	samples_rows(w->samples, obj, &s, 3, 1, false, NULL, got_rows, &later);
	gate_store_set(w->gate, false);
	sem_wait(&later.done);
	assert_int_equal(later.err, 0);
	object_unref(obj);
	close_world(w);
}

/* Front to back in pieces of every size: no GOP twice, and always the same rows. */
static void front_to_back_decodes_each_gop_once(void **state)
{
	struct world *w = *state;
	uint64_t first[FRAMES];

	for (uint32_t piece = 1; piece <= ROWS; piece += 3) {
		struct frames_spec s = spec();
		uint64_t hash[FRAMES];
		struct object *obj;

		open_world(w, (size_t)64 << 20);
		obj = object(w, "clip.mp4");
		for (uint32_t at = 0; at < ROWS; at += piece)
			assert_int_equal(read_rows(w, obj, &s, at, at + piece > ROWS ? ROWS - at : piece, at > 4, hash), 0);
		assert_in_range(stats_get(&w->stats, STAT_frames_decoded), ROWS, FRAMES);
		if (piece == 1)
			memcpy(first, hash, sizeof(first));
		assert_memory_equal(first, hash, ROWS * sizeof(hash[0]));
		object_unref(obj);
		close_world(w);
	}
}

static void all_frames_front_to_back_are_decoded_once_each(void **state)
{
	struct world *w = *state;
	struct frames_spec s = { .sampling = SAMPLING_ALL };
	uint64_t hash[FRAMES];
	struct object *obj;

	open_world(w, (size_t)64 << 20);
	obj = object(w, "clip.mp4");
	for (uint32_t at = 0; at < FRAMES; at += 2)
		assert_int_equal(read_rows(w, obj, &s, at, 2, false, hash), 0);
	assert_int_equal(read_rows(w, obj, &s, FRAMES, 1, false, hash), -EINVAL);
	/* The last job is counted when it ends, which may be after its last row came. */
	assert_in_range(stats_get(&w->stats, STAT_frames_decoded), FRAMES - 8, FRAMES + 8);
	for (uint32_t i = 1; i < FRAMES; i++)
		assert_true(hash[i] != hash[i - 1]);
	object_unref(obj);
	close_world(w);
}

/* Room for three rows only, read in an order that jumps about: the values stay right. */
static void a_small_capacity_costs_work_but_changes_nothing(void **state)
{
	struct world *w = *state;
	struct frames_spec s = spec();
	uint64_t wide[FRAMES], narrow[FRAMES];
	struct object *obj;

	open_world(w, (size_t)64 << 20);
	obj = object(w, "clip.mp4");
	assert_int_equal(read_rows(w, obj, &s, 0, ROWS, true, wide), 0);
	object_unref(obj);
	close_world(w);

	open_world(w, 3 * 64 * 64 * 3);
	obj = object(w, "clip.mp4");
	for (uint32_t i = 0; i < 3 * ROWS; i++)
		assert_int_equal(read_rows(w, obj, &s, i * 7 % ROWS, 1, false, narrow), 0);
	assert_memory_equal(wide, narrow, ROWS * sizeof(wide[0]));
	/* A clip in use may stand above it, no more than that. */
	assert_true(stats_get(&w->stats, STAT_row_bytes) < 16 * 64 * 64 * 3);
	object_unref(obj);
	close_world(w);
}

/* A clip that has to go takes its rows along, and that may not be enough. */
static void clips_make_room_for_larger_ones(void **state)
{
	struct world *w = *state;
	struct frames_spec small = spec(), native = spec();
	uint64_t hash[FRAMES];
	struct object *obj;

	small.num_frames = 3;
	native.num_frames = 4;
	native.height = native.width = native.square = 0;
	open_world(w, 3 * 64 * 64 * 3 + 4096);
	obj = object(w, "clip.mp4");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(read_rows(w, obj, &small, 0, 3, false, hash), 0);
		assert_int_equal(read_rows(w, obj, &native, 0, 4, false, hash), 0);
	}
	object_unref(obj);
	close_world(w);
}

static void a_failure_to_decode_is_remembered(void **state)
{
	struct world *w = *state;
	struct frames_spec s = spec();
	uint64_t hash[FRAMES];
	struct object *obj;
	int64_t jobs;

	open_world(w, (size_t)64 << 20);
	obj = object(w, "garbage.mp4");
	assert_int_equal(read_rows(w, obj, &s, 0, 1, false, hash), -EBADMSG);
	jobs = stats_get(&w->stats, STAT_decode_jobs);
	for (int i = 0; i < 5; i++)
		assert_int_equal(read_rows(w, obj, &s, (uint32_t)i, 1, false, hash), -EBADMSG);
	assert_int_equal(stats_get(&w->stats, STAT_decode_jobs), jobs);
	object_unref(obj);
	close_world(w);
}

struct blob_wait {
	sem_t done;
	int err;
	size_t len;
};

static void got_blob(void *arg, int err, const char *why, struct blob *value)
{
	struct blob_wait *b = arg;

	(void)why;
	b->err = err;
	b->len = err ? 0 : blob_len(value);
	sem_post(&b->done);
}

static void mfcc_has_the_shape_of_its_spec_and_is_computed_once(void **state)
{
	struct world *w = *state;
	struct mfcc_spec s;
	struct object *obj;

	memset(&s, 0, sizeof(s));
	s.sr = 22050, s.n_mfcc = 20, s.n_fft = 2048, s.win_length = 2048, s.hop_length = 512, s.n_mels = 128;
	s.channel = -1, s.top_db = 80, s.duration = 30;
	open_world(w, (size_t)64 << 20);
	obj = object(w, "clip.mp4");
	for (int i = 0; i < 3; i++) {
		struct blob_wait b = { 0 };

		sem_init(&b.done, 0, 0);
		samples_mfcc(w->samples, obj, &s, NULL, got_blob, &b);
		sem_wait(&b.done);
		sem_destroy(&b.done);
		assert_int_equal(b.err, 0);
		assert_int_equal(b.len, 20 * 1292 * sizeof(float));
	}
	assert_int_equal(stats_get(&w->stats, STAT_mfcc_computed), 1);
	object_unref(obj);
	close_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_readers_of_one_cold_row_cost_one_probe_and_one_decode),
		cmocka_unit_test(readers_that_leave_cost_the_others_nothing),
		cmocka_unit_test(who_was_dropped_before_he_asked_costs_nothing),
		cmocka_unit_test(rows_make_room_when_somebody_else_needs_it),
		cmocka_unit_test(a_clip_that_stays_keeps_its_table_in_the_count),
		cmocka_unit_test(memory_of_rows_that_made_room_is_given_back),
		cmocka_unit_test(who_comes_after_the_last_one_left_gets_the_rows),
		cmocka_unit_test(front_to_back_decodes_each_gop_once),
		cmocka_unit_test(all_frames_front_to_back_are_decoded_once_each),
		cmocka_unit_test(a_small_capacity_costs_work_but_changes_nothing),
		cmocka_unit_test(clips_make_room_for_larger_ones),
		cmocka_unit_test(a_failure_to_decode_is_remembered),
		cmocka_unit_test(mfcc_has_the_shape_of_its_spec_and_is_computed_once),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
