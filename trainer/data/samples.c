#include "data/samples.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "data/order.h"
#include "data/samples_priv.h"
#include "util/why.h"

#define HASHED_MAX ((size_t)8 << 30) /* bytes */

void samples_free(struct samples *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->sample[i].path);
		free(s->sample[i].label);
		free(s->sample[i].split);
		free(s->sample[i].etag);
	}
	for (uint32_t i = 0; i < s->n_classes && s->class; i++)
		free(s->class[i]);
	free(s->sample);
	free(s->class);
	free(s->train);
	free(s->val);
	free(s);
}

/* ---- adding -------------------------------------------------------------------------- */

/* Below DIR, and on one line where paths are listed. */
static bool path_ok(const char *path)
{
	if (!*path || *path == '/')
		return false;
	for (const char *p = path; *p; p++) {
		if (*p == '\n' || *p == '\r')
			return false;
		if ((p == path || p[-1] == '/') && p[0] == '.' && p[1] == '.' && (!p[2] || p[2] == '/'))
			return false;
	}
	return true;
}

static bool label_ok(const char *label)
{
	for (const unsigned char *p = (const unsigned char *)label; *p; p++) {
		if (*p < ' ' || *p == 0x7f)
			return false;
	}
	return *label;
}

int samples_add(struct samples *s, const struct sample *sample, struct why *why)
{
	struct sample *to;

	if (!path_ok(sample->path))
		return why_set(why, -EINVAL, "\"%.200s\" is no path below the data", sample->path);
	if (!label_ok(sample->label))
		return why_set(why, -EINVAL, "%.200s: the label is empty or has control characters",
		               sample->path);
	if (s->n == SAMPLES_MAX)
		return why_set(why, -EINVAL, "more than %u samples", SAMPLES_MAX);
	/* Grows at powers of two. */
	if ((s->n & (s->n - 1)) == 0) {
		to = reallocarray(s->sample, s->n ? s->n * 2 : 1, sizeof(*to));
		if (!to)
			return why_no_memory(why);
		s->sample = to;
	}
	to = &s->sample[s->n];
	*to = (struct sample){ .path = strdup(sample->path), .label = strdup(sample->label),
	                       .split = strdup(sample->split), .etag = strdup(sample->etag),
	                       .class = sample->class };
	s->n++;
	return to->path && to->label && to->split && to->etag ? 0 : why_no_memory(why);
}

/* ---- classes ------------------------------------------------------------------------- */

static int by_label(const void *a, const void *b)
{
	return strcmp((*(struct sample *const *)a)->label, (*(struct sample *const *)b)->label);
}

static int by_path(const void *a, const void *b)
{
	return strcmp((*(struct sample *const *)a)->path, (*(struct sample *const *)b)->path);
}

/* Pointers to all samples, sorted. NULL: no memory. */
static struct sample **sorted(struct samples *s, int (*order)(const void *, const void *))
{
	struct sample **list = calloc(s->n + 1, sizeof(*list));

	for (size_t i = 0; i < s->n && list; i++)
		list[i] = &s->sample[i];
	if (list)
		qsort(list, s->n, sizeof(*list), order);
	return list;
}

/* Gives samples without a number that of their label among all labels, and finds how
 * many classes there are. */
static int number_classes(struct samples *s, struct sample **by, struct why *why)
{
	uint32_t labels = 0, largest = 0;

	for (size_t i = 0; i < s->n; i++) {
		bool first = i == 0 || strcmp(by[i]->label, by[i - 1]->label) != 0;

		labels += first;
		if (by[i]->class == CLASS_UNKNOWN)
			by[i]->class = labels - 1;
		else if (!first && by[i]->class != by[i - 1]->class)
			return why_set(why, -EINVAL, "label \"%.100s\" is class %u and class %u", by[i]->label,
			               by[i - 1]->class, by[i]->class);
		if (by[i]->class > largest)
			largest = by[i]->class;
	}
	if (labels > CLASSES_MAX)
		return why_set(why, -EINVAL, "more than %u classes", CLASSES_MAX);
	if (labels < 2)
		return why_set(why, -EINVAL, "there is only one class, \"%.100s\": nothing to tell apart",
		               by[0]->label);
	s->n_classes = largest + 1;
	return 0;
}

static int name_classes(struct samples *s, struct sample **by, struct why *why)
{
	s->class = calloc(s->n_classes, sizeof(*s->class));
	if (!s->class)
		return why_no_memory(why);
	for (size_t i = 0; i < s->n; i++) {
		char **name = &s->class[by[i]->class];

		if (*name && strcmp(*name, by[i]->label) != 0)
			return why_set(why, -EINVAL, "class %u is \"%.100s\" and \"%.100s\"", by[i]->class, *name,
			               by[i]->label);
		if (!*name && !(*name = strdup(by[i]->label)))
			return why_no_memory(why);
	}
	for (uint32_t c = 0; c < s->n_classes; c++) {
		if (!s->class[c])
			return why_set(why, -EINVAL, "class %u has no samples: classes have to be 0 to %u", c,
			               s->n_classes - 1);
	}
	return 0;
}

static int find_classes(struct samples *s, struct why *why)
{
	struct sample **by = sorted(s, by_label);
	int err;

	if (!by)
		return why_no_memory(why);
	err = number_classes(s, by, why);
	if (!err)
		err = name_classes(s, by, why);
	free(by);
	return err;
}

static int find_twins(struct samples *s, struct why *why)
{
	struct sample **by = sorted(s, by_path);
	int err = 0;

	if (!by)
		return why_no_memory(why);
	for (size_t i = 1; i < s->n && !err; i++) {
		if (strcmp(by[i]->path, by[i - 1]->path) == 0)
			err = why_set(why, -EINVAL, "\"%.400s\" is there twice", by[i]->path);
	}
	free(by);
	return err;
}

/* ---- parts --------------------------------------------------------------------------- */

static bool is_any(const char *s, const char *const *list)
{
	for (; *list; list++) {
		if (strcmp(s, *list) == 0)
			return true;
	}
	return false;
}

static bool validates(const struct sample *s, const char *val_split)
{
	static const char *const names[] = { "val", "valid", "validation", NULL };

	return val_split ? strcmp(s->split, val_split) == 0 : is_any(s->split, names);
}

static bool trains(const struct sample *s, const char *val_split)
{
	static const char *const names[] = { "test", "testing", NULL };

	return !validates(s, val_split) && !is_any(s->split, names);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Moves a share of the training samples, drawn by the seed. At least one stays. */
static int take_share(struct samples *s, const struct samples_config *config)
{
	size_t n = (size_t)((double)s->n_train * config->val_share + 0.5);

	if (n == 0 || s->n_train < 2)
		return 0;
	if (n >= s->n_train)
		n = s->n_train - 1;
	if (order_sort(config->seed, PHILOX_SPLIT, 0, s->train, s->n_train))
		return -ENOMEM;
	s->n_train -= n;
	s->n_val = n;
	memcpy(s->val, s->train + s->n_train, n * sizeof(*s->val));
	qsort(s->train, s->n_train, sizeof(*s->train), by_number);
	qsort(s->val, s->n_val, sizeof(*s->val), by_number);
	return 0;
}

static int divide(struct samples *s, const struct samples_config *config, struct why *why)
{
	s->train = calloc(s->n, sizeof(*s->train));
	s->val = calloc(s->n, sizeof(*s->val));
	if (!s->train || !s->val)
		return why_no_memory(why);
	for (size_t i = 0; i < s->n; i++) {
		if (validates(&s->sample[i], config->val_split))
			s->val[s->n_val++] = (uint32_t)i;
		else if (trains(&s->sample[i], config->val_split))
			s->train[s->n_train++] = (uint32_t)i;
	}
	if (config->val_split && s->n_val == 0)
		return why_set(why, -EINVAL, "no sample has the split \"%.100s\"", config->val_split);
	if (s->n_val == 0 && take_share(s, config))
		return why_no_memory(why);
	return 0;
}

static int check_training(const struct samples *s, struct why *why)
{
	bool *there = calloc(s->n_classes, sizeof(*there));
	int err = 0;

	if (!there)
		return why_no_memory(why);
	for (size_t i = 0; i < s->n_train; i++)
		there[s->sample[s->train[i]].class] = true;
	for (uint32_t c = 0; c < s->n_classes && !err; c++) {
		if (!there[c])
			err = why_set(why, -EINVAL, "class \"%.200s\" has no training samples", s->class[c]);
	}
	free(there);
	return err;
}

static int hash(struct samples *s, struct why *why)
{
	struct buf text;
	int err;

	buf_init(&text, HASHED_MAX);
	for (size_t i = 0; i < s->n; i++) {
		const struct sample *p = &s->sample[i];

		/* The NULs keep fields apart. */
		buf_printf(&text, "%s%c%s%c%u%c%s%c%s%c", p->path, 0, p->label, 0, p->class, 0, p->split, 0,
		           p->etag, 0);
	}
	for (size_t i = 0; i < s->n_val; i++)
		buf_printf(&text, "%u ", s->val[i]);
	err = buf_error(&text);
	if (!err)
		err = sha256_hex(text.data, text.len, s->sha256);
	buf_done(&text);
	return err ? why_no_memory(why) : 0;
}

/* Below the root of a mount everything is there several times, and splits are a level too deep. */
static int check_root(const char *folder, struct why *why)
{
	char *path;
	int there;

	if (asprintf(&path, "%s/.s3samplefs", folder) < 0)
		return why_no_memory(why);
	there = access(path, F_OK) == 0;
	free(path);
	return there ? why_set(why, -EINVAL, "%.900s: is the root of a mount; the samples are in %.900s/"
	                       "samples", folder, folder) : 0;
}

int samples_load(const char *folder, const struct samples_config *config, struct samples **ret,
                 struct why *why)
{
	struct samples *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return why_no_memory(why);
	err = samples_index(folder, s, why);
	if (err == -ENOENT) {
		err = check_root(folder, why);
		if (!err)
			err = samples_walk(folder, s, why);
	}
	if (!err && s->n == 0)
		err = why_set(why, -EINVAL, "%s: there are no samples", folder);
	if (!err)
		err = find_twins(s, why);
	if (!err)
		err = find_classes(s, why);
	if (!err)
		err = divide(s, config, why);
	if (!err)
		err = check_training(s, why);
	if (!err)
		err = hash(s, why);
	if (err) {
		samples_free(s);
		return err;
	}
	*ret = s;
	return 0;
}
