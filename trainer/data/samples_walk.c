#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "data/samples_priv.h"
#include "util/file.h"
#include "util/why.h"

#define DEPTH_MAX 16        /* folders below DIR; also what ends a loop of links */
#define LABEL_MAX 1024      /* bytes of label.txt */

struct walk {
	const char *folder;
	struct samples *samples;
	struct why *why;
};

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* label.txt's text without the newline at its end. */
static int read_label(struct walk *w, const char *path, struct buf *label)
{
	char *name;
	int err;

	if (asprintf(&name, "%s/%s/label.txt", w->folder, path) < 0)
		return why_no_memory(w->why);
	err = file_read(name, label);
	if (err)
		why_set(w->why, err, "%s: %s", name,
		        err == -EMSGSIZE ? "is longer than any label" : strerror(-err));
	while (!err && label->len > 0 && strchr("\r\n", label->data[label->len - 1]))
		label->data[--label->len] = '\0';
	free(name);
	return err;
}

/* "train/ad/clip1" -> "train"; "" where nothing names a split. */
static const char *split_of(const char *path)
{
	static const char *const names[] = { "train", "training", "val", "valid", "validation",
	                                     "test", "testing" };
	size_t len = strcspn(path, "/");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == len && memcmp(names[i], path, len) == 0)
			return names[i];
	}
	return "";
}

static int add_sample(struct walk *w, const char *path)
{
	struct sample s = { .class = CLASS_UNKNOWN };
	struct why reason;
	struct buf label;
	int err;

	buf_init(&label, LABEL_MAX);
	err = read_label(w, path, &label);
	if (!err) {
		s.path = (char *)path;
		s.label = label.data ? label.data : (char[]){ "" };
		s.split = (char *)split_of(path);
		s.etag = (char[]){ "" };
		err = samples_add(w->samples, &s, &reason);
		if (err)
			why_set(w->why, err, "%.400s/%.400s: %.100s", w->folder, path, reason.text);
	}
	buf_done(&label);
	return err;
}

static bool has(struct dirent *const *entry, int n, const char *name)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(entry[i]->d_name, name) == 0)
			return true;
	}
	return false;
}

static int enter(struct walk *w, const char *path, unsigned depth);

/* What an entry of a folder is about: folders are entered. */
static int look_at(struct walk *w, const char *path, const struct dirent *entry, unsigned depth)
{
	struct stat st;
	char *below, *full = NULL;
	int err = 0;

	if (entry->d_type != DT_DIR && entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
		return 0;
	if (asprintf(&below, "%s%s%s", path, *path ? "/" : "", entry->d_name) < 0)
		return why_no_memory(w->why);
	if (asprintf(&full, "%s/%s", w->folder, below) < 0)
		err = why_no_memory(w->why);
	/* What has vanished in between, or leads nowhere, is no folder. */
	else if (stat(full, &st) == 0 && S_ISDIR(st.st_mode))
		err = enter(w, below, depth + 1);
	free(full);
	free(below);
	return err;
}

static int enter(struct walk *w, const char *path, unsigned depth)
{
	struct dirent **entry;
	char *full;
	int n, err = 0;

	if (depth > DEPTH_MAX)
		return why_set(w->why, -ELOOP, "%s/%s: more than %d folders deep", w->folder, path, DEPTH_MAX);
	if (asprintf(&full, "%s%s%s", w->folder, *path ? "/" : "", path) < 0)
		return why_no_memory(w->why);
	n = scandir(full, &entry, visible, by_bytes);
	if (n < 0) {
		err = why_set(w->why, -errno, "%s: %s", full, strerror(errno));
		goto free_name;
	}
	if (has(entry, n, "label.txt")) {
		err = add_sample(w, path);
	} else if (has(entry, n, "frames.npy") || has(entry, n, "mfcc.npy")) {
		err = why_set(w->why, -EINVAL, "%s: has arrays and no label.txt", full);
	} else {
		for (int i = 0; i < n && !err; i++)
			err = look_at(w, path, entry[i], depth);
	}
	for (int i = 0; i < n; i++)
		free(entry[i]);
	free(entry);
free_name:
	free(full);
	return err;
}

int samples_walk(const char *folder, struct samples *s, struct why *why)
{
	struct walk w = { folder, s, why };

	return enter(&w, "", 0);
}
