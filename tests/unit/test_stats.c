/* Counters, their maximum under threads, and the two ways they are shown. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/stats.h"

#define THREADS 4
#define ROUNDS 5000

static struct stats shared;

static void *count(void *arg)
{
	int64_t base = *(int64_t *)arg;

	for (int64_t i = 0; i < ROUNDS; i++) {
		stats_add(&shared, STAT_fuse_reads, 1);
		stats_max(&shared, STAT_fuse_parked_max, base + i);
	}
	return NULL;
}

static void counters_of_several_threads_add_up(void **state)
{
	pthread_t threads[THREADS];
	int64_t bases[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		bases[i] = 10 * i;
		assert_int_equal(pthread_create(&threads[i], NULL, count, &bases[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(stats_get(&shared, STAT_fuse_reads), THREADS * ROUNDS);
	assert_int_equal(stats_get(&shared, STAT_fuse_parked_max), 10 * (THREADS - 1) + ROUNDS - 1);
}

static void max_never_lowers(void **state)
{
	struct stats s = { 0 };

	(void)state;
	stats_max(&s, STAT_fuse_parked_max, 5);
	stats_max(&s, STAT_fuse_parked_max, 3);
	assert_int_equal(stats_get(&s, STAT_fuse_parked_max), 5);
	stats_add(&s, STAT_fuse_parked, 2);
	stats_add(&s, STAT_fuse_parked, -3);
	assert_int_equal(stats_get(&s, STAT_fuse_parked), -1);
}

static void text_has_one_aligned_line_a_counter(void **state)
{
	struct stats s = { 0 };
	struct buf b;
	size_t lines = 0, column = 0;
	char *save = NULL;

	(void)state;
	buf_init(&b, 1 << 16);
	stats_add(&s, STAT_s3_bytes, INT64_C(1234567890123));
	stats_text(&s, &b);
	assert_int_equal(buf_error(&b), 0);
	assert_non_null(strstr(b.data, " 1234567890123  body bytes received from the store\n"));
	for (char *l = strtok_r(b.data, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *value_end = strchr(l + strcspn(l, " ") + strspn(l + strcspn(l, " "), " "),
		                         ' ');

		assert_non_null(value_end);
		if (lines++ == 0)
			column = (size_t)(value_end - l);
		assert_int_equal(value_end - l, column);
	}
	assert_int_equal(lines, STAT_COUNT);
	buf_done(&b);
}

static void json_names_every_counter_once(void **state)
{
	struct stats s = { 0 };
	struct buf b;
	size_t colons = 0;

	(void)state;
	buf_init(&b, 1 << 16);
	stats_add(&s, STAT_s3_head, 3);
	stats_add(&s, STAT_names_left_out, 9);
	stats_json(&s, &b);
	assert_int_equal(buf_error(&b), 0);
	assert_memory_equal(b.data, "{\"s3_head\": 3, ", 15);
	assert_string_equal(strstr(b.data, ", \"names_left_out\""), ", \"names_left_out\": 9}\n");
	for (const char *p = b.data; (p = strchr(p, ':')); p++)
		colons++;
	assert_int_equal(colons, STAT_COUNT);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_of_several_threads_add_up),
		cmocka_unit_test(max_never_lowers),
		cmocka_unit_test(text_has_one_aligned_line_a_counter),
		cmocka_unit_test(json_names_every_counter_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
