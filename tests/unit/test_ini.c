/* The INI reader: lines, comments, sections, and what it refuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/ini.h"

/* "LINE[SECTION]KEY=VALUE|" for each item. */
static int collect(void *arg, const struct ini_item *item)
{
	buf_printf(arg, "%u[%s]", item->line, item->section);
	if (item->key)
		buf_printf(arg, "%s=%s", item->key, item->value);
	else
		assert_null(item->value);
	buf_putc(arg, '|');
	return 0;
}

static void expect(const char *text, size_t len, const char *items)
{
	unsigned line = 77;
	const char *why = NULL;
	struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(ini_read(text, len, collect, &out, &line, &why), 0);
	assert_string_equal(out.data ? out.data : "", items);
	assert_int_equal(line, 77);
	assert_null(why);
	buf_done(&out);
}

static void expect_text(const char *text, const char *items)
{
	expect(text, strlen(text), items);
}

static void expect_fault(const char *text, size_t len, unsigned expected_line, const char *sentence)
{
	unsigned line = 0;
	const char *why = NULL;
	struct buf out;

	buf_init(&out, 65536);
	assert_int_equal(ini_read(text, len, collect, &out, &line, &why), -EINVAL);
	assert_int_equal(line, expected_line);
	assert_string_equal(why, sentence);
	buf_done(&out);
}

static void settings_carry_section_and_line(void **state)
{
	(void)state;
	expect_text("", "");
	expect_text("\n\n", "");
	expect_text("a=1", "1[]a=1|");
	expect_text("[mount]\nregion = eu-west-1\n\n[view x y]\r\n  size=224  \r\n",
	            "1[mount]|2[mount]region=eu-west-1|4[view x y]|5[view x y]size=224|");
	expect_text("\xef\xbb\xbf[s]\n", "1[s]|");
}

static void indentation_does_not_continue_a_value(void **state)
{
	(void)state;
	expect_text("[s]\na = 1\n  b = 2\n\tc = 3\n", "1[s]|2[s]a=1|3[s]b=2|4[s]c=3|");
}

static void values_keep_equals_signs_and_may_be_empty(void **state)
{
	(void)state;
	expect_text("token = ab==\nempty =\nblank =   \n", "1[]token=ab==|2[]empty=|3[]blank=|");
}

static void comments_go(void **state)
{
	(void)state;
	expect_text("; one\n# two\n  ; three\na = 1 ; four\nb = 1;2 ; five\nc = #6\nd = ; seven\n[s] ; eight\n",
	            "4[]a=1|5[]b=1;2|6[]c=#6|7[]d=|8[s]|");
}

static void broken_lines_are_named(void **state)
{
	char longest[INI_LINE_MAX + 2];

	(void)state;
	expect_fault("[s]\n\nnonsense\n", 14, 3, "neither \"key = value\" nor \"[section]\"");
	expect_fault("[s\n", 3, 1, "a section ends in ]");
	expect_fault("[\n", 2, 1, "a section ends in ]");
	expect_fault("[ ]\n", 4, 1, "a section needs a name");
	expect_fault("[s]\n = 1\n", 9, 2, "no key before the =");
	expect_fault("a\0b=1\n", 6, 1, "the line has a NUL byte");

	memset(longest, 'x', sizeof(longest));
	longest[1] = '=';
	expect_fault(longest, sizeof(longest) - 1, 1, "the line is too long");
}

static void the_longest_line_is_whole(void **state)
{
	char longest[INI_LINE_MAX];
	unsigned line;
	const char *why;
	struct buf out;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[1] = '=';
	buf_init(&out, 2 * INI_LINE_MAX);
	assert_int_equal(ini_read(longest, sizeof(longest), collect, &out, &line, &why), 0);
	assert_int_equal(out.len, strlen("1[]") + sizeof(longest) + strlen("|"));
	buf_done(&out);
}

static int stop_at_b(void *arg, const struct ini_item *item)
{
	(*(unsigned *)arg)++;
	return item->key && strcmp(item->key, "b") == 0 ? -ECANCELED : 0;
}

static void the_callback_can_stop(void **state)
{
	unsigned calls = 0, line = 77;
	const char *why = NULL;

	(void)state;
	assert_int_equal(ini_read("a=1\nb=2\nc=3\n", 12, stop_at_b, &calls, &line, &why), -ECANCELED);
	assert_int_equal(calls, 2);
	assert_int_equal(line, 77);
	assert_null(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_carry_section_and_line),
		cmocka_unit_test(indentation_does_not_continue_a_value),
		cmocka_unit_test(values_keep_equals_signs_and_may_be_empty),
		cmocka_unit_test(comments_go),
		cmocka_unit_test(broken_lines_are_named),
		cmocka_unit_test(the_longest_line_is_whole),
		cmocka_unit_test(the_callback_can_stop),
	};

	return cmocka_run_group_tests_name("ini", tests, NULL, NULL);
}
