/* Names of files and keys of objects, both ways; classes from directories. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "view/name.h"

static char *const splits[] = { (char *)"train", (char *)"val", NULL };

static void a_name_loses_its_ending_and_gains_its_directory(void **state)
{
	int err;
	char *key = name_to_key("train/ad/", "clip1.mp4.npy", ".npy", &err);

	(void)state;
	assert_string_equal(key, "train/ad/clip1.mp4");
	free(key);
	key = name_to_key("", "a b+%41\xc3\xa4", "", &err);
	assert_string_equal(key, "a b+%41\xc3\xa4");
	free(key);
}

static void a_name_without_the_ending_is_no_object(void **state)
{
	static const char *const names[] = { "clip1.mp4", ".npy", "x.npyx", "" };
	int err;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		err = 0;
		assert_null(name_to_key("", names[i], ".npy", &err));
		assert_int_equal(err, -ENOENT);
	}
}

static void impossible_names_are_refused(void **state)
{
	char longest[256];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_true(name_is_possible(longest, 255, ""));
	assert_false(name_is_possible(longest, 252, ".npy"));
	assert_true(name_is_possible(longest, 251, ".npy"));
	assert_false(name_is_possible("", 0, ""));
	assert_false(name_is_possible(".", 1, ""));
	assert_false(name_is_possible("..", 2, ""));
	assert_true(name_is_possible("...", 3, ""));
	assert_true(name_is_possible(".x", 2, ""));
	assert_false(name_is_possible("a\nb", 3, ""));
}

static void check_class(const char *pattern, const char *key, const char *split, const char *label)
{
	struct name_class c;

	assert_true(name_classify(pattern, splits, key, &c));
	assert_int_equal(c.split_len, strlen(split));
	assert_memory_equal(c.split, split, c.split_len);
	assert_int_equal(c.label_len, strlen(label));
	assert_memory_equal(c.label, label, c.label_len);
}

static void by_default_the_label_is_the_first_directory_that_is_no_split(void **state)
{
	(void)state;
	check_class(NULL, "ad/clip.mp4", "", "ad");
	check_class(NULL, "train/ad/clip.mp4", "train", "ad");
	check_class(NULL, "train/ad/deep/er/clip.mp4", "train", "ad");
	check_class(NULL, "training/clip.mp4", "", "training");
	check_class(NULL, "train/clip.mp4", "train", "");
	check_class(NULL, "clip.mp4", "", "");
}

static void a_pattern_names_its_directories(void **state)
{
	struct name_class c;

	(void)state;
	check_class("{split}/{label}/**", "dev/x/clip.mp4", "dev", "x");
	check_class("{label}/**", "train/x/clip.mp4", "", "train");
	check_class("data/*/{label}/**", "data/2024/cat/a/b.mp4", "", "cat");
	check_class("{label}/*", "cat/b.mp4", "", "cat");
	assert_false(name_classify("data/{label}/**", splits, "other/cat/b.mp4", &c));
	assert_false(name_classify("{split}/{label}/**", splits, "b.mp4", &c));
	assert_false(name_classify("{label}/*", splits, "cat/deep/b.mp4", &c));
}

static void check_prefix(const char *pattern, const char *video, const char *expected)
{
	char *prefix = name_audio_prefix(pattern, video);

	assert_non_null(prefix);
	assert_string_equal(prefix, expected);
	free(prefix);
}

static void the_audio_of_a_video_stands_beside_it(void **state)
{
	(void)state;
	check_prefix("{dir}/{stem}.*", "a/b/clip.mp4", "a/b/clip.");
	check_prefix("{dir}/{stem}.*", "clip.x.mp4", "clip.x.");
	check_prefix("{dir}/{stem}.*", "noending", "noending.");
	check_prefix("audio/{stem}.*", "a/b/clip.mp4", "audio/clip.");
	check_prefix("{dir}/sound/{stem}.*", "a/clip.mp4", "a/sound/clip.");
	assert_null(name_audio_prefix("{dir}/{stem}.wav", "a/clip.mp4"));
	assert_null(name_audio_prefix("", "a/clip.mp4"));
}

static void the_star_stands_for_an_ending_alone(void **state)
{
	(void)state;
	assert_true(name_is_audio_of("a/clip.", "a/clip.wav"));
	assert_false(name_is_audio_of("a/clip.", "a/clip.x.wav"));
	assert_false(name_is_audio_of("a/clip.", "a/clip./wav"));
	assert_false(name_is_audio_of("a/clip.", "a/clip."));
	assert_false(name_is_audio_of("a/clip.", "a/clop.wav"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_loses_its_ending_and_gains_its_directory),
		cmocka_unit_test(a_name_without_the_ending_is_no_object),
		cmocka_unit_test(impossible_names_are_refused),
		cmocka_unit_test(by_default_the_label_is_the_first_directory_that_is_no_split),
		cmocka_unit_test(a_pattern_names_its_directories),
		cmocka_unit_test(the_audio_of_a_video_stands_beside_it),
		cmocka_unit_test(the_star_stands_for_an_ending_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
