/* Both caches over a real folder, with many threads at once: right bytes, one
 * read for many readers, never more memory than allowed, never two versions
 * mixed. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/stats.h"
#include "store/blocks.h"
#include "store/meta.h"

#define THREADS 16
#define FILES 6
#define FILE_SIZE (4u << 20)    /* of version 0; version v has v bytes more */
#define CAPACITY (16u << 20)    /* two thirds of all files */
#define ROUNDS 60

static char root[64];
static struct stats stats;
static struct store *store;
static struct meta *meta;
static struct blocks *blocks;
/* What threads saw that must not be: cmocka's asserts are for the main thread. */
static _Atomic int wrong;
static _Atomic int stale;
static _Atomic bool replacing;

static uint8_t byte_at(unsigned version, uint64_t off)
{
	return (uint8_t)((off >> 12) * 31 + off + version * 101);
}

static void write_file(unsigned file, unsigned version)
{
	size_t size = FILE_SIZE + version;
	uint8_t *data = malloc(size);
	char tmp[128], path[128];
	FILE *f;

	if (!data)
		abort();
	for (size_t i = 0; i < size; i++)
		data[i] = byte_at(version, i);
	snprintf(tmp, sizeof(tmp), "%s/.tmp%u", root, file);
	snprintf(path, sizeof(path), "%s/%u", root, file);
	f = fopen(tmp, "w");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0 || rename(tmp, path) != 0)
		abort();
	free(data);
}

static int set_up(void **state)
{
	char why[STORE_WHY_MAX];

	(void)state;
	memset(&stats, 0, sizeof(stats));
	wrong = 0;
	strcpy(root, "/tmp/test_store_cache.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	for (unsigned i = 0; i < FILES; i++)
		write_file(i, 0);
	if (store_dir_open(root, &stats, why, &store) < 0)
		return -1;
	meta = meta_new(store, META_FOREVER, 1 << 20, &stats);
	blocks = blocks_new(store, CAPACITY, &stats);
	return meta && blocks ? 0 : -1;
}

static int tear_down(void **state)
{
	char line[128];

	(void)state;
	blocks_free(blocks);
	store_free(store);
	meta_free(meta);
	snprintf(line, sizeof(line), "rm -rf '%s'", root);
	return system(line) == 0 && stats_get(&stats, STAT_block_bytes) == 0 ? 0 : -1;
}

struct wait {
	sem_t done;
	int err;
	struct object *obj; /* a reference */
	struct blob *bytes; /* a reference */
};

static void object_done(void *arg, int err, const char *why, struct object *obj, uint64_t ttl_ms)
{
	struct wait *w = arg;

	(void)why;
	(void)ttl_ms;
	w->err = err;
	w->obj = obj ? object_ref(obj) : NULL;
	sem_post(&w->done);
}

static void read_done(void *arg, int err, const char *why, struct blob *bytes)
{
	struct wait *w = arg;

	(void)why;
	if (stats_get(&stats, STAT_block_bytes) > (int64_t)CAPACITY)
		atomic_fetch_add(&wrong, 1);
	w->err = err;
	w->bytes = bytes ? blob_ref(bytes) : NULL;
	sem_post(&w->done);
}

/* Reads a range of a file as it is now; a file replaced meanwhile is forgotten. */
static void read_once(const char *key, uint64_t off, size_t len)
{
	struct wait w = { .err = 0 };
	unsigned version;

	sem_init(&w.done, 0, 0);
	meta_object(meta, key, object_done, &w);
	sem_wait(&w.done);
	if (w.err) {
		atomic_fetch_add(&wrong, 1);
		return;
	}
	version = (unsigned)(w.obj->meta.size - FILE_SIZE);
	blocks_read(blocks, w.obj, off, len, read_done, &w);
	sem_wait(&w.done);
	if (w.err == -ESTALE && replacing) {
		meta_forget(meta, key);
		atomic_fetch_add(&stale, 1);
		if (meta_current(meta, w.obj))
			atomic_fetch_add(&wrong, 1);
	} else if (w.err || blob_len(w.bytes) != len) {
		atomic_fetch_add(&wrong, 1);
	} else {
		for (size_t i = 0; i < len; i++) {
			if (blob_data(w.bytes)[i] != byte_at(version, off + i)) {
				atomic_fetch_add(&wrong, 1);
				break;
			}
		}
	}
	blob_unref(w.bytes);
	object_unref(w.obj);
	sem_destroy(&w.done);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void *read_at_random(void *arg)
{
	uint32_t seed = *(uint32_t *)arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t off = next_random(&seed) % FILE_SIZE;
		size_t len = 1 + next_random(&seed) % (i % 16 == 0 ? 3u << 20 : 200u << 10);
		char key[8];

		snprintf(key, sizeof(key), "%u", next_random(&seed) % FILES);
		if (len > FILE_SIZE - off)
			len = (size_t)(FILE_SIZE - off);
		if (i % 8 == 0) {
			struct wait w = { .err = 0 };

			sem_init(&w.done, 0, 0);
			meta_object(meta, key, object_done, &w);
			sem_wait(&w.done);
			blocks_ahead(blocks, w.obj, off, len * 2);
			object_unref(w.obj);
			sem_destroy(&w.done);
		}
		read_once(key, off, len);
	}
	return NULL;
}

static void run_threads(void *(*fn)(void *arg), pthread_t *threads, uint32_t *seeds)
{
	for (uint32_t i = 0; i < THREADS; i++) {
		seeds[i] = i + 1;
		assert_int_equal(pthread_create(&threads[i], NULL, fn, &seeds[i]), 0);
	}
}

static void join_threads(pthread_t *threads)
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void many_threads_get_the_right_bytes_within_the_bound(void **state)
{
	pthread_t threads[THREADS];
	uint32_t seeds[THREADS];

	(void)state;
	run_threads(read_at_random, threads, seeds);
	join_threads(threads);
	assert_int_equal(wrong, 0);
	assert_int_equal(stats_get(&stats, STAT_meta_misses), FILES);
	assert_true(stats_get(&stats, STAT_block_hits) > 0);
}

static pthread_barrier_t all_here;

static void *read_the_same(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&all_here);
	read_once("0", 1000, 100);
	return NULL;
}

static void threads_that_read_one_cold_block_cost_one_read(void **state)
{
	pthread_t threads[THREADS];
	uint32_t seeds[THREADS];

	(void)state;
	pthread_barrier_init(&all_here, NULL, THREADS);
	run_threads(read_the_same, threads, seeds);
	join_threads(threads);
	pthread_barrier_destroy(&all_here);
	assert_int_equal(wrong, 0);
	assert_int_equal(stats_get(&stats, STAT_meta_misses), 1);
	assert_int_equal(stats_get(&stats, STAT_dir_reads), 1);
}

static void files_replaced_meanwhile_are_stale_but_never_mixed(void **state)
{
	pthread_t threads[THREADS];
	uint32_t seeds[THREADS];

	(void)state;
	replacing = true;
	stale = 0;
	for (unsigned i = 0; i < FILES; i++) {
		char key[8];

		snprintf(key, sizeof(key), "%u", i);
		read_once(key, 0, 1);
		write_file(i, 1);
		read_once(key, 1 << 20, 1);
		assert_int_equal(stale, i + 1);
		read_once(key, 1 << 20, 1);
		assert_int_equal(stale, i + 1);
	}
	run_threads(read_at_random, threads, seeds);
	for (unsigned version = 2; version < 5; version++) {
		for (unsigned i = 0; i < FILES; i++)
			write_file(i, version);
	}
	join_threads(threads);
	replacing = false;
	assert_int_equal(wrong, 0);
}

static void nothing(void *arg, int err, const char *why, struct blob *bytes)
{
	(void)why;
	(void)bytes;
	if (err)
		atomic_fetch_add(&wrong, 1);
	atomic_fetch_add((_Atomic int *)arg, 1);
}

static void free_waits_for_every_read(void **state)
{
	_Atomic int answers = 0;
	struct wait w = { .err = 0 };

	(void)state;
	sem_init(&w.done, 0, 0);
	meta_object(meta, "0", object_done, &w);
	sem_wait(&w.done);
	for (unsigned i = 0; i < 100; i++)
		blocks_read(blocks, w.obj, i % 4 << 20, 1 << 20, nothing, &answers);
	blocks_ahead(blocks, w.obj, 0, FILE_SIZE);
	blocks_free(blocks);
	assert_int_equal(answers, 100);
	assert_int_equal(wrong, 0);
	blocks = NULL;
	object_unref(w.obj);
	sem_destroy(&w.done);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_threads_get_the_right_bytes_within_the_bound),
		TEST(threads_that_read_one_cold_block_cost_one_read),
		TEST(files_replaced_meanwhile_are_stale_but_never_mixed),
		TEST(free_waits_for_every_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
