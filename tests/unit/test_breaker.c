/* Whether the other side is down: pure, the clock is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/breaker.h"

static void failures_only_for_so_long_mean_down(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, 1000);
	breaker_failed(&b, 5000, 5500);
	assert_false(b.down);
	breaker_failed(&b, 5500, 5999);
	assert_false(b.down);
	breaker_failed(&b, 5500, 6000);
	assert_true(b.down);
	breaker_answered(&b, 6100);
	assert_false(b.down);
}

/* A request that misses its deadline was asked long ago; others were answered since. */
static void an_answer_counts_against_requests_asked_before_it(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, 1000);
	for (uint64_t at = 5000; at <= 5950; at += 100)
		breaker_answered(&b, at);
	breaker_failed(&b, 5000, 6000);
	assert_false(b.down);
	breaker_answered(&b, 6000);
	breaker_failed(&b, 5100, 6100);
	breaker_failed(&b, 6050, 6999);
	assert_false(b.down);
	breaker_failed(&b, 6050, 7000);
	assert_true(b.down);
}

static void two_failures_far_apart_say_nothing_of_the_time_between(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, 1000);
	breaker_failed(&b, 5000, 5010);
	breaker_failed(&b, 8000, 8010);
	assert_false(b.down);
	breaker_failed(&b, 8500, 9000);
	assert_true(b.down);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_only_for_so_long_mean_down),
		cmocka_unit_test(an_answer_counts_against_requests_asked_before_it),
		cmocka_unit_test(two_failures_far_apart_say_nothing_of_the_time_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
