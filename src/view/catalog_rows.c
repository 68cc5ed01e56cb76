#include "view/catalog_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

#define HEAP (2 * sizeof(void *))   /* malloc's own, each time */

/* Different texts in bytewise order. */
struct names {
	char **v;
	size_t n, room;
	size_t bytes;                /* of the texts, and what holds them */
};

/* text: key, version, and the rest of the sound's key, each with its NUL. */
struct packed {
	const char *text;
	uint64_t size;
	double start, end;
	uint32_t split, class;       /* numbers of names */
	uint16_t key_len, version_len;
	uint16_t audio_shared;       /* so many bytes the sound's key has in common with the key */
};

_Static_assert(sizeof(struct packed) == 48, "as the header says");
_Static_assert(OBJECT_KEY_MAX <= UINT16_MAX && OBJECT_ETAG_MAX <= UINT16_MAX, "lengths have 16 bits");

struct catalog_rows {
	struct packed *v;
	size_t n;
	char *text;
	struct names splits, labels;
};

/* ---- names ------------------------------------------------------------------------ */

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
}

static int names_add(struct names *names, const char *text, size_t len)
{
	/* Neighbours mostly share theirs. */
	if (names->n > 0 && strncmp(names->v[names->n - 1], text, len) == 0 && !names->v[names->n - 1][len])
		return 0;
	if (vec_grow(&names->v, names->n, &names->room, sizeof(*names->v)))
		return -ENOMEM;
	names->v[names->n] = strndup(text, len);
	if (!names->v[names->n])
		return -ENOMEM;
	names->n++;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts, and lets each stand once. */
static void names_sort(struct names *names)
{
	size_t kept = 0;

	if (names->n > 0)
		qsort(names->v, names->n, sizeof(*names->v), compare_names);
	for (size_t i = 0; i < names->n; i++) {
		if (kept > 0 && strcmp(names->v[kept - 1], names->v[i]) == 0)
			free(names->v[i]);
		else
			names->v[kept++] = names->v[i];
	}
	names->n = kept;
	names->bytes = names->room * sizeof(*names->v) + HEAP;
	for (size_t i = 0; i < kept; i++)
		names->bytes += strlen(names->v[i]) + 1 + HEAP;
}

/* Text with a length against a name. */
struct name_key {
	const char *text;
	size_t len;
};

static int compare_name(const void *key, const void *element)
{
	const struct name_key *k = key;
	const char *name = *(const char *const *)element;
	int order = strncmp(k->text, name, k->len);

	return order ? order : -(name[k->len] != '\0');
}

static int64_t names_find(const struct names *names, const char *text, size_t len)
{
	const struct name_key key = { text, len };
	char *const *found = NULL;

	if (names->n > 0)
		found = bsearch(&key, names->v, names->n, sizeof(*names->v), compare_name);
	return found ? found - names->v : -1;
}

/* ---- making -------------------------------------------------------------------------- */

static size_t shared_bytes(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

static size_t text_bytes(const struct catalog_row *row)
{
	return strlen(row->key) + strlen(row->version) + strlen(row->audio + shared_bytes(row->key, row->audio)) + 3;
}

struct measure {
	struct catalog_rows *rows;
	size_t n, text;
};

static int measure_row(void *arg, const struct catalog_row *row)
{
	struct measure *m = arg;
	int err = names_add(&m->rows->splits, row->split, row->split_len);

	if (!err)
		err = names_add(&m->rows->labels, row->label, row->label_len);
	m->n++;
	m->text += text_bytes(row);
	return err;
}

struct fill {
	struct catalog_rows *rows;
	size_t room;                 /* rows that were measured */
	char *at;                    /* where the next text goes */
};

static char *put(char *at, const char *text)
{
	size_t size = strlen(text) + 1;

	memcpy(at, text, size);
	return at + size;
}

static int fill_row(void *arg, const struct catalog_row *row)
{
	struct fill *f = arg;
	struct catalog_rows *r = f->rows;
	struct packed *p = &r->v[r->n];
	int64_t split = names_find(&r->splits, row->split, row->split_len);
	int64_t class = names_find(&r->labels, row->label, row->label_len);
	size_t shared = shared_bytes(row->key, row->audio);

	*p = (struct packed){
		.text = f->at,
		.size = row->size,
		.start = row->start,
		.end = row->end,
		.split = (uint32_t)split,
		.class = (uint32_t)class,
		.key_len = (uint16_t)strlen(row->key),
		.version_len = (uint16_t)strlen(row->version),
		.audio_shared = (uint16_t)shared,
	};
	f->at = put(put(put(f->at, row->key), row->version), row->audio + shared);
	r->n++;
	return 0;
}

int catalog_rows_new(const struct catalog_source *source, int (*room)(void *arg, size_t bytes), void *arg,
                     struct catalog_rows **ret_rows)
{
	struct catalog_rows *r = calloc(1, sizeof(*r));
	struct measure m = { .rows = r };
	struct fill f = { .rows = r };
	int err;

	if (!r)
		return -ENOMEM;
	err = source->each(source->of, measure_row, &m);
	names_sort(&r->splits);
	names_sort(&r->labels);
	if (!err)
		err = room(arg, m.n * sizeof(*r->v) + m.text + r->splits.bytes + r->labels.bytes);
	if (!err) {
		r->v = calloc(m.n ? m.n : 1, sizeof(*r->v));
		f.at = r->text = malloc(m.text ? m.text : 1);
		err = r->v && r->text ? source->each(source->of, fill_row, &f) : -ENOMEM;
	}
	if (err)
		catalog_rows_free(r);
	else
		*ret_rows = r;
	return err;
}

void catalog_rows_free(struct catalog_rows *r)
{
	if (!r)
		return;
	names_done(&r->splits);
	names_done(&r->labels);
	free(r->text);
	free(r->v);
	free(r);
}

/* ---- telling --------------------------------------------------------------------------- */

size_t catalog_rows_count(const struct catalog_rows *r)
{
	return r->n;
}

void catalog_rows_get(const struct catalog_rows *r, size_t i, char *audio, struct catalog_row *ret_row)
{
	const struct packed *p = &r->v[i];
	const char *version = p->text + p->key_len + 1, *rest = version + p->version_len + 1;

	memcpy(audio, p->text, p->audio_shared);
	memcpy(audio + p->audio_shared, rest, strlen(rest) + 1);
	*ret_row = (struct catalog_row){
		.key = p->text,
		.split = r->splits.v[p->split],
		.split_len = strlen(r->splits.v[p->split]),
		.label = r->labels.v[p->class],
		.label_len = strlen(r->labels.v[p->class]),
		.class = p->class,
		.audio = audio,
		.version = version,
		.size = p->size,
		.start = p->start,
		.end = p->end,
	};
}

size_t catalog_rows_classes(const struct catalog_rows *r)
{
	return r->labels.n;
}

const char *catalog_rows_label(const struct catalog_rows *r, size_t class)
{
	return r->labels.v[class];
}

int64_t catalog_rows_class(const struct catalog_rows *r, const char *label, size_t len)
{
	return names_find(&r->labels, label, len);
}
