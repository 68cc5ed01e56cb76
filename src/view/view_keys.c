#include "view/view_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "view/view_config.h"

#define RAW (1u << VIEW_RAW)
#define FRAMES (1u << VIEW_FRAMES)
#define MFCC (1u << VIEW_MFCC)
#define INFO (1u << VIEW_INFO)
#define SAMPLES (1u << VIEW_SAMPLES)
#define ANY (RAW | FRAMES | MFCC | INFO | SAMPLES)

#define DURATION_MAX 86400  /* s */
#define CHANNELS_MAX 64

_Static_assert(sizeof(enum view_streams) == sizeof(uint32_t), "KEY_CHOICE sets 32 bits");
_Static_assert(sizeof(enum view_missing) == sizeof(uint32_t), "KEY_CHOICE sets 32 bits");

static const char *const resize_names[] = { "crop", "stretch", "pad", NULL };
static const char *const preset_names[] = { "librosa", NULL };
static const char *const presets_later[] = { "torchaudio", "kaldi", "htk", "psf", NULL };
static const char *const sampling_names[] = { "uniform", "linspace", "keyframes", NULL };
static const char *const samplings_later[] = { "fps", "stride", NULL };
static const char *const streams_names[] = { "auto", "av", NULL };
static const char *const streams_later[] = { "audio", "video", NULL };
static const char *const missing_names[] = { "zeros", "error", NULL };
static const char *const missing_later[] = { "skip", NULL };

/* ---- what strings may be ------------------------------------------------------ */

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

bool view_name_ok(const char *name)
{
	size_t len = 0;

	while (is_word_char(name[len]))
		len++;
	return len > 0 && len <= VIEW_NAME_MAX && name[len] == '\0';
}

static bool is_glob(const char *s)
{
	return strchr(s, '/') == NULL;
}

static bool is_directory_name(const char *s)
{
	return strchr(s, '/') == NULL && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

/* Directories, {split} and {label}, each at most once and the label there,
 * then "**" for the rest of the key. */
static bool is_label_path(const char *s)
{
	bool split = false, label = false;

	while (strcmp(s, "**") != 0) {
		size_t len = strcspn(s, "/");
		bool is_split = len == 7 && strncmp(s, "{split}", len) == 0;
		bool is_label = len == 7 && strncmp(s, "{label}", len) == 0;

		if (len == 0 || !s[len] || (is_split && split) || (is_label && label))
			return false;
		if (!is_split && !is_label && strcspn(s, "{}*?") < len && !(len == 1 && *s == '*'))
			return false;
		split |= is_split;
		label |= is_label;
		s += len + 1;
	}
	return label;
}

/* "{dir}/{stem}.*": a key with {dir} and {stem} filled in, where only the last
 * part may be a glob, so that one listing finds it. */
static bool is_audio_pattern(const char *s)
{
	size_t len = strlen(s);
	const char *base = strrchr(s, '/');

	base = base ? base + 1 : s;
	if (!strstr(base, "{stem}") || len < 2 || strcmp(s + len - 2, ".*") != 0)
		return false;
	for (const char *p = s; p < s + len - 1; p++) {
		size_t name = strncmp(p, "{dir}", 5) == 0 ? 5 : strncmp(p, "{stem}", 6) == 0 ? 6 : 0;

		if (name == 0 && strchr("*?[{}", *p))
			return false;
		p += name ? name - 1 : 0;
	}
	return true;
}

/* ---- keys that touch more than one field --------------------------------------- */

static int set_num_frames(void *obj, const char *value)
{
	struct frames_spec *f = &((struct view_config *)obj)->frames;
	uint64_t n;

	if (strcmp(value, "all") == 0) {
		if (f->sampling != SAMPLING_UNIFORM && f->sampling != SAMPLING_ALL)
			return -EINVAL;
		f->num_frames = 0;
		f->sampling = SAMPLING_ALL;
		return 0;
	}
	if (text_parse_uint(value, 1, SPEC_FRAMES_MAX, &n))
		return -EINVAL;
	f->num_frames = (uint32_t)n;
	if (f->sampling == SAMPLING_ALL)
		f->sampling = SAMPLING_UNIFORM;
	return 0;
}

static void print_num_frames(const void *obj, struct buf *out)
{
	const struct frames_spec *f = &((const struct view_config *)obj)->frames;

	if (f->sampling == SAMPLING_ALL)
		buf_puts(out, "all");
	else
		buf_printf(out, "%u", f->num_frames);
}

/* "uniform" is also what num_frames = all calls itself. */
static int set_sampling(void *obj, const char *value)
{
	struct frames_spec *f = &((struct view_config *)obj)->frames;

	for (uint32_t i = 0; sampling_names[i]; i++) {
		if (strcmp(value, sampling_names[i]) != 0)
			continue;
		if (f->sampling != SAMPLING_ALL)
			f->sampling = i;
		else if (i != SAMPLING_UNIFORM)
			return -EINVAL;
		return 0;
	}
	return -EINVAL;
}

static void print_sampling(const void *obj, struct buf *out)
{
	uint32_t sampling = ((const struct view_config *)obj)->frames.sampling;

	buf_puts(out, sampling_names[sampling == SAMPLING_ALL ? SAMPLING_UNIFORM : sampling]);
}

/* "224", "224x320" (height x width) or "native". */
static int set_size(void *obj, const char *value)
{
	struct frames_spec *f = &((struct view_config *)obj)->frames;
	uint64_t height = 0, width = 0;
	char text[16];
	char *x;

	if (strcmp(value, "native") == 0) {
		f->height = f->width = f->square = 0;
		return 0;
	}
	if (strlen(value) >= sizeof(text))
		return -EINVAL;
	memcpy(text, value, strlen(value) + 1);
	x = strchr(text, 'x');
	if (x)
		*x = '\0';
	if (text_parse_uint(text, 1, SPEC_SIDE_MAX, &height) ||
	    text_parse_uint(x ? x + 1 : text, 1, SPEC_SIDE_MAX, &width))
		return -EINVAL;
	f->height = (uint32_t)height;
	f->width = (uint32_t)width;
	f->square = x == NULL;
	return 0;
}

static void print_size(const void *obj, struct buf *out)
{
	const struct frames_spec *f = &((const struct view_config *)obj)->frames;

	if (f->height == 0)
		buf_puts(out, "native");
	else if (f->square)
		buf_printf(out, "%u", f->height);
	else
		buf_printf(out, "%ux%u", f->height, f->width);
}

/* As in librosa, win_length is n_fft unless it is set. */
static int set_n_fft(void *obj, const char *value)
{
	struct view_config *v = obj;
	uint64_t n;

	if (text_parse_uint(value, 2, MFCC_N_FFT_MAX, &n))
		return -EINVAL;
	v->mfcc.n_fft = (uint32_t)n;
	if (!v->win_length_set)
		v->mfcc.win_length = (uint32_t)n;
	return 0;
}

static int set_win_length(void *obj, const char *value)
{
	struct view_config *v = obj;
	uint64_t n;

	if (text_parse_uint(value, 1, MFCC_N_FFT_MAX, &n))
		return -EINVAL;
	v->mfcc.win_length = (uint32_t)n;
	v->win_length_set = true;
	return 0;
}

static void print_win_length(const void *obj, struct buf *out)
{
	buf_printf(out, "%u", ((const struct view_config *)obj)->mfcc.win_length);
}

static void print_n_fft(const void *obj, struct buf *out)
{
	buf_printf(out, "%u", ((const struct view_config *)obj)->mfcc.n_fft);
}

/* ---- the table ------------------------------------------------------------------ */

#define AT(member) .offset = offsetof(struct view_config, member)
#define LATER(key_name, views) { .name = key_name, .kind = KEY_LATER, .where = views }

static const struct key table[] = {
	{ .name = "match", .kind = KEY_LIST, .where = ANY, AT(match), .nonempty = true, .check = is_glob,
	  .accepts = "patterns of object names such as *.mp4, with blanks between them and without /" },

	{ .name = "num_frames", .kind = KEY_CUSTOM, .where = FRAMES, .set = set_num_frames,
	  .print = print_num_frames,
	  .accepts = "a whole number from 1 to 65536, or (with sampling = uniform) all" },
	{ .name = "sampling", .kind = KEY_CUSTOM, .where = FRAMES, .set = set_sampling,
	  .print = print_sampling, .later = samplings_later,
	  .accepts = "uniform, linspace or keyframes (with num_frames = all: uniform)" },
	{ .name = "size", .kind = KEY_CUSTOM, .where = FRAMES, .set = set_size, .print = print_size,
	  .accepts = "N or HEIGHTxWIDTH with sides from 1 to 16384 pixels, or native" },
	{ .name = "resize", .kind = KEY_CHOICE, .where = FRAMES, AT(frames.resize), .choices = resize_names },

	{ .name = "preset", .kind = KEY_CHOICE, .where = MFCC, AT(mfcc.preset), .choices = preset_names,
	  .later = presets_later },
	{ .name = "sr", .kind = KEY_UINT, .where = MFCC, AT(mfcc.sr), .min = MFCC_SR_MIN, .max = MFCC_SR_MAX },
	{ .name = "n_mfcc", .kind = KEY_UINT, .where = MFCC, AT(mfcc.n_mfcc), .min = 1, .max = MFCC_N_MELS_MAX },
	{ .name = "n_fft", .kind = KEY_CUSTOM, .where = MFCC, .set = set_n_fft, .print = print_n_fft,
	  .accepts = "a whole number from 2 to 65536" },
	{ .name = "win_length", .kind = KEY_CUSTOM, .where = MFCC, .set = set_win_length,
	  .print = print_win_length, .accepts = "a whole number from 1 to 65536" },
	{ .name = "hop_length", .kind = KEY_UINT, .where = MFCC, AT(mfcc.hop_length), .min = 1,
	  .max = MFCC_HOP_MAX },
	{ .name = "n_mels", .kind = KEY_UINT, .where = MFCC, AT(mfcc.n_mels), .min = 1, .max = MFCC_N_MELS_MAX },
	{ .name = "fmin", .kind = KEY_REAL, .where = MFCC, AT(mfcc.fmin), .max = MFCC_SR_MAX / 2 },
	{ .name = "fmax", .kind = KEY_REAL, .where = MFCC, AT(mfcc.fmax), .max = MFCC_SR_MAX / 2,
	  .accepts = "a number of Hz up to half of sr, or 0 for half of sr" },
	{ .name = "top_db", .kind = KEY_REAL, .where = MFCC, AT(mfcc.top_db), .max = 1000, .word = "none",
	  .word_value = -1 },
	{ .name = "lifter", .kind = KEY_REAL, .where = MFCC, AT(mfcc.lifter), .max = 100000 },
	{ .name = "channel", .kind = KEY_INT, .where = MFCC, AT(mfcc.channel), .max = CHANNELS_MAX - 1,
	  .word = "mean", .word_value = -1 },
	{ .name = "duration", .kind = KEY_REAL, .where = MFCC, AT(mfcc.duration), .min = 0.001,
	  .max = DURATION_MAX, .word = "full" },

	{ .name = "frames", .kind = KEY_STRING, .where = SAMPLES, AT(frames_view), .check = view_name_ok,
	  .nonempty = true, .accepts = "the name of a view of type frames" },
	{ .name = "mfcc", .kind = KEY_STRING, .where = SAMPLES, AT(mfcc_view), .check = view_name_ok,
	  .nonempty = true, .accepts = "the name of a view of type mfcc" },
	{ .name = "path", .kind = KEY_STRING, .where = SAMPLES, AT(path), .check = is_label_path,
	  .accepts = "directories with {label} and perhaps {split} or * among them, ending in **, such as "
	             "{split}/{label}/**" },
	{ .name = "audio", .kind = KEY_STRING, .where = SAMPLES, AT(audio), .check = is_audio_pattern,
	  .accepts = "a key with {dir} and {stem} in it that ends in .*, such as {dir}/{stem}.*" },
	{ .name = "streams", .kind = KEY_CHOICE, .where = SAMPLES, AT(streams), .choices = streams_names,
	  .later = streams_later },
	{ .name = "missing", .kind = KEY_CHOICE, .where = SAMPLES, AT(missing), .choices = missing_names,
	  .later = missing_later },
	{ .name = "split_names", .kind = KEY_LIST, .where = SAMPLES, AT(split_names),
	  .check = is_directory_name, .accepts = "names of directories with blanks between them" },

	LATER("span", FRAMES | MFCC | SAMPLES),
	LATER("position", FRAMES | MFCC | SAMPLES),
	LATER("start", FRAMES | MFCC | SAMPLES),
	LATER("seed", FRAMES | MFCC | SAMPLES),
	LATER("epoch", FRAMES | MFCC | SAMPLES),
	LATER("jitter", FRAMES | SAMPLES),
	LATER("clips", FRAMES | MFCC | SAMPLES),
	LATER("segment", FRAMES | MFCC | SAMPLES),
	LATER("stride", FRAMES | MFCC | SAMPLES),
	LATER("tolerance", FRAMES),
	LATER("fps", FRAMES),
	LATER("layout", FRAMES),
	LATER("dtype", FRAMES),
	LATER("mean", FRAMES),
	LATER("std", FRAMES),
	LATER("on_error", FRAMES | MFCC | SAMPLES),
	LATER("manifest", SAMPLES),
	LATER("where", SAMPLES),
	LATER("select", SAMPLES),
	LATER("classes", SAMPLES),
	LATER("split", SAMPLES),
	LATER("weights", SAMPLES),
};

const struct keys view_keys = { table, sizeof(table) / sizeof(table[0]) };
