/* Values: what counts, what goes first, what stays, who is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/stats.h"
#include "base/wanted.h"
#include "media/values.h"

#define SIZE 100u

static struct stats stats;
static struct values values;
static struct value v[8];
static struct blob *blob;
static int stubborn;                 /* the value that can't go now */

static bool evict(struct values *vs, struct value *gone)
{
	if (gone == &v[stubborn])
		return false;
	value_done(vs, gone);
	memset(gone, 0, sizeof(*gone));
	return true;
}

static int setup(void **state)
{
	(void)state;
	memset(v, 0, sizeof(v));
	memset(&stats, 0, sizeof(stats));
	values = (struct values){ .capacity = 4 * SIZE, .stats = &stats };
	stubborn = 7;
	blob = blob_new(SIZE - 10);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		value_done(&values, &v[i]);
	blob_unref(blob);
	assert_int_equal(values.bytes, 0);
	assert_null(values.lru);
	return 0;
}

static void set(int i)
{
	v[i].evict = evict;
	value_set(&values, &v[i], 0, NULL, blob, 10);
}

/* "0235": which are ready. */
static void expect_ready(const char *which)
{
	char found[9] = "";

	for (int i = 0; i < 8; i++)
		if (v[i].ready)
			found[strlen(found)] = (char)('0' + i);
	assert_string_equal(found, which);
	assert_int_equal(values.bytes, strlen(which) * SIZE);
	assert_int_equal(stats_get(&stats, STAT_row_bytes), values.bytes);
}

static void the_least_recently_used_goes_first(void **state)
{
	struct blob *found;
	char why[SAMPLES_WHY_MAX];

	(void)state;
	for (int i = 0; i < 4; i++)
		set(i);
	expect_ready("0123");
	assert_int_equal(value_get(&values, &v[0], why, &found), 0);
	assert_ptr_equal(found, blob);
	blob_unref(found);
	set(4);
	set(5);
	expect_ready("0345");
}

static void what_is_pinned_counts_and_stays(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		set(i);
	value_pin(&values, &v[0]);
	value_pin(&values, &v[0]);
	value_touch(&values, &v[0]);
	for (int i = 4; i < 7; i++)
		set(i);
	expect_ready("0456");
	value_unpin(&values, &v[0]);
	set(1);
	expect_ready("0156");
	value_unpin(&values, &v[0]);
	set(2);
	expect_ready("1256");
}

static void what_cannot_go_is_passed_over(void **state)
{
	(void)state;
	stubborn = 0;
	for (int i = 0; i < 6; i++)
		set(i);
	expect_ready("0345");
}

static void room_for_others_is_taken_but_not_all(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		set(i);
	values_shrink(&values, 2 * SIZE);
	expect_ready("23");
	values_shrink(&values, SIZE_MAX);
	expect_ready("3");
	values_shrink(&values, 0);
	set(4);
	expect_ready("34");
}

static void a_failure_is_remembered_with_its_reason(void **state)
{
	struct blob *found = blob;
	char why[SAMPLES_WHY_MAX], sentence[] = "it is broken";

	(void)state;
	v[0].evict = evict;
	value_set(&values, &v[0], -EBADMSG, sentence, NULL, 10);
	sentence[0] = 'x';
	assert_int_equal(value_get(&values, &v[0], why, &found), -EBADMSG);
	assert_string_equal(why, "it is broken");
	assert_null(found);
	assert_int_equal(values.bytes, 10 + sizeof(sentence));
}

static int told[3];

static void answer(void *arg, int err, const char *why, struct blob *value)
{
	assert_int_equal(err == 0, why == NULL);
	assert_int_equal(err == 0, value != NULL);
	*(int *)arg = err ? err : 1;
}

static void who_goes_is_told_and_the_others_wait(void **state)
{
	struct wanted wanted[3] = { { 0 } };
	struct value_waiter *gone = NULL, *waiters;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct value_waiter *w = calloc(1, sizeof(*w));

		*w = (struct value_waiter){ v[0].waiters, &wanted[i], answer, &told[i] };
		v[0].waiters = w;
	}
	wanted_drop(&wanted[1]);
	value_drop_waiters(&v[0], &gone);
	value_tell(gone, -ECANCELED, "nobody waits", NULL);
	assert_int_equal(told[1], -ECANCELED);
	waiters = v[0].waiters;
	v[0].waiters = NULL;
	value_tell(waiters, 0, NULL, blob);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[2], 1);
	assert_int_equal(told[1], -ECANCELED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_least_recently_used_goes_first),
		TEST(what_is_pinned_counts_and_stays),
		TEST(what_cannot_go_is_passed_over),
		TEST(room_for_others_is_taken_but_not_all),
		TEST(a_failure_is_remembered_with_its_reason),
		TEST(who_goes_is_told_and_the_others_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
