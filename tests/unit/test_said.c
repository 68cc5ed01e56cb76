/* What is said on stderr while it is caught: the log's lines come out all the same. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "fs/said.h"

#define LINES 200

/* Logs LINES lines while stderr is caught, a library says two of its own between them. Returns what
 * reached stderr. */
static char *say_much(bool failed, char *line, size_t size)
{
	char path[] = "/tmp/test_said.XXXXXX", *text = calloc(1, 1 << 20);
	int file = mkstemp(path), stderr_before = dup(STDERR_FILENO);
	struct said s;

	assert_non_null(text);
	assert_true(file >= 0 && stderr_before >= 0);
	unlink(path);
	dup2(file, STDERR_FILENO);
	said_begin(&s);
	for (int i = 0; i < LINES; i++) {
		log_info("line %d %080d", i, 0);
		if (i % 100 == 50)
			fprintf(stderr, "fuse: %s\n", i == 50 ? "can't do it" : "something else");
	}
	said_end(&s, failed, line, size);
	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	assert_true(pread(file, text, (1 << 20) - 1, 0) > 0);
	close(file);
	return text;
}

static void expect_all_lines(const char *text)
{
	char word[32];

	for (int i = 0; i < LINES; i++) {
		snprintf(word, sizeof(word), ": line %d 0", i);
		text = strstr(text, word);
		assert_non_null(text);
	}
}

static void the_log_loses_no_line(void **state)
{
	char line[64] = "before";
	char *text = say_much(false, line, sizeof(line));

	(void)state;
	expect_all_lines(text);
	assert_non_null(strstr(text, "fuse: can't do it\n"));
	assert_string_equal(line, "");
	free(text);
}

static void a_failure_is_told_in_the_words_of_the_library(void **state)
{
	char line[64] = "before";
	char *text = say_much(true, line, sizeof(line));

	(void)state;
	expect_all_lines(text);
	assert_null(strstr(text, "fuse: "));
	assert_string_equal(line, "fuse: can't do it");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_log_loses_no_line),
		cmocka_unit_test(a_failure_is_told_in_the_words_of_the_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
