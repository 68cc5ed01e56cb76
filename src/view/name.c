#include "view/name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

bool name_is_possible(const char *part, size_t len, const char *ending)
{
	if (len == 0 || len + strlen(ending) > NAME_BYTES_MAX)
		return false;
	if (part[0] == '.' && (len == 1 || (len == 2 && part[1] == '.')))
		return false;
	return memchr(part, '\n', len) == NULL;
}

char *name_to_key(const char *dir, const char *name, const char *ending, int *ret_err)
{
	size_t dir_len = strlen(dir), len = strlen(name), end_len = strlen(ending);
	char *key;

	*ret_err = -ENOENT;
	if (len <= end_len || strcmp(name + len - end_len, ending) != 0)
		return NULL;
	len -= end_len;
	if (!name_is_possible(name, len, ending))
		return NULL;
	key = malloc(dir_len + len + 1);
	if (!key) {
		*ret_err = -ENOMEM;
		return NULL;
	}
	memcpy(key, dir, dir_len);
	memcpy(key + dir_len, name, len);
	key[dir_len + len] = '\0';
	return key;
}

bool name_matches(char *const *globs, const char *key)
{
	for (; *globs; globs++)
		if (text_glob_basename(*globs, key))
			return true;
	return false;
}

bool name_is_hidden(const char *const *names, const char *key)
{
	size_t len = strcspn(key, "/");

	for (; names && *names; names++)
		if (strlen(*names) == len && memcmp(*names, key, len) == 0)
			return true;
	return false;
}

const char *name_base(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash ? slash + 1 : key;
}

static bool is_split_name(char *const *split_names, const char *part, size_t len)
{
	for (; split_names && *split_names; split_names++)
		if (strlen(*split_names) == len && memcmp(*split_names, part, len) == 0)
			return true;
	return false;
}

/* Without a pattern: the first directory that is no split name. */
static void classify_by_default(char *const *split_names, const char *key, struct name_class *ret)
{
	for (const char *part = key, *slash; (slash = strchr(part, '/')) != NULL; part = slash + 1) {
		size_t len = (size_t)(slash - part);

		if (!is_split_name(split_names, part, len)) {
			ret->label = part;
			ret->label_len = len;
			return;
		}
		ret->split = part;
		ret->split_len = len;
	}
}

bool name_classify(const char *pattern, char *const *split_names, const char *key, struct name_class *ret)
{
	*ret = (struct name_class){ .split = key, .label = key };
	if (!pattern) {
		classify_by_default(split_names, key, ret);
		return true;
	}
	for (;;) {
		const char *p_end = strchrnul(pattern, '/'), *k_end = strchr(key, '/');
		size_t p_len = (size_t)(p_end - pattern), k_len;

		if (p_len == 2 && memcmp(pattern, "**", 2) == 0)
			return true;
		if (!k_end)
			return *p_end == '\0' && p_len == 1 && *pattern == '*';
		k_len = (size_t)(k_end - key);
		if (p_len == 7 && memcmp(pattern, "{label}", 7) == 0) {
			ret->label = key;
			ret->label_len = k_len;
		} else if (p_len == 7 && memcmp(pattern, "{split}", 7) == 0) {
			ret->split = key;
			ret->split_len = k_len;
		} else if (!(p_len == 1 && *pattern == '*') &&
		           !(p_len == k_len && memcmp(pattern, key, p_len) == 0)) {
			return false;
		}
		if (*p_end == '\0')
			return false;
		pattern = p_end + 1;
		key = k_end + 1;
	}
}

/* {dir} and {stem} replaced, the last ".*" cut down to ".". */
char *name_audio_prefix(const char *pattern, const char *video_key)
{
	const char *base = name_base(video_key), *dot = strrchr(base, '.');
	size_t dir_len = base > video_key ? (size_t)(base - video_key) - 1 : 0;
	size_t stem_len = dot && dot > base ? (size_t)(dot - base) : strlen(base);
	size_t len = strlen(pattern), n = 0;
	char *out;

	if (len < 2 || strcmp(pattern + len - 2, ".*") != 0)
		return NULL;
	len -= 1;  /* keep the dot */
	out = malloc(len + (dir_len + stem_len) * (len / 5 + 1) + 1);
	if (!out)
		return NULL;
	for (size_t i = 0; i < len;) {
		if (strncmp(pattern + i, "{dir}", 5) == 0) {
			memcpy(out + n, video_key, dir_len);
			n += dir_len;
			i += 5;
			/* A video at the top has no directory, so no slash after it either. */
			if (dir_len == 0 && pattern[i] == '/')
				i++;
		} else if (strncmp(pattern + i, "{stem}", 6) == 0) {
			memcpy(out + n, base, stem_len);
			n += stem_len;
			i += 6;
		} else {
			out[n++] = pattern[i++];
		}
	}
	out[n] = '\0';
	return out;
}

bool name_is_audio_of(const char *audio_prefix, const char *key)
{
	size_t len = strlen(audio_prefix);

	return strncmp(key, audio_prefix, len) == 0 && key[len] != '\0' && !strpbrk(key + len, "./");
}
