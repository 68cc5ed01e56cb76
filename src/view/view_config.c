#include "view/view_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/keys.h"
#include "view/view_keys.h"
#include "view/view_priv.h"

#define LIST_KEYS_MAX 64   /* key=value in one name; a name has at most 255 bytes */

#define VIEW_KINDS_EXTERN(upper, lower) extern const struct view_kind view_kind_##lower;
VIEW_TYPES(VIEW_KINDS_EXTERN)
#undef VIEW_KINDS_EXTERN

static const struct view_kind *const kinds[] = {
#define VIEW_KINDS_ROW(upper, lower) [VIEW_##upper] = &view_kind_##lower,
	VIEW_TYPES(VIEW_KINDS_ROW)
#undef VIEW_KINDS_ROW
};

static const char *const types_later[] = { VIEW_TYPES_LATER };

const struct view_kind *view_kind(enum view_type type)
{
	return kinds[type];
}

int view_type_parse(const char *s, enum view_type *ret_type)
{
	for (size_t i = 0; i < VIEW_N_TYPES; i++) {
		if (strcmp(s, kinds[i]->name) == 0) {
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
	return kinds[type]->name;
}

const char *view_type_names(char *names)
{
	size_t len = 0;

	for (size_t i = 0; i < VIEW_N_TYPES && len < VIEW_NAMES_MAX; i++)
		len += (size_t)snprintf(names + len, VIEW_NAMES_MAX - len, "%s%s",
		                        i == 0 ? "" : i + 1 < VIEW_N_TYPES ? ", " : " or ", kinds[i]->name);
	return names;
}

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

bool view_is_glob(const char *s)
{
	return strchr(s, '/') == NULL;
}

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
	v->missing = MISSING_ERROR;
	err = view_config_set(v, "match", kinds[type]->match, why);
	for (const struct view_default *d = kinds[type]->defaults; d && d->key && !err; d++)
		err = view_config_set(v, d->key, d->value, why);
	if (err)
		view_config_done(v);
	return err;
}

void view_config_done(struct view_config *v)
{
	keys_done(&kinds[v->type]->keys, v);
}

int view_config_copy(struct view_config *dst, const struct view_config *src)
{
	*dst = *src;
	return keys_dup(&kinds[src->type]->keys, dst, src);
}

int view_config_set(struct view_config *v, const char *key, const char *value, char *why)
{
	return keys_set(&kinds[v->type]->keys, VIEW_KEY_HERE, v, key, value, why, VIEW_WHY_MAX);
}

int view_config_check(const struct view_config *v, char *why)
{
	const struct view_kind *k = kinds[v->type];
	int err = k->check ? k->check(v, why) : 0;

	for (unsigned i = 0; i < k->n_parts && !err; i++) {
		const struct view_kind *part = kinds[k->parts[i].type];

		err = part->check ? part->check(v, why) : 0;
	}
	return err;
}

bool view_config_part(const struct view_config *v, unsigned i, enum view_type *ret_type, const char **ret_key,
                      const char **ret_section)
{
	const struct view_kind *k = kinds[v->type];

	if (i >= k->n_parts)
		return false;
	*ret_type = k->parts[i].type;
	*ret_key = k->parts[i].key;
	*ret_section = *(const char *const *)((const char *)v + k->parts[i].section);
	return true;
}

void view_config_borrow(struct view_config *v, const struct view_config *from)
{
	kinds[from->type]->lend(v, from);
}

bool view_config_has_key(const char *key)
{
	for (size_t i = 0; i < VIEW_N_TYPES; i++)
		for (size_t j = 0; j < kinds[i]->keys.n; j++)
			if (strcmp(kinds[i]->keys.key[j].name, key) == 0)
				return true;
	return false;
}

/* Its own keys, then those of its parts, but not those that name other sections. */
static int set_key(struct view_config *v, const char *key, const char *value, char *why)
{
	const struct view_kind *k = kinds[v->type];
	char sentence[VIEW_WHY_MAX];
	int err;

	for (unsigned i = 0; i < k->n_parts; i++) {
		if (strcmp(key, k->parts[i].key) == 0) {
			snprintf(why, VIEW_WHY_MAX, "%s= belongs in the configuration file", key);
			return -EINVAL;
		}
	}
	err = view_config_set(v, key, value, why);
	for (unsigned i = 0; i < k->n_parts && err == -ENOENT; i++) {
		err = keys_set(&kinds[k->parts[i].type]->keys, VIEW_KEY_HERE, v, key, value, sentence,
		               sizeof(sentence));
		if (err && err != -ENOENT)
			memcpy(why, sentence, sizeof(sentence));
	}
	return err;
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
	return set_key(v, key, equals + 1, why);
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
	keys_print(&kinds[v->type]->keys, VIEW_KEY_HERE, v, out);
}
