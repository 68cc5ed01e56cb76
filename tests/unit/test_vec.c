/* Arrays that grow. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/vec.h"

static void elements_stay_while_it_grows(void **state)
{
	struct pair {
		uint32_t a, b;
	} *v = NULL;
	size_t room = 0, grown = 0;

	(void)state;
	for (uint32_t n = 0; n < 10000; n++) {
		size_t before = room;

		assert_int_equal(vec_grow(&v, n, &room, sizeof(*v)), 0);
		assert_true(room > n);
		grown += room != before;
		v[n] = (struct pair){n, ~n};
	}
	assert_true(grown < 12);
	for (uint32_t n = 0; n < 10000; n++) {
		assert_int_equal(v[n].a, n);
		assert_int_equal(v[n].b, ~n);
	}
	free(v);
}

static void what_cannot_be_had_changes_nothing(void **state)
{
	char *v = NULL;
	size_t room = 0;

	(void)state;
	assert_int_equal(vec_grow(&v, 0, &room, SIZE_MAX / 2), -ENOMEM);
	assert_null(v);
	assert_int_equal(room, 0);
	room = SIZE_MAX / 2 + 1;
	assert_int_equal(vec_grow(&v, room, &room, 1), -ENOMEM);
	assert_int_equal(room, SIZE_MAX / 2 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_stay_while_it_grows),
		cmocka_unit_test(what_cannot_be_had_changes_nothing),
	};

	return cmocka_run_group_tests_name("vec", tests, NULL, NULL);
}
