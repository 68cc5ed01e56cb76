/* Lines as a log file gets them. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

#define THREADS 4
#define LINES 200

static char path[] = "/tmp/test_log.XXXXXX";

static int open_log(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	return log_open(path);
}

static int close_log(void **state)
{
	(void)state;
	log_open(NULL);
	log_set_level(LOG_LEVEL_INFO);
	unlink(path);
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	return 0;
}

/* The file's next line without what stands before the level, or NULL. */
static char *read_line(FILE *f, char *line, int size)
{
	char *text;

	if (!fgets(line, size, f))
		return NULL;
	assert_int_equal(line[strlen(line) - 1], '\n');
	line[strlen(line) - 1] = '\0';
	text = strstr(line, "Z ");
	assert_non_null(text);
	text = strstr(text, ": ");
	assert_non_null(text);
	return text + 2;
}

static void levels_have_names(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;

	(void)state;
	assert_int_equal(log_parse_level("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_parse_level("error", &level), 0);
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_int_equal(log_parse_level("loud", &level), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_ERROR);
}

static void lines_below_the_level_are_not_written(void **state)
{
	char line[2048];
	FILE *f = fopen(path, "r");

	(void)state;
	log_set_level(LOG_LEVEL_WARN);
	log_error("one %d", 1);
	log_warn("two");
	log_info("three");
	log_debug("four");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("five");
	assert_string_equal(read_line(f, line, sizeof(line)), "error: one 1");
	assert_string_equal(read_line(f, line, sizeof(line)), "warn: two");
	assert_string_equal(read_line(f, line, sizeof(line)), "debug: five");
	assert_null(read_line(f, line, sizeof(line)));
	fclose(f);
}

static void a_message_is_one_bounded_line(void **state)
{
	char line[2048];
	char big[3000];
	FILE *f = fopen(path, "r");

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	errno = EXDEV;
	log_error("a\nb\x1b[0m\tc");
	log_error("%s", big);
	assert_int_equal(errno, EXDEV);
	assert_string_equal(read_line(f, line, sizeof(line)), "error: a?b?[0m?c");
	assert_non_null(read_line(f, line, sizeof(line)));
	assert_int_equal(strlen(line), 1023);
	assert_null(read_line(f, line, sizeof(line)));
	fclose(f);
}

static void *write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("%d %d end", *(int *)arg, i);
	return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
	pthread_t threads[THREADS];
	int ids[THREADS], next[THREADS] = { 0 }, lines = 0;
	char line[2048], *text;
	FILE *f = fopen(path, "r");

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &ids[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (; (text = read_line(f, line, sizeof(line))); lines++) {
		int id, n, used = 0;

		assert_int_equal(sscanf(text, "info: %d %d end%n", &id, &n, &used), 2);
		assert_int_equal(used, strlen(text));
		assert_int_equal(n, next[id]++);
	}
	assert_int_equal(lines, THREADS * LINES);
	fclose(f);
}

static void a_file_that_cannot_be_opened_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(log_open("/nonexistent/folder/log"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test_setup_teardown(lines_below_the_level_are_not_written, open_log,
		                                close_log),
		cmocka_unit_test_setup_teardown(a_message_is_one_bounded_line, open_log, close_log),
		cmocka_unit_test_setup_teardown(lines_of_several_threads_do_not_mix, open_log,
		                                close_log),
		cmocka_unit_test(a_file_that_cannot_be_opened_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
