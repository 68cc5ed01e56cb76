#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "data/samples_priv.h"
#include "format/csv.h"
#include "util/file.h"
#include "util/why.h"

#define INDEX_MAX ((size_t)4 << 30) /* bytes */

enum column { COLUMN_PATH, COLUMN_LABEL, COLUMN_CLASS, COLUMN_SPLIT, COLUMN_ETAG, COLUMN_N };

static const char *const column_names[COLUMN_N] = { "path", "label", "class", "split", "etag" };

struct index {
	struct samples *samples;
	struct why *why;
	const char *name;           /* of the file */
	size_t fields;              /* 0: the first row is to come */
	int column[COLUMN_N];       /* -1: there is none */
};

static int read_names(struct index *index, char *const *field, size_t n)
{
	for (int c = 0; c < COLUMN_N; c++) {
		index->column[c] = -1;
		for (size_t i = 0; i < n; i++) {
			if (strcmp(field[i], column_names[c]) == 0)
				index->column[c] = (int)i;
		}
	}
	if (index->column[COLUMN_PATH] < 0 || index->column[COLUMN_LABEL] < 0)
		return why_set(index->why, -EINVAL, "%s: its first line has to name the columns path and label",
		               index->name);
	index->fields = n;
	return 0;
}

static char *value(const struct index *index, char *const *field, enum column c)
{
	static char empty[] = "";

	return index->column[c] < 0 ? empty : field[index->column[c]];
}

static int read_line(void *arg, size_t line, char *const *field, size_t n)
{
	struct index *index = arg;
	struct sample s = { .class = CLASS_UNKNOWN };
	struct why reason;
	uint64_t class;
	int err;

	if (index->fields == 0)
		return read_names(index, field, n);
	if (n != index->fields)
		return why_set(index->why, -EINVAL, "%s:%zu: %zu fields, the first line has %zu",
		               index->name, line, n, index->fields);
	s.path = value(index, field, COLUMN_PATH);
	s.label = value(index, field, COLUMN_LABEL);
	s.split = value(index, field, COLUMN_SPLIT);
	s.etag = value(index, field, COLUMN_ETAG);
	if (index->column[COLUMN_CLASS] >= 0) {
		if (text_parse_uint(value(index, field, COLUMN_CLASS), 0, CLASSES_MAX - 1, &class))
			return why_set(index->why, -EINVAL, "%s:%zu: class = %.40s is no number below %u",
			               index->name, line, value(index, field, COLUMN_CLASS), CLASSES_MAX);
		s.class = (uint32_t)class;
	}
	err = samples_add(index->samples, &s, &reason);
	if (err == -EINVAL)
		return why_set(index->why, err, "%s:%zu: %.800s", index->name, line, reason.text);
	return err ? why_no_memory(index->why) : 0;
}

int samples_index(const char *folder, struct samples *s, struct why *why)
{
	struct index index = { .samples = s, .why = why };
	const char *sentence = NULL;
	struct buf text;
	char *name;
	size_t line;
	int err;

	if (asprintf(&name, "%s/index.csv", folder) < 0)
		return why_no_memory(why);
	buf_init(&text, INDEX_MAX);
	index.name = name;
	err = file_read(name, &text);
	if (err && err != -ENOENT)
		why_set(why, err, "%s: %s", name, strerror(-err));
	if (!err)
		err = csv_read(text.data ? text.data : "", text.len, read_line, &index, &line, &sentence);
	if (sentence)
		why_set(why, err, "%s:%zu: %s", name, line, sentence);
	else if (!err && index.fields == 0)
		err = why_set(why, -EINVAL, "%s: is empty", name);
	buf_done(&text);
	free(name);
	return err;
}
