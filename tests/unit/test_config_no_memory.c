/* Every allocation that reading a configuration makes fails once: the answer is
 * a sentence, or a configuration as good as any, and nothing leaks (the address
 * sanitizer looks).
 *
 * To be linked with -Wl,--wrap= for the functions below. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/config.h"

#define WORDS_MAX 10

/* The allocation that fails, counted down; 0 or less: none. One thread. */
static long countdown;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

static bool fails(void)
{
	return countdown-- == 1;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

static char ini[] = "/tmp/test_config_no_memory.XXXXXX";

static int write_ini(void **state)
{
	static const char text[] = "[mount]\nregion = eu-west-1\n"
	                           "aws_access_key_id = a\naws_secret_access_key = b\n"
	                           "[view small]\ntype = frames\nmatch = *.mp4 *.mkv\nsize = 112\n"
	                           "[view mfcc]\n[view samples]\nframes = small\npath = {label}/**\n";
	int fd = mkstemp(ini);
	ssize_t n;

	(void)state;
	if (fd < 0)
		return -1;
	n = write(fd, text, sizeof(text) - 1);
	close(fd);
	return n == (ssize_t)sizeof(text) - 1 ? 0 : -1;
}

static int remove_ini(void **state)
{
	(void)state;
	return unlink(ini);
}

static char *printed(const struct config *c)
{
	struct buf out;
	char *text;

	buf_init(&out, 65536);
	config_print(c, &out);
	text = buf_take(&out);
	assert_non_null(text);
	return text;
}

/* Reads the configuration with its n-th allocation failing, the first being 1;
 * 0: none. Returns the exit status; *ret_text is what was read, if it is 0. */
static int parse(const char *const *words, long n, char **ret_text, bool *ret_failed)
{
	struct config c;
	char *argv[WORDS_MAX + 1] = { 0 }, why[CONFIG_WHY_MAX] = "";
	int argc = 0, status;

	for (; words[argc]; argc++) {
		assert_true(argc < WORDS_MAX);
		argv[argc] = strdup(words[argc]);
	}
	countdown = n;
	status = config_parse(argc, argv, &c, why);
	*ret_failed = n > 0 && countdown <= 0;
	countdown = 0;
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	if (status) {
		assert_int_equal(status, 2);
		assert_string_equal(why, "out of memory");
	} else {
		*ret_text = printed(&c);
		config_done(&c);
	}
	return status;
}

static void expect_each_failure_told(const char *const *words)
{
	char *expected, *text;
	bool failed = true;
	int told = 0;

	assert_int_equal(parse(words, 0, &expected, &failed), 0);
	failed = true;
	for (long n = 1; failed; n++) {
		if (parse(words, n, &text, &failed)) {
			told++;
			continue;
		}
		assert_string_equal(text, expected);
		free(text);
	}
	assert_true(told > 10);
	free(expected);
}

static void without_a_file(void **state)
{
	const char *words[] = { "s3samplefs", "s3://bucket/prefix", "/", "-o", "profile=me,allow_other",
		                "-o", "fsname=a\\,b", "-oro", NULL };

	(void)state;
	expect_each_failure_told(words);
}

static void with_a_file(void **state)
{
	char option[64];
	const char *words[] = { "s3samplefs", "dir:/tmp", "/", "-o", option, NULL };

	(void)state;
	snprintf(option, sizeof(option), "config=%s", ini);
	expect_each_failure_told(words);
}

static void a_view_is_copied_whole_or_not_at_all(void **state)
{
	struct view_config v, copy;
	char why[VIEW_WHY_MAX];
	int err, told = 0;

	(void)state;
	assert_int_equal(view_config_init(&v, VIEW_SAMPLES, "samples"), 0);
	assert_int_equal(view_config_set(&v, "path", "{label}/**", why), 0);
	do {
		countdown = ++told;
		err = view_config_copy(&copy, &v);
		countdown = 0;
		assert_true(err == 0 || (err == -ENOMEM && !copy.match && !copy.path));
		view_config_done(&copy);
	} while (err);
	assert_true(told > 10);
	view_config_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_file),
		cmocka_unit_test(with_a_file),
		cmocka_unit_test(a_view_is_copied_whole_or_not_at_all),
	};

	return cmocka_run_group_tests_name("config without memory", tests, write_ini, remove_ini);
}
