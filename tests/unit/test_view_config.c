/* The keys of each kind of view: defaults, what each accepts, what it says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/ini.h"
#include "view/view_config.h"

static struct view_config make(enum view_type type)
{
	struct view_config v;

	assert_int_equal(view_config_init(&v, type, view_type_name(type)), 0);
	return v;
}

static void set_ok(struct view_config *v, const char *key, const char *value)
{
	char why[VIEW_WHY_MAX] = "";

	if (view_config_set(v, key, value, why) != 0)
		fail_msg("%s = %s: %s", key, value, why);
}

static char *printed(const struct view_config *v)
{
	struct buf out;
	char *text;

	buf_init(&out, 65536);
	view_config_print(v, &out);
	text = buf_take(&out);
	assert_non_null(text);
	return text;
}

/* Sets and expects the sentence; nothing may have changed. */
static void set_fails(struct view_config *v, const char *key, const char *value, int err,
                      const char *sentence)
{
	char why[VIEW_WHY_MAX] = "";
	char *before = printed(v), *after;

	assert_int_equal(view_config_set(v, key, value, why), err);
	assert_string_equal(why, sentence);
	after = printed(v);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void expect_printed(const struct view_config *v, const char *line)
{
	char *text = printed(v);
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (!strstr(text, wanted))
		fail_msg("no line \"%s\" in:\n%s", line, text);
	free(text);
}

/* ---- types and names ------------------------------------------------------------ */

static void types_have_names(void **state)
{
	enum view_type type = VIEW_INFO;

	(void)state;
	for (int i = VIEW_RAW; i <= VIEW_SAMPLES; i++) {
		assert_int_equal(view_type_parse(view_type_name((enum view_type)i), &type), 0);
		assert_int_equal(type, i);
	}
	assert_int_equal(view_type_parse("images", &type), -ENOSYS);
	assert_int_equal(view_type_parse("sheet", &type), -ENOSYS);
	assert_int_equal(view_type_parse("wav", &type), -ENOSYS);
	assert_int_equal(view_type_parse("Frames", &type), -EINVAL);
	assert_int_equal(view_type_parse("", &type), -EINVAL);
	assert_int_equal(type, VIEW_SAMPLES);
}

static void a_name_is_letters_digits_dash_underscore(void **state)
{
	static const char *const bad[] = { "", "a b", "a.b", "a/b", "a@b", ".s3samplefs", "\xc3\xa4" };
	char longest[VIEW_NAME_MAX + 2];
	struct view_config v;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(view_config_init(&v, VIEW_RAW, bad[i]), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[VIEW_NAME_MAX + 1] = '\0';
	assert_int_equal(view_config_init(&v, VIEW_RAW, longest), -EINVAL);
	longest[VIEW_NAME_MAX] = '\0';
	assert_int_equal(view_config_init(&v, VIEW_RAW, longest), 0);
	assert_string_equal(v.name, longest);
	view_config_done(&v);
	assert_int_equal(view_config_init(&v, VIEW_RAW, "Clips_16-small"), 0);
	view_config_done(&v);
}

/* ---- defaults --------------------------------------------------------------------- */

static bool has(char **list, const char *part)
{
	for (; *list; list++) {
		if (strcmp(*list, part) == 0)
			return true;
	}
	return false;
}

static void frames_are_16_of_224_uniform_cropped(void **state)
{
	struct view_config v = make(VIEW_FRAMES);

	(void)state;
	assert_int_equal(v.frames.sampling, SAMPLING_UNIFORM);
	assert_int_equal(v.frames.num_frames, 16);
	assert_int_equal(v.frames.height, 224);
	assert_int_equal(v.frames.width, 224);
	assert_int_equal(v.frames.square, 1);
	assert_int_equal(v.frames.resize, RESIZE_CROP);
	assert_true(has(v.match, "*.mp4") && has(v.match, "*.ogv"));
	assert_false(has(v.match, "*.wav") || has(v.match, "*"));
	view_config_done(&v);
}

static void mfcc_is_librosas_of_30_seconds(void **state)
{
	struct view_config v = make(VIEW_MFCC);

	(void)state;
	assert_int_equal(v.mfcc.preset, MFCC_LIBROSA);
	assert_int_equal(v.mfcc.sr, 22050);
	assert_int_equal(v.mfcc.n_mfcc, 20);
	assert_int_equal(v.mfcc.n_fft, 2048);
	assert_int_equal(v.mfcc.win_length, 2048);
	assert_int_equal(v.mfcc.hop_length, 512);
	assert_int_equal(v.mfcc.n_mels, 128);
	assert_int_equal(v.mfcc.channel, -1);
	assert_true(v.mfcc.fmin == 0 && v.mfcc.fmax == 0);
	assert_true(v.mfcc.top_db == 80 && v.mfcc.lifter == 0 && v.mfcc.duration == 30);
	assert_int_equal(mfcc_columns(&v.mfcc, mfcc_fixed_samples(&v.mfcc)), 1292);
	assert_true(has(v.match, "*.wav") && has(v.match, "*.mp4"));
	view_config_done(&v);
}

static void raw_matches_everything_and_samples_name_the_others(void **state)
{
	struct view_config raw = make(VIEW_RAW), samples = make(VIEW_SAMPLES);

	(void)state;
	assert_string_equal(raw.match[0], "*");
	assert_null(raw.match[1]);
	assert_string_equal(samples.frames_view, "frames");
	assert_string_equal(samples.mfcc_view, "mfcc");
	assert_null(samples.path);
	assert_string_equal(samples.audio, "{dir}/{stem}.*");
	assert_int_equal(samples.streams, STREAMS_AUTO);
	assert_int_equal(samples.missing, MISSING_ZEROS);
	assert_true(has(samples.split_names, "train") && has(samples.split_names, "test"));
	view_config_done(&raw);
	view_config_done(&samples);
}

/* ---- keys of frames ----------------------------------------------------------------- */

static void num_frames_is_a_number_or_all(void **state)
{
	static const char sentence[] = "num_frames = %s: must be a whole number from 1 to 65536, or (with "
	                               "sampling = uniform) all";
	static const char *const bad[] = { "0", "65537", "-1", "1.5", "", "x", "All" };
	struct view_config v = make(VIEW_FRAMES);
	char expected[256];

	(void)state;
	set_ok(&v, "num_frames", "65536");
	assert_int_equal(v.frames.num_frames, 65536);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(expected, sizeof(expected), sentence, bad[i]);
		set_fails(&v, "num_frames", bad[i], -EINVAL, expected);
	}
	set_ok(&v, "num_frames", "all");
	assert_int_equal(v.frames.num_frames, 0);
	assert_int_equal(v.frames.sampling, SAMPLING_ALL);
	expect_printed(&v, "num_frames = all");
	expect_printed(&v, "sampling = uniform");
	set_ok(&v, "num_frames", "8");
	assert_int_equal(v.frames.sampling, SAMPLING_UNIFORM);
	view_config_done(&v);
}

static void all_frames_are_not_sampled_in_either_order(void **state)
{
	struct view_config v = make(VIEW_FRAMES);

	(void)state;
	set_ok(&v, "num_frames", "all");
	set_ok(&v, "sampling", "uniform");
	assert_int_equal(v.frames.sampling, SAMPLING_ALL);
	set_fails(&v, "sampling", "keyframes", -EINVAL,
	          "sampling = keyframes: must be uniform, linspace or keyframes (with num_frames = all: uniform)");
	set_ok(&v, "num_frames", "4");
	set_ok(&v, "sampling", "keyframes");
	set_fails(&v, "num_frames", "all", -EINVAL,
	          "num_frames = all: must be a whole number from 1 to 65536, or (with sampling = uniform) all");
	view_config_done(&v);
}

static void sampling_has_three_ways_now(void **state)
{
	struct view_config v = make(VIEW_FRAMES);

	(void)state;
	set_ok(&v, "sampling", "linspace");
	assert_int_equal(v.frames.sampling, SAMPLING_LINSPACE);
	set_ok(&v, "sampling", "keyframes");
	assert_int_equal(v.frames.sampling, SAMPLING_KEYFRAMES);
	set_ok(&v, "sampling", "uniform");
	assert_int_equal(v.frames.sampling, SAMPLING_UNIFORM);
	set_fails(&v, "sampling", "fps", -EINVAL, "sampling = fps is not supported yet");
	set_fails(&v, "sampling", "stride", -EINVAL, "sampling = stride is not supported yet");
	set_fails(&v, "sampling", "all", -EINVAL,
	          "sampling = all: must be uniform, linspace or keyframes (with num_frames = all: uniform)");
	view_config_done(&v);
}

static void size_is_a_side_a_rectangle_or_native(void **state)
{
	static const char *const bad[] = { "0", "224x", "x224", "224x0", "16385", "1x16385", "224x224x3",
		                           "224 x 224", "", "Native", "-1", "1000000000000000000" };
	struct view_config v = make(VIEW_FRAMES);
	char expected[256];

	(void)state;
	set_ok(&v, "size", "224x320");
	assert_int_equal(v.frames.height, 224);
	assert_int_equal(v.frames.width, 320);
	assert_int_equal(v.frames.square, 0);
	expect_printed(&v, "size = 224x320");
	set_ok(&v, "size", "112x112");
	assert_int_equal(v.frames.square, 0);
	set_ok(&v, "size", "16384");
	assert_int_equal(v.frames.height, 16384);
	assert_int_equal(v.frames.width, 16384);
	assert_int_equal(v.frames.square, 1);
	expect_printed(&v, "size = 16384");
	set_ok(&v, "size", "native");
	assert_int_equal(v.frames.height, 0);
	assert_int_equal(v.frames.width, 0);
	assert_int_equal(v.frames.square, 0);
	expect_printed(&v, "size = native");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(expected, sizeof(expected),
		         "size = %s: must be N or HEIGHTxWIDTH with sides from 1 to 16384 pixels, or native",
		         bad[i]);
		set_fails(&v, "size", bad[i], -EINVAL, expected);
	}
	view_config_done(&v);
}

static void resize_is_crop_stretch_or_pad(void **state)
{
	struct view_config v = make(VIEW_FRAMES);

	(void)state;
	set_ok(&v, "resize", "stretch");
	assert_int_equal(v.frames.resize, RESIZE_STRETCH);
	set_ok(&v, "resize", "pad");
	assert_int_equal(v.frames.resize, RESIZE_PAD);
	set_ok(&v, "resize", "crop");
	assert_int_equal(v.frames.resize, RESIZE_CROP);
	set_fails(&v, "resize", "fit", -EINVAL, "resize = fit: must be crop, stretch or pad");
	view_config_done(&v);
}

static void match_is_patterns_of_names(void **state)
{
	struct view_config v = make(VIEW_FRAMES);

	(void)state;
	set_ok(&v, "match", "  *.mp4\t*.MKV ");
	assert_string_equal(v.match[0], "*.mp4");
	assert_string_equal(v.match[1], "*.MKV");
	assert_null(v.match[2]);
	expect_printed(&v, "match = *.mp4 *.MKV");
	set_fails(&v, "match", "", -EINVAL,
	          "match = : must be patterns of object names such as *.mp4, with blanks between them and "
	          "without /");
	set_fails(&v, "match", "*.mp4 a/*.mp4", -EINVAL,
	          "match = *.mp4 a/*.mp4: must be patterns of object names such as *.mp4, with blanks "
	          "between them and without /");
	view_config_done(&v);
}

/* ---- keys of mfcc ----------------------------------------------------------------------- */

static void mfcc_numbers_have_bounds(void **state)
{
	static const struct {
		const char *key, *low, *high, *below, *above, *accepts;
	} keys[] = {
		{ "sr", "100", "768000", "99", "768001", "a whole number from 100 to 768000" },
		{ "n_mfcc", "1", "1024", "0", "1025", "a whole number from 1 to 1024" },
		{ "n_fft", "2", "65536", "1", "65537", "a whole number from 2 to 65536" },
		{ "win_length", "1", "65536", "0", "65537", "a whole number from 1 to 65536" },
		{ "hop_length", "1", "1048576", "0", "1048577", "a whole number from 1 to 1048576" },
		{ "n_mels", "1", "1024", "0", "1025", "a whole number from 1 to 1024" },
		{ "fmin", "0", "384000", "-1", "384001", "a number from 0 to 384000" },
		{ "fmax", "0", "384000", "-1", "384001",
		  "a number of Hz up to half of sr, or 0 for half of sr" },
		{ "top_db", "0", "1000", "-1", "1001", "a number from 0 to 1000, or none" },
		{ "lifter", "0", "100000", "-0.5", "100001", "a number from 0 to 100000" },
		{ "channel", "0", "63", "-1", "64", "a whole number from 0 to 63, or mean" },
		{ "duration", "0.001", "86400", "0", "86401", "a number from 0.001 to 86400, or full" },
	};
	struct view_config v = make(VIEW_MFCC);
	char expected[256], line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *const bad[] = { keys[i].below, keys[i].above, "x", "" };

		for (size_t j = 0; j < 4; j++) {
			snprintf(expected, sizeof(expected), "%s = %s: must be %s", keys[i].key, bad[j],
			         keys[i].accepts);
			set_fails(&v, keys[i].key, bad[j], -EINVAL, expected);
		}
		set_ok(&v, keys[i].key, keys[i].low);
		snprintf(line, sizeof(line), "%s = %s", keys[i].key, keys[i].low);
		expect_printed(&v, line);
		set_ok(&v, keys[i].key, keys[i].high);
		snprintf(line, sizeof(line), "%s = %s", keys[i].key, keys[i].high);
		expect_printed(&v, line);
	}
	view_config_done(&v);
}

static void mfcc_numbers_reach_their_fields(void **state)
{
	struct view_config v = make(VIEW_MFCC);

	(void)state;
	set_ok(&v, "preset", "librosa");
	set_ok(&v, "sr", "16000");
	set_ok(&v, "n_mfcc", "13");
	set_ok(&v, "n_fft", "512");
	set_ok(&v, "win_length", "400");
	set_ok(&v, "hop_length", "160");
	set_ok(&v, "n_mels", "40");
	set_ok(&v, "fmin", "20.5");
	set_ok(&v, "fmax", "7600");
	set_ok(&v, "top_db", "60");
	set_ok(&v, "lifter", "22");
	set_ok(&v, "channel", "1");
	set_ok(&v, "duration", "2.5");
	assert_int_equal(v.mfcc.sr, 16000);
	assert_int_equal(v.mfcc.n_mfcc, 13);
	assert_int_equal(v.mfcc.n_fft, 512);
	assert_int_equal(v.mfcc.win_length, 400);
	assert_int_equal(v.mfcc.hop_length, 160);
	assert_int_equal(v.mfcc.n_mels, 40);
	assert_int_equal(v.mfcc.channel, 1);
	assert_true(v.mfcc.fmin == 20.5 && v.mfcc.fmax == 7600 && v.mfcc.top_db == 60);
	assert_true(v.mfcc.lifter == 22 && v.mfcc.duration == 2.5);
	view_config_done(&v);
}

static void words_stand_for_numbers(void **state)
{
	struct view_config v = make(VIEW_MFCC);

	(void)state;
	set_ok(&v, "channel", "2");
	set_ok(&v, "channel", "mean");
	assert_int_equal(v.mfcc.channel, -1);
	expect_printed(&v, "channel = mean");
	set_ok(&v, "top_db", "none");
	assert_true(v.mfcc.top_db < 0);
	expect_printed(&v, "top_db = none");
	set_ok(&v, "duration", "full");
	assert_true(v.mfcc.duration == 0);
	expect_printed(&v, "duration = full");
	view_config_done(&v);
}

static void win_length_follows_n_fft_until_it_is_set(void **state)
{
	struct view_config v = make(VIEW_MFCC);

	(void)state;
	set_ok(&v, "n_fft", "512");
	assert_int_equal(v.mfcc.win_length, 512);
	set_ok(&v, "win_length", "400");
	set_ok(&v, "n_fft", "1024");
	assert_int_equal(v.mfcc.win_length, 400);
	view_config_done(&v);
}

static void other_presets_are_not_supported_yet(void **state)
{
	static const char *const presets[] = { "torchaudio", "kaldi", "htk", "psf" };
	struct view_config v = make(VIEW_MFCC);
	char expected[64];

	(void)state;
	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
		snprintf(expected, sizeof(expected), "preset = %s is not supported yet", presets[i]);
		set_fails(&v, "preset", presets[i], -EINVAL, expected);
	}
	set_fails(&v, "preset", "matlab", -EINVAL, "preset = matlab: must be librosa");
	view_config_done(&v);
}

static void check_fails(const char *const (*pairs)[2], size_t n, const char *sentence)
{
	struct view_config v = make(VIEW_MFCC);
	char why[VIEW_WHY_MAX] = "";

	for (size_t i = 0; i < n; i++)
		set_ok(&v, pairs[i][0], pairs[i][1]);
	assert_int_equal(view_config_check(&v, why), -EINVAL);
	assert_string_equal(why, sentence);
	view_config_done(&v);
}

static void keys_that_depend_on_each_other_are_checked_together(void **state)
{
	static const char *const window[][2] = { { "win_length", "400" }, { "n_fft", "256" } };
	static const char *const rows[][2] = { { "n_mfcc", "40" }, { "n_mels", "26" } };
	static const char *const above[][2] = { { "sr", "16000" }, { "fmax", "8001" } };
	static const char *const crossed[][2] = { { "fmin", "4000" }, { "fmax", "4000" } };
	static const char *const nyquist[][2] = { { "sr", "8000" }, { "fmin", "4000" } };
	static const char *const none[][2] = { { "sr", "100" }, { "duration", "0.009" } };
	char why[VIEW_WHY_MAX] = "";

	(void)state;
	check_fails(window, 2, "win_length = 400: must be at most n_fft, which is 256");
	check_fails(rows, 2, "n_mfcc = 40: must be at most n_mels, which is 26");
	check_fails(above, 2, "fmax = 8001: must be at most half of sr, which is 8000");
	check_fails(crossed, 2, "fmin = 4000: must be below fmax, which is 4000");
	check_fails(nyquist, 2, "fmin = 4000: must be below fmax, which is 4000");
	check_fails(none, 2, "duration = 0.009: is not one sample at sr = 100");
	for (int i = VIEW_RAW; i <= VIEW_SAMPLES; i++) {
		struct view_config v = make((enum view_type)i);

		assert_int_equal(view_config_check(&v, why), 0);
		view_config_done(&v);
	}
}

/* ---- lists behind an @ ---------------------------------------------------------------- */

static void list_ok(struct view_config *v, const char *list)
{
	char why[VIEW_WHY_MAX] = "";

	if (view_config_set_list(v, list, why) != 0)
		fail_msg("%s: %s", list, why);
}

static void list_fails(enum view_type type, const char *list, const char *sentence)
{
	struct view_config v = make(type);
	char why[VIEW_WHY_MAX] = "";

	assert_int_equal(view_config_set_list(&v, list, why), -EINVAL);
	assert_string_equal(why, sentence);
	view_config_done(&v);
}

/* The same of a view of its own type and of a samples view, in any order. */
static void a_list_is_checked_once_as_a_whole(void **state)
{
	static const enum view_type types[] = { VIEW_MFCC, VIEW_SAMPLES };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct view_config v = make(types[i]);

		list_ok(&v, "n_mels=13,n_mfcc=13");
		assert_int_equal(v.mfcc.n_mels, 13);
		list_ok(&v, "n_mfcc=40,n_mels=40");
		list_ok(&v, "win_length=4096,n_fft=4096");
		assert_int_equal(v.mfcc.win_length, 4096);
		list_ok(&v, "fmax=20000,sr=44100,fmin=15000");
		assert_true(v.mfcc.fmin == 15000);
		view_config_done(&v);
		v = make(types[i]);
		list_ok(&v, "win_length=2048,n_fft=4096");
		assert_int_equal(v.mfcc.win_length, 2048);
		view_config_done(&v);
		list_fails(types[i], "n_mels=13", "n_mfcc = 20: must be at most n_mels, which is 13");
		list_fails(types[i], "hop_length=160,win_length=4096",
		           "win_length = 4096: must be at most n_fft, which is 2048");
	}
}

static void a_list_may_say_first_what_depends_on_what_comes_later(void **state)
{
	static const enum view_type types[] = { VIEW_FRAMES, VIEW_SAMPLES };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct view_config v = make(types[i]);

		list_ok(&v, "sampling=keyframes");
		list_ok(&v, "num_frames=all,sampling=uniform");
		assert_int_equal(v.frames.sampling, SAMPLING_ALL);
		list_ok(&v, "sampling=linspace,num_frames=3");
		assert_int_equal(v.frames.sampling, SAMPLING_LINSPACE);
		assert_int_equal(v.frames.num_frames, 3);
		view_config_done(&v);
		list_fails(types[i], "sampling=keyframes,num_frames=all,size=32",
		           "num_frames = all: must be a whole number from 1 to 65536, or (with "
		           "sampling = uniform) all");
	}
}

static void a_samples_list_takes_keys_of_its_parts_but_no_sections(void **state)
{
	struct view_config v = make(VIEW_SAMPLES);

	(void)state;
	list_ok(&v, "num_frames=4,n_mfcc=13,missing=error,size=32,duration=2");
	assert_int_equal(v.frames.num_frames, 4);
	assert_int_equal(v.mfcc.n_mfcc, 13);
	assert_int_equal(v.missing, MISSING_ERROR);
	view_config_done(&v);
	list_fails(VIEW_SAMPLES, "frames=other", "frames= belongs in the configuration file");
	list_fails(VIEW_SAMPLES, "mfcc=other", "mfcc= belongs in the configuration file");
	list_fails(VIEW_SAMPLES, "size=32,", "'' is not of the form key=value");
	list_fails(VIEW_SAMPLES, "size", "'size' is not of the form key=value");
	list_fails(VIEW_FRAMES, "size=0,size=32",
	           "size = 0: must be N or HEIGHTxWIDTH with sides from 1 to 16384 pixels, or native");
}

/* ---- keys of samples ------------------------------------------------------------------ */

static void samples_keys_reach_their_fields(void **state)
{
	struct view_config v = make(VIEW_SAMPLES);

	(void)state;
	set_ok(&v, "frames", "small");
	set_ok(&v, "mfcc", "speech_16k");
	set_ok(&v, "path", "{split}/{label}/**");
	set_ok(&v, "audio", "audio/{stem}.*");
	set_ok(&v, "streams", "av");
	set_ok(&v, "missing", "error");
	set_ok(&v, "split_names", "a b");
	assert_string_equal(v.frames_view, "small");
	assert_string_equal(v.mfcc_view, "speech_16k");
	assert_string_equal(v.path, "{split}/{label}/**");
	assert_string_equal(v.audio, "audio/{stem}.*");
	assert_int_equal(v.streams, STREAMS_AV);
	assert_int_equal(v.missing, MISSING_ERROR);
	assert_string_equal(v.split_names[1], "b");
	set_ok(&v, "missing", "zeros");
	assert_int_equal(v.missing, MISSING_ZEROS);
	set_ok(&v, "path", "");
	assert_null(v.path);
	set_ok(&v, "audio", "");
	assert_null(v.audio);
	set_ok(&v, "split_names", "");
	assert_null(v.split_names[0]);
	view_config_done(&v);
}

static void samples_keys_refuse_nonsense(void **state)
{
	struct view_config v = make(VIEW_SAMPLES);

	(void)state;
	set_fails(&v, "frames", "", -EINVAL, "frames = : must be the name of a view of type frames");
	set_fails(&v, "frames", "a b", -EINVAL, "frames = a b: must be the name of a view of type frames");
	set_fails(&v, "mfcc", "m@x=1", -EINVAL, "mfcc = m@x=1: must be the name of a view of type mfcc");
	set_fails(&v, "streams", "both", -EINVAL, "streams = both: must be auto or av");
	set_fails(&v, "missing", "drop", -EINVAL, "missing = drop: must be zeros or error");
	set_fails(&v, "split_names", "train a/b", -EINVAL,
	          "split_names = train a/b: must be names of directories with blanks between them");
	view_config_done(&v);
}

static void a_path_has_one_label_and_ends_in_stars(void **state)
{
	static const char *const good[] = { "{label}/**", "{split}/{label}/**", "data/{label}/**",
		                            "*/{label}/**", "{label}/{split}/x/**" };
	static const char *const bad[] = { "{label}",        "**",        "{split}/**",  "/{label}/**",
		                           "{label}//**",    "{class}/**", "{label}/{label}/**",
		                           "{split}/{split}/{label}/**", "a{label}/**", "a*/{label}/**" };
	struct view_config v = make(VIEW_SAMPLES);
	char expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		set_ok(&v, "path", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(expected, sizeof(expected),
		         "path = %s: must be directories with {label} and perhaps {split} or * among them, "
		         "ending in **, such as {split}/{label}/**",
		         bad[i]);
		set_fails(&v, "path", bad[i], -EINVAL, expected);
	}
	view_config_done(&v);
}

static void an_audio_pattern_is_found_by_one_listing(void **state)
{
	static const char *const good[] = { "{dir}/{stem}.*", "{stem}.*", "{dir}/sound/{stem}.*",
		                            "audio/{dir}/x-{stem}.*" };
	static const char *const bad[] = { "{dir}/*.*", "{stem}.wav", "*/{stem}.*", "{dir}/{name}.*",
		                           "{stem}.m?.*", "{stem",
		                           "{stem}}", "{dir}" };
	struct view_config v = make(VIEW_SAMPLES);
	char expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		set_ok(&v, "audio", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(expected, sizeof(expected),
		         "audio = %s: must be a key with {dir} and {stem} in it that ends in .*, such as "
		         "{dir}/{stem}.*",
		         bad[i]);
		set_fails(&v, "audio", bad[i], -EINVAL, expected);
	}
	view_config_done(&v);
}

/* ---- all views --------------------------------------------------------------------------- */

static void an_unknown_key_is_told_with_those_there_are(void **state)
{
	struct view_config frames = make(VIEW_FRAMES), raw = make(VIEW_RAW), samples = make(VIEW_SAMPLES);

	(void)state;
	set_fails(&frames, "num_frame", "1", -ENOENT,
	          "num_frame: no such key (did you mean num_frames?); there are: match num_frames sampling "
	          "size resize");
	set_fails(&frames, "sr", "16000", -ENOENT,
	          "sr: no such key; there are: match num_frames sampling size resize");
	set_fails(&raw, "zzz", "1", -ENOENT, "zzz: no such key; there are: match");
	set_fails(&samples, "misssing", "skip", -ENOENT,
	          "misssing: no such key (did you mean missing?); there are: match frames mfcc path audio "
	          "streams missing split_names");
	view_config_done(&frames);
	view_config_done(&raw);
	view_config_done(&samples);
}

static void keys_of_later_versions_say_so(void **state)
{
	static const char *const frames_keys[] = { "span", "position", "start", "seed", "epoch", "jitter",
		                                   "clips", "segment", "stride", "tolerance", "layout",
		                                   "dtype", "mean", "std", "on_error" };
	static const char *const samples_keys[] = { "manifest", "where", "select", "classes", "split",
		                                    "weights", "epoch", "seed", "on_error" };
	struct view_config frames = make(VIEW_FRAMES), samples = make(VIEW_SAMPLES);
	char expected[64];

	(void)state;
	for (size_t i = 0; i < sizeof(frames_keys) / sizeof(frames_keys[0]); i++) {
		snprintf(expected, sizeof(expected), "%s is not supported yet", frames_keys[i]);
		set_fails(&frames, frames_keys[i], "1", -EINVAL, expected);
	}
	for (size_t i = 0; i < sizeof(samples_keys) / sizeof(samples_keys[0]); i++) {
		snprintf(expected, sizeof(expected), "%s is not supported yet", samples_keys[i]);
		set_fails(&samples, samples_keys[i], "1", -EINVAL, expected);
	}
	view_config_done(&frames);
	view_config_done(&samples);
}

static int set_item(void *arg, const struct ini_item *item)
{
	if (strcmp(item->key, "type") != 0)
		set_ok(arg, item->key, item->value);
	return 0;
}

/* Reads what was printed into a fresh view of the type. */
static void expect_same_after_reading(const struct view_config *v)
{
	struct view_config again = make(v->type);
	char *text = printed(v), *second;
	unsigned line;
	const char *why;

	assert_int_equal(ini_read(text, strlen(text), set_item, &again, &line, &why), 0);
	second = printed(&again);
	assert_string_equal(second, text);
	assert_memory_equal(&again.frames, &v->frames, sizeof(v->frames));
	assert_memory_equal(&again.mfcc, &v->mfcc, sizeof(v->mfcc));
	free(text);
	free(second);
	view_config_done(&again);
}

static void what_is_printed_reads_back_the_same(void **state)
{
	struct view_config v;

	(void)state;
	for (int i = VIEW_RAW; i <= VIEW_SAMPLES; i++) {
		v = make((enum view_type)i);
		expect_same_after_reading(&v);
		view_config_done(&v);
	}
	v = make(VIEW_FRAMES);
	set_ok(&v, "num_frames", "all");
	set_ok(&v, "size", "120x160");
	expect_same_after_reading(&v);
	view_config_done(&v);
	v = make(VIEW_MFCC);
	set_ok(&v, "n_fft", "4096");
	set_ok(&v, "win_length", "2048");
	set_ok(&v, "fmin", "27.5");
	set_ok(&v, "duration", "0.1");
	expect_same_after_reading(&v);
	view_config_done(&v);
}

static void a_copy_has_its_own_strings(void **state)
{
	struct view_config a = make(VIEW_SAMPLES), b;
	char *first, *second;

	(void)state;
	set_ok(&a, "path", "{label}/**");
	first = printed(&a);
	assert_int_equal(view_config_copy(&b, &a), 0);
	assert_ptr_not_equal(a.path, b.path);
	assert_ptr_not_equal(a.match, b.match);
	assert_ptr_not_equal(a.match[0], b.match[0]);
	set_ok(&a, "path", "{split}/{label}/**");
	set_ok(&a, "match", "*");
	view_config_done(&a);
	second = printed(&b);
	assert_string_equal(second, first);
	free(first);
	free(second);
	view_config_done(&b);
	view_config_done(&b); /* done twice is done once */
}

static void a_long_value_does_not_overflow_the_sentence(void **state)
{
	struct view_config v = make(VIEW_SAMPLES);
	char value[4096], why[VIEW_WHY_MAX];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(view_config_set(&v, "path", value, why), -EINVAL);
	assert_true(strlen(why) < VIEW_WHY_MAX && strncmp(why, "path = xxx", 10) == 0);
	assert_int_equal(view_config_set(&v, value, "1", why), -ENOENT);
	assert_true(strlen(why) < VIEW_WHY_MAX && strstr(why, ": no such key;"));
	view_config_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_have_names),
		cmocka_unit_test(a_name_is_letters_digits_dash_underscore),
		cmocka_unit_test(frames_are_16_of_224_uniform_cropped),
		cmocka_unit_test(mfcc_is_librosas_of_30_seconds),
		cmocka_unit_test(raw_matches_everything_and_samples_name_the_others),
		cmocka_unit_test(num_frames_is_a_number_or_all),
		cmocka_unit_test(all_frames_are_not_sampled_in_either_order),
		cmocka_unit_test(sampling_has_three_ways_now),
		cmocka_unit_test(size_is_a_side_a_rectangle_or_native),
		cmocka_unit_test(resize_is_crop_stretch_or_pad),
		cmocka_unit_test(match_is_patterns_of_names),
		cmocka_unit_test(mfcc_numbers_have_bounds),
		cmocka_unit_test(mfcc_numbers_reach_their_fields),
		cmocka_unit_test(words_stand_for_numbers),
		cmocka_unit_test(win_length_follows_n_fft_until_it_is_set),
		cmocka_unit_test(other_presets_are_not_supported_yet),
		cmocka_unit_test(keys_that_depend_on_each_other_are_checked_together),
		cmocka_unit_test(a_list_is_checked_once_as_a_whole),
		cmocka_unit_test(a_list_may_say_first_what_depends_on_what_comes_later),
		cmocka_unit_test(a_samples_list_takes_keys_of_its_parts_but_no_sections),
		cmocka_unit_test(samples_keys_reach_their_fields),
		cmocka_unit_test(samples_keys_refuse_nonsense),
		cmocka_unit_test(a_path_has_one_label_and_ends_in_stars),
		cmocka_unit_test(an_audio_pattern_is_found_by_one_listing),
		cmocka_unit_test(an_unknown_key_is_told_with_those_there_are),
		cmocka_unit_test(keys_of_later_versions_say_so),
		cmocka_unit_test(what_is_printed_reads_back_the_same),
		cmocka_unit_test(a_copy_has_its_own_strings),
		cmocka_unit_test(a_long_value_does_not_overflow_the_sentence),
	};

	return cmocka_run_group_tests_name("view_config", tests, NULL, NULL);
}
