/* CSV: what is written is read again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "format/csv.h"

static void fields_are_quoted_where_they_must_be(void **state)
{
	static const struct {
		const char *field, *written;
	} cases[] = {
		{"", ","}, {"plain", "plain,"}, {"with blank", "with blank,"}, {"a,b", "\"a,b\","},
		{"a\"b", "\"a\"\"b\","}, {"a\nb", "\"a\nb\","}, {"a\rb", "\"a\rb\","},
		{"\"", "\"\"\"\","},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;

		buf_init(&b, 64);
		csv_add_field(&b, cases[i].field, strlen(cases[i].field), ',');
		assert_int_equal(buf_error(&b), 0);
		assert_string_equal(b.data, cases[i].written);
		buf_done(&b);
	}
}

enum { ROWS = 200, FIELDS = 5, LEN = 12 };

struct rows {
	char text[ROWS][FIELDS][LEN + 1];
	size_t n;
};

static int take(void *arg, size_t line, char *const *field, size_t n)
{
	struct rows *r = arg;

	(void)line;
	assert_int_equal(n, FIELDS);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(field[i], r->text[r->n][i]);
	r->n++;
	return 0;
}

static void what_is_written_is_read(void **state)
{
	static const char letters[] = "ab,\"\n\r ";
	static struct rows r;
	unsigned seed = 3;
	const char *why = NULL;
	size_t line = 0;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (size_t row = 0; row < ROWS; row++) {
		for (size_t f = 0; f < FIELDS; f++) {
			size_t len = (size_t)rand_r(&seed) % (LEN + 1);

			for (size_t i = 0; i < len; i++)
				r.text[row][f][i] = letters[(size_t)rand_r(&seed) % (sizeof(letters) - 1)];
			csv_add_field(&b, r.text[row][f], len, f + 1 < FIELDS ? ',' : '\n');
		}
	}
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(csv_read(b.data, b.len, take, &r, &line, &why), 0);
	assert_int_equal(r.n, ROWS);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_quoted_where_they_must_be),
		cmocka_unit_test(what_is_written_is_read),
	};

	return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
