#include "base/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"

#define LIST_MAX 256        /* parts of one list */
#define SHOWN_MAX 80        /* bytes of a wrong value that are told back */
#define DISTANCE_NAME_MAX 32u

/* obj is known to be suitably aligned: offsets come from offsetof. */
static void *field(void *obj, const struct key *k)
{
	return (char *)obj + k->offset;
}

static const void *field_const(const void *obj, const struct key *k)
{
	return (const char *)obj + k->offset;
}

static const struct key *find(const struct keys *keys, unsigned where, const char *name)
{
	for (size_t i = 0; i < keys->n; i++) {
		if ((keys->key[i].where & where) && strcmp(keys->key[i].name, name) == 0)
			return &keys->key[i];
	}
	return NULL;
}

static bool is_one_of(const char *value, const char *const *list)
{
	for (; list && *list; list++) {
		if (strcmp(value, *list) == 0)
			return true;
	}
	return false;
}

static int refuse(const struct key *k, const char *value, char *why, size_t why_size)
{
	char shown[SHOWN_MAX + 1];
	struct buf out;

	buf_init(&out, why_size - 1);
	text_mask_userinfo(shown, sizeof(shown), value ? value : "");
	if (k->secret || !value)
		buf_printf(&out, "%s: must be ", k->name);
	else
		buf_printf(&out, "%s = %s: must be ", k->name, shown);
	key_describe(k, &out);
	snprintf(why, why_size, "%s", out.data ? out.data : k->name);
	buf_done(&out);
	return -EINVAL;
}

/* A line that would be longer than why is cut: the list of all keys is long. */
static int no_such_key(const struct keys *keys, unsigned where, const char *name, char *why,
                       size_t why_size)
{
	const char *closest = keys_closest(keys, where, name);
	const char *at = strrchr(name, '@');
	char shown[SHOWN_MAX + 1];
	struct buf out;
	const char *sep = "";

	buf_init(&out, 16384);
	/* It may be what stands behind a comma in somebody's password. */
	snprintf(shown, sizeof(shown), "%s%s", at ? "***" : "", at ? at : name);
	buf_printf(&out, "%s: no such key", shown);
	if (closest)
		buf_printf(&out, " (did you mean %s?)", closest);
	buf_puts(&out, "; there are: ");
	for (size_t i = 0; i < keys->n; i++) {
		if (!(keys->key[i].where & where) || keys->key[i].kind == KEY_LATER)
			continue;
		buf_printf(&out, "%s%s", sep, keys->key[i].name);
		sep = " ";
	}
	snprintf(why, why_size, "%s", buf_error(&out) ? shown : out.data);
	buf_done(&out);
	return -ENOENT;
}

/* ---- setting ---------------------------------------------------------------- */

static int set_string(const struct key *k, void *at, const char *value)
{
	char *copy = NULL;

	if ((!*value && k->nonempty) || (*value && k->check && !k->check(value)) ||
	    (*value && k->choices && !is_one_of(value, k->choices)))
		return -EINVAL;
	if (*value) {
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
	}
	free(*(char **)at);
	*(char **)at = copy;
	return 0;
}

static int split_list(const struct key *k, const char *value, char ***ret_list)
{
	static const char blanks[] = " \t";
	char **list = calloc(LIST_MAX + 1, sizeof(*list));
	size_t n = 0;
	int err = -ENOMEM;

	if (!list)
		return -ENOMEM;
	for (value += strspn(value, blanks); *value; value += strspn(value, blanks)) {
		size_t len = strcspn(value, blanks);

		if (n == LIST_MAX) {
			err = -EINVAL;
			goto fail;
		}
		list[n] = strndup(value, len);
		if (!list[n])
			goto fail;
		if (k->check && !k->check(list[n])) {
			err = -EINVAL;
			goto fail;
		}
		n++;
		value += len;
	}
	if (n == 0 && k->nonempty) {
		err = -EINVAL;
		goto fail;
	}
	*ret_list = list;
	return 0;

fail:
	text_list_free(list);
	return err;
}

static int set_list(const struct key *k, void *at, const char *value)
{
	char **list;
	int err = split_list(k, value, &list);

	if (err)
		return err;
	text_list_free(*(char ***)at);
	*(char ***)at = list;
	return 0;
}

/* Whole numbers up to 2^53 pass through a double unharmed. */
static int parse_number(const struct key *k, const char *value, double *ret)
{
	uint64_t u;
	int err;

	if (k->word && strcmp(value, k->word) == 0) {
		*ret = k->word_value;
		return 0;
	}
	switch (k->kind) {
	case KEY_REAL:
		err = text_parse_double(value, ret);
		return err || *ret < k->min || *ret > k->max ? -EINVAL : 0;
	case KEY_SIZE:
		err = text_parse_size(value, &u);
		break;
	case KEY_DURATION:
		err = text_parse_duration_ms(value, &u);
		break;
	default:
		err = text_parse_uint(value, 0, UINT32_MAX, &u);
		break;
	}
	if (err || (double)u < k->min || (double)u > k->max)
		return -EINVAL;
	*ret = (double)u;
	return 0;
}

static int set_number(const struct key *k, void *at, const char *value)
{
	double number;
	int err = parse_number(k, value, &number);

	if (err)
		return err;
	switch (k->kind) {
	case KEY_REAL:
		*(double *)at = number;
		break;
	case KEY_INT:
		*(int32_t *)at = (int32_t)number;
		break;
	case KEY_UINT:
		*(uint32_t *)at = (uint32_t)number;
		break;
	default:
		/* A word may be UINT64_MAX, which no double is. */
		*(uint64_t *)at = number >= 0x1p64 ? UINT64_MAX : (uint64_t)number;
		break;
	}
	return 0;
}

static int set_bool(void *at, const char *value)
{
	return value ? text_parse_bool(value, at) : (*(bool *)at = true, 0);
}

static int set_choice(const struct key *k, void *at, const char *value)
{
	for (uint32_t i = 0; k->choices[i]; i++) {
		if (strcmp(value, k->choices[i]) == 0) {
			*(uint32_t *)at = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set(const struct key *k, void *obj, const char *value)
{
	void *at = field(obj, k);

	if (k->kind == KEY_BOOL)
		return set_bool(at, value);
	if (!value)
		return -EINVAL;
	switch (k->kind) {
	case KEY_STRING:
		return set_string(k, at, value);
	case KEY_LIST:
		return set_list(k, at, value);
	case KEY_CHOICE:
		return set_choice(k, at, value);
	case KEY_CUSTOM:
		return k->set(obj, value);
	default:
		return set_number(k, at, value);
	}
}

int keys_set(const struct keys *keys, unsigned where, void *obj, const char *key, const char *value,
             char *why, size_t why_size)
{
	const struct key *k = find(keys, where, key);
	int err;

	if (!k)
		return no_such_key(keys, where, key, why, why_size);
	if (k->kind == KEY_LATER) {
		snprintf(why, why_size, "%s is not supported yet", k->name);
		return -EINVAL;
	}
	if (value && is_one_of(value, k->later)) {
		snprintf(why, why_size, "%s = %s is not supported yet", k->name, value);
		return -EINVAL;
	}
	err = set(k, obj, value);
	if (err == -EINVAL)
		return refuse(k, value, why, why_size);
	if (err)
		snprintf(why, why_size, "out of memory");
	return err;
}

/* ---- ownership -------------------------------------------------------------- */

/* Makes dst's strings and lists NULL without freeing: they are src's. */
static void disown(const struct keys *keys, void *dst)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (keys->key[i].kind == KEY_STRING)
			*(char **)field(dst, &keys->key[i]) = NULL;
		else if (keys->key[i].kind == KEY_LIST)
			*(char ***)field(dst, &keys->key[i]) = NULL;
	}
}

int keys_dup(const struct keys *keys, void *dst, const void *src)
{
	disown(keys, dst);
	for (size_t i = 0; i < keys->n; i++) {
		const struct key *k = &keys->key[i];
		bool failed = false;

		if (k->kind == KEY_STRING) {
			const char *s = *(char *const *)field_const(src, k);

			failed = s && !(*(char **)field(dst, k) = strdup(s));
		} else if (k->kind == KEY_LIST) {
			char *const *list = *(char **const *)field_const(src, k);

			failed = list && !(*(char ***)field(dst, k) = text_list_dup(list));
		}
		if (failed) {
			keys_done(keys, dst);
			return -ENOMEM;
		}
	}
	return 0;
}

void keys_done(const struct keys *keys, void *obj)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (keys->key[i].kind == KEY_STRING)
			free(*(char **)field(obj, &keys->key[i]));
		else if (keys->key[i].kind == KEY_LIST)
			text_list_free(*(char ***)field(obj, &keys->key[i]));
	}
	disown(keys, obj);
}

/* ---- suggestions ------------------------------------------------------------ */

/* Levenshtein's distance, one row at a time; b is at most DISTANCE_NAME_MAX. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[DISTANCE_NAME_MAX + 1];
	unsigned len = (unsigned)strlen(b);

	for (unsigned j = 0; j <= len; j++)
		row[j] = j;
	for (unsigned i = 1; *a; i++, a++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= len; j++) {
			unsigned change = diagonal + (*a != b[j - 1]);
			unsigned best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = change < best ? change : best;
		}
	}
	return row[len];
}

const char *keys_closest(const struct keys *keys, unsigned where, const char *name)
{
	unsigned best = (unsigned)strnlen(name, DISTANCE_NAME_MAX) / 3 + 1;
	const char *closest = NULL;

	if (strlen(name) > DISTANCE_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < keys->n; i++) {
		const struct key *k = &keys->key[i];
		unsigned d;

		if (!(k->where & where) || k->kind == KEY_LATER || strlen(k->name) > DISTANCE_NAME_MAX)
			continue;
		d = distance(name, k->name);
		if (d <= best && (!closest || d < best)) {
			best = d;
			closest = k->name;
		}
	}
	return closest;
}
