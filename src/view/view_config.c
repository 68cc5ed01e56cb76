#include "view/view_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/keys.h"
#include "view/view_keys.h"

#define LIST_KEYS_MAX 64   /* key=value in one name; a name has at most 255 bytes */

#define VIDEO_GLOBS \
	"*.mp4 *.m4v *.mov *.mkv *.webm *.avi *.ts *.m2ts *.mts *.mpg *.mpeg *.wmv *.flv *.3gp *.ogv"
#define AUDIO_GLOBS \
	"*.wav *.mp3 *.m4a *.aac *.flac *.ogg *.oga *.opus *.wma *.aif *.aiff *.au *.mka *.ac3 *.amr"

static const struct {
	const char *name;
	const char *match;
} types[] = {
	[VIEW_RAW] = { "raw", "*" },
	[VIEW_FRAMES] = { "frames", VIDEO_GLOBS },
	[VIEW_MFCC] = { "mfcc", AUDIO_GLOBS " " VIDEO_GLOBS },
	[VIEW_INFO] = { "info", AUDIO_GLOBS " " VIDEO_GLOBS },
	[VIEW_SAMPLES] = { "samples", VIDEO_GLOBS },
};

static const char *const types_later[] = { "images", "sheet", "wav" };

int view_type_parse(const char *s, enum view_type *ret_type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(s, types[i].name) == 0) {
			*ret_type = (enum view_type)i;
			return 0;
		}
	}
	for (size_t i = 0; i < sizeof(types_later) / sizeof(types_later[0]); i++) {
		if (strcmp(s, types_later[i]) == 0)
			return -ENOSYS;
	}
	return -EINVAL;
}

const char *view_type_name(enum view_type type)
{
	return types[type].name;
}

static const struct {
	const char *key, *value;
} samples_defaults[] = {
	{ "frames", "frames" },
	{ "mfcc", "mfcc" },
	{ "audio", "{dir}/{stem}.*" },
	{ "split_names", "train val valid validation test" },
};

int view_config_init(struct view_config *v, enum view_type type, const char *name)
{
	char why[VIEW_WHY_MAX];
	int err;

	if (!view_name_ok(name))
		return -EINVAL;
	memset(v, 0, sizeof(*v));
	memcpy(v->name, name, strlen(name) + 1);
	v->type = type;
	v->frames = spec_frames_default;
	v->mfcc = *spec_mfcc_default(MFCC_LIBROSA);
	err = view_config_set(v, "match", types[type].match, why);
	for (size_t i = 0; type == VIEW_SAMPLES && !err && i < sizeof(samples_defaults) / sizeof(samples_defaults[0]); i++)
		err = view_config_set(v, samples_defaults[i].key, samples_defaults[i].value, why);
	if (err)
		view_config_done(v);
	return err;
}

void view_config_done(struct view_config *v)
{
	keys_done(&view_keys, v);
}

int view_config_copy(struct view_config *dst, const struct view_config *src)
{
	*dst = *src;
	return keys_dup(&view_keys, dst, src);
}

int view_config_set(struct view_config *v, const char *key, const char *value, char *why)
{
	return keys_set(&view_keys, 1u << v->type, v, key, value, why, VIEW_WHY_MAX);
}

/* view_config_set keeps single values in their ranges; a spec made by hand may not. */
static int check_frames(const struct frames_spec *f, char *why)
{
	const struct spec s = spec_frames(f);

	return spec_check(&s, why);
}

static int check_mfcc(const struct mfcc_spec *m, char *why)
{
	const struct spec s = spec_mfcc(m);

	return spec_check(&s, why);
}

int view_config_check(const struct view_config *v, char *why)
{
	switch (v->type) {
	case VIEW_FRAMES:
		return check_frames(&v->frames, why);
	case VIEW_MFCC:
		return check_mfcc(&v->mfcc, why);
	case VIEW_SAMPLES:
		return check_frames(&v->frames, why) ? -EINVAL : check_mfcc(&v->mfcc, why);
	case VIEW_RAW:
	case VIEW_INFO:
		break;
	}
	return 0;
}

/* A samples view shows frames and MFCC with parameters of their own. */
static unsigned where_in_list(const struct view_config *v)
{
	return v->type == VIEW_SAMPLES ? 1u << VIEW_SAMPLES | 1u << VIEW_FRAMES | 1u << VIEW_MFCC : 1u << v->type;
}

static int set_item(struct view_config *v, const char *item, char *why)
{
	const char *equals = strchr(item, '=');
	char key[64];

	if (!equals || (size_t)(equals - item) >= sizeof(key)) {
		snprintf(why, VIEW_WHY_MAX, "'%.100s' is not of the form key=value", item);
		return -EINVAL;
	}
	memcpy(key, item, (size_t)(equals - item));
	key[equals - item] = '\0';
	if (v->type == VIEW_SAMPLES && (strcmp(key, "frames") == 0 || strcmp(key, "mfcc") == 0)) {
		snprintf(why, VIEW_WHY_MAX, "%s= belongs in the configuration file", key);
		return -EINVAL;
	}
	return keys_set(&view_keys, where_in_list(v), v, key, equals + 1, why, VIEW_WHY_MAX);
}

/* What a key accepts may depend on one that stands behind it (num_frames = all, sampling =
 * uniform): those that were refused are tried again as long as others weren't. */
int view_config_set_list(struct view_config *v, const char *list, char *why)
{
	char *copy = strdup(list), *rest = copy, *item;
	char *refused[LIST_KEYS_MAX];
	size_t n = 0, before;
	int err = copy ? 0 : -ENOMEM;

	for (item = strsep(&rest, ","); item && copy && n < LIST_KEYS_MAX; item = strsep(&rest, ","))
		refused[n++] = item;
	if (item) {
		snprintf(why, VIEW_WHY_MAX, "more than %d keys", LIST_KEYS_MAX);
		err = -EINVAL;
	}
	do {
		size_t left = 0;
		char sentence[VIEW_WHY_MAX];

		before = n;
		for (size_t i = 0; i < before && err != -ENOMEM; i++) {
			int failed = set_item(v, refused[i], left ? sentence : why);

			if (failed)
				refused[left++] = refused[i];
			if (failed == -ENOMEM)
				err = -ENOMEM;
		}
		n = left;
	} while (n > 0 && n < before && !err);
	free(copy);
	if (n > 0 && !err)
		err = -EINVAL;
	return err ? err : view_config_check(v, why);
}

void view_config_print(const struct view_config *v, struct buf *out)
{
	buf_printf(out, "type = %s\n", view_type_name(v->type));
	keys_print(&view_keys, 1u << v->type, v, out);
}
