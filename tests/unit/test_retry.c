/* retry and timers: pure arithmetic about time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "s3/retry.h"
#include "net/timers.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Largest value below 1. */
static const double almost_one = 0.999999999;

static void only_overload_and_breakage_are_retried(void **state)
{
	static const int yes[] = { 429, 500, 502, 503, 504 };
	static const int no[] = { 200, 206, 301, 307, 400, 401, 403, 404, 409, 412, 416, 501, 505 };

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++)
		assert_true(retry_status(yes[i]));
	for (size_t i = 0; i < COUNT(no); i++)
		assert_false(retry_status(no[i]));
}

static void backoff_doubles_up_to_its_cap_with_full_jitter(void **state)
{
	static const uint64_t most[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000 };

	(void)state;
	for (unsigned n = 0; n < COUNT(most); n++) {
		uint64_t got = retry_backoff_ms(n, false, almost_one);

		assert_true(got <= most[n] && got + 1 >= most[n]);
		assert_true(retry_backoff_ms(n, false, 0.5) <= most[n] / 2);
		assert_int_equal(retry_backoff_ms(n, false, 0.0), 0);
	}
	assert_int_equal(retry_backoff_ms(0, true, 0.5), 500);
	assert_int_equal(retry_backoff_ms(2, true, 0.5), 2000);
	assert_int_equal(retry_backoff_ms(4000000000u, true, 0.5), 10000);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	const int64_t now = 1369353600; /* Fri, 24 May 2013 00:00:00 GMT */

	(void)state;
	assert_int_equal(retry_after_ms("", now), 0);
	assert_int_equal(retry_after_ms("0", now), 0);
	assert_int_equal(retry_after_ms("7", now), 7000);
	assert_int_equal(retry_after_ms("99999999999999999999", now), 24 * 3600 * 1000);
	assert_int_equal(retry_after_ms("-5", now), 0);
	assert_int_equal(retry_after_ms("soon", now), 0);
	assert_int_equal(retry_after_ms("Fri, 24 May 2013 00:00:05 GMT", now), 5000);
	assert_int_equal(retry_after_ms("Thu, 23 May 2013 23:59:59 GMT", now), 0);
	assert_int_equal(retry_after_ms("Fri, 24 May 2199 00:00:05 GMT", now), 24 * 3600 * 1000);
}

static void attempts_count_the_first(void **state)
{
	struct retry_failure f = { .attempts = 3, .max_attempts = 4, .left_ms = 60000, .random = 0.5 };

	(void)state;
	assert_int_equal(retry_delay_ms(&f), 200);
	f.attempts = 4;
	assert_true(retry_delay_ms(&f) == RETRY_NEVER);
	f.attempts = 1;
	f.max_attempts = 1;
	assert_true(retry_delay_ms(&f) == RETRY_NEVER);
}

static void the_servers_wait_counts_up_to_the_deadline(void **state)
{
	struct retry_failure f = { .attempts = 1, .max_attempts = 4, .after_ms = 3000, .left_ms = 60000,
	                           .random = 0.5 };

	(void)state;
	assert_int_equal(retry_delay_ms(&f), 3000);
	f.after_ms = 10;
	assert_int_equal(retry_delay_ms(&f), 50);
	f.after_ms = 60000;
	assert_true(retry_delay_ms(&f) == RETRY_NEVER);
	f.after_ms = 0;
	f.left_ms = 50;
	assert_true(retry_delay_ms(&f) == RETRY_NEVER);
	f.left_ms = 51;
	assert_int_equal(retry_delay_ms(&f), 50);
}

static void the_bucket_runs_dry_while_all_fail(void **state)
{
	struct retry_bucket b;
	unsigned taken = 0;

	(void)state;
	retry_bucket_init(&b);
	while (retry_bucket_take(&b))
		taken++;
	assert_int_equal(taken, 100);
	retry_bucket_success(&b, false);
	assert_false(retry_bucket_take(&b));
	retry_bucket_success(&b, true);
	assert_true(retry_bucket_take(&b));
}

static void the_bucket_never_overflows(void **state)
{
	struct retry_bucket b;

	(void)state;
	retry_bucket_init(&b);
	retry_bucket_success(&b, true);
	assert_int_equal(b.tokens, 500);
	assert_true(retry_bucket_take(&b));
	retry_bucket_success(&b, false);
	assert_int_equal(b.tokens, 496);
	retry_bucket_success(&b, true);
	assert_int_equal(b.tokens, 500);
}

/* A fifth of all requests fails: the bucket must settle, not drain. */
static void the_bucket_survives_a_fifth_failing(void **state)
{
	struct retry_bucket b;
	unsigned seed = 1;

	(void)state;
	retry_bucket_init(&b);
	for (int i = 0; i < 100000; i++) {
		bool retried = false;

		while (rand_r(&seed) % 5 == 0) {
			assert_true(retry_bucket_take(&b));
			retried = true;
		}
		retry_bucket_success(&b, retried);
	}
}

static void timers_come_in_order_whatever_is_cleared_or_moved(void **state)
{
	enum { N = 2000 };
	struct timer *t = calloc(N, sizeof(*t));
	struct timers all;
	unsigned seed = 7;
	unsigned set = 0;
	uint64_t last = 0;
	struct timer *due;

	(void)state;
	timers_init(&all);
	assert_true(timers_next(&all) == UINT64_MAX);
	for (int i = 0; i < N; i++)
		assert_int_equal(timers_set(&all, &t[i], 1 + (uint64_t)rand_r(&seed) % 1000), 0);
	for (int i = 0; i < N; i += 3)
		timers_clear(&all, &t[i]);
	for (int i = 1; i < N; i += 3)
		assert_int_equal(timers_set(&all, &t[i], 1 + (uint64_t)rand_r(&seed) % 1000), 0);
	timers_clear(&all, &t[0]);
	for (int i = 0; i < N; i++)
		set += timer_is_set(&t[i]);
	assert_null(timers_pop_due(&all, timers_next(&all) - 1));
	for (; (due = timers_pop_due(&all, 1000)); set--) {
		assert_true(due->at_ms >= last);
		assert_false(timer_is_set(due));
		last = due->at_ms;
	}
	assert_int_equal(set, 0);
	timers_done(&all);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_overload_and_breakage_are_retried),
		cmocka_unit_test(backoff_doubles_up_to_its_cap_with_full_jitter),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
		cmocka_unit_test(attempts_count_the_first),
		cmocka_unit_test(the_servers_wait_counts_up_to_the_deadline),
		cmocka_unit_test(the_bucket_runs_dry_while_all_fail),
		cmocka_unit_test(the_bucket_never_overflows),
		cmocka_unit_test(the_bucket_survives_a_fifth_failing),
		cmocka_unit_test(timers_come_in_order_whatever_is_cleared_or_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
