#include "store/dir_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/stats.h"
#include "base/text.h"
#include "base/vec.h"
#include "store/beneath.h"

#define NO_MEMORY "out of memory while listing a folder"

/* A directory on the way down, to know a link that leads back up. */
struct level {
	const struct level *up;
	struct stat st;
};

/* The names of one directory, those of directories with their '/'. */
struct names {
	char **v;
	size_t n, alloc;
};

/* One page being made. */
struct walk {
	struct beneath *folder;
	int64_t opened_ns;
	bool guarded;                  /* a mount of ours lies below: what may be one is looked at */
	const struct store_list *l;
	struct stats *stats;
	char *why;
	struct store_entry *entries;
	size_t n, alloc, max;
	bool full;                     /* there is more than the page holds */
	bool partial;                  /* a directory was left out */
	size_t len;                    /* of path */
	char path[OBJECT_KEY_MAX + 1]; /* where we are: "" or ending in '/' */
};

/* Times that nanoseconds don't reach (before 1677, after 2262) are the last that they do. */
static int64_t ns_of(struct timespec t)
{
	int64_t ns;

	if (__builtin_mul_overflow(t.tv_sec, INT64_C(1000000000), &ns) ||
	    __builtin_add_overflow(ns, t.tv_nsec, &ns))
		return t.tv_sec < 0 ? INT64_MIN + 1 : INT64_MAX;
	return ns;
}

int64_t dir_list_clock(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return ns_of(now);
}

void dir_list_version(const struct stat *st, int64_t opened_ns, struct object_meta *ret_meta)
{
	const uint64_t ctime_ns = (uint64_t)ns_of(st->st_ctim);
	char *etag = ret_meta->etag;
	size_t len;

	memset(ret_meta, 0, sizeof(*ret_meta));
	ret_meta->size = (uint64_t)st->st_size;
	ret_meta->mtime_ns = ns_of(st->st_mtim);
	snprintf(etag, sizeof(ret_meta->etag), "%" PRIx64 "-%" PRIx64 "-%" PRIx64, (uint64_t)st->st_ino, ret_meta->size,
	         (uint64_t)ret_meta->mtime_ns);
	len = strlen(etag);
	if (ret_meta->mtime_ns >= opened_ns)
		snprintf(etag + len, sizeof(ret_meta->etag) - len, "-%" PRIx64, ctime_ns);
}

static int no_memory(struct walk *w)
{
	snprintf(w->why, STORE_WHY_MAX, NO_MEMORY);
	return -ENOMEM;
}

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_dir_name(const char *name)
{
	return name[strlen(name) - 1] == '/';
}

/* Puts name behind the path; the caller has checked that it fits. */
static void push(struct walk *w, const char *name)
{
	size_t len = strlen(name);

	memcpy(w->path + w->len, name, len + 1);
	w->len += len;
}

static void pop(struct walk *w, size_t len)
{
	w->len = len;
	w->path[len] = '\0';
}

static bool leads_back(const struct level *level, const struct stat *st)
{
	for (; level; level = level->up) {
		if (level->st.st_dev == st->st_dev && level->st.st_ino == st->st_ino)
			return true;
	}
	return false;
}

/* What the entry at the path is: S_IFREG, S_IFDIR, or 0 for none of ours. */
static mode_t entry_kind(struct walk *w, const struct dirent *d, const struct level *level)
{
	struct stat st;
	int err;

	/* What is mounted over it, readdir doesn't tell. */
	if (d->d_type == DT_REG && !w->guarded)
		return S_IFREG;
	if (d->d_type == DT_DIR && !w->guarded)
		return S_IFDIR;
	if (d->d_type != DT_LNK && d->d_type != DT_UNKNOWN && d->d_type != DT_REG && d->d_type != DT_DIR)
		return 0;
	err = beneath_stat(w->folder, w->path, &st);
	if (err) {
		/* What there isn't, or what leads out, isn't listed; of what can't be told it isn't known. */
		w->partial |= err == -ENOMEM || err == -EIO || err == -ESTALE;
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return leads_back(level, &st) ? 0 : S_IFDIR;
	return st.st_mode & S_IFMT;
}

/* Is the name at the path of this page, or can names of this page lie below it? */
static bool is_wanted(const struct walk *w, bool is_dir)
{
	const char *token = w->l->token, *prefix = w->l->prefix;

	if (strncmp(w->path, prefix, strlen(prefix)) != 0)
		return false;
	if (!token || strcmp(w->path, token) > 0)
		return true;
	return is_dir && !w->l->delimiter && strncmp(token, w->path, w->len) == 0;
}

static int add_name(struct walk *w, const struct dirent *d, const struct level *level,
                    struct names *names)
{
	size_t base = w->len;
	size_t len = strlen(d->d_name);
	mode_t kind;
	int err = 0;

	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return 0;
	if (base + len > OBJECT_KEY_MAX || strchr(d->d_name, '\n')) {
		stats_add(w->stats, STAT_names_left_out, 1);
		return 0;
	}
	push(w, d->d_name);
	kind = entry_kind(w, d, level);
	if (kind == S_IFDIR && w->len < OBJECT_KEY_MAX)
		push(w, "/");
	else if (kind != S_IFREG)
		goto out;
	if (!is_wanted(w, kind == S_IFDIR))
		goto out;
	err = vec_grow(&names->v, names->n, &names->alloc, sizeof(names->v[0]));
	if (!err && !(names->v[names->n] = strdup(w->path + base)))
		err = -ENOMEM;
	if (!err)
		names->n++;
out:
	pop(w, base);
	return err;
}

/* Reads the directory open at fd (which it closes) into sorted names. */
static int read_names(struct walk *w, int fd, const struct level *level, struct names *ret_names)
{
	struct names names = { 0 };
	DIR *dir = fdopendir(fd);
	struct dirent *d;
	struct stat st;
	int err = 0;

	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (!err) {
		errno = 0;
		d = readdir(dir);
		if (!d) {
			err = errno ? beneath_errno(errno) : 0;
			break;
		}
		err = add_name(w, d, level, &names);
	}
	/* Of one that is removed meanwhile readdir(3) says that it has ended. */
	if (!err && fstat(dirfd(dir), &st) == 0 && st.st_nlink == 0)
		err = -ENOENT;
	closedir(dir);
	if (err) {
		names_done(&names);
		return err;
	}
	if (names.n)
		qsort(names.v, names.n, sizeof(names.v[0]), compare_names);
	*ret_names = names;
	return 0;
}

/* Adds the path to the page, or finds the page full. No meta: a prefix. */
static int emit(struct walk *w, const struct object_meta *meta)
{
	struct store_entry *e;

	if (w->n == w->max) {
		w->full = true;
		return 0;
	}
	if (vec_grow(&w->entries, w->n, &w->alloc, sizeof(w->entries[0])) < 0)
		return no_memory(w);
	e = &w->entries[w->n];
	*e = (struct store_entry){ .name = strdup(w->path), .is_prefix = !meta };
	if (!e->name)
		return no_memory(w);
	if (meta)
		e->meta = *meta;
	w->n++;
	return 0;
}

static int emit_file(struct walk *w)
{
	struct object_meta meta;
	struct stat st;

	/* Gone, or no file any more, since its directory was read. */
	if (beneath_stat(w->folder, w->path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	dir_list_version(&st, w->opened_ns, &meta);
	return emit(w, &meta);
}

static int emit_empty_dir(struct walk *w, const struct level *here)
{
	struct stat st = here->st;
	struct object_meta meta;

	/* The folder itself has no name; and names may only be missing because
	 * the prefix or the token leaves them out. */
	if (w->len == 0 || !is_wanted(w, false))
		return 0;
	st.st_size = 0;
	dir_list_version(&st, w->opened_ns, &meta);
	return emit(w, &meta);
}

static void explain(struct walk *w, int err)
{
	char shown[STORE_WHY_MAX - 64];

	text_sanitize(shown, sizeof(shown), w->path, w->len);
	snprintf(w->why, STORE_WHY_MAX, "the folder \"%s\" cannot be read: %s",
	         *shown ? shown : ".",
	         strerrordesc_np(-err));
}

static void explain_gone(struct walk *w)
{
	char shown[STORE_WHY_MAX - 64];

	text_sanitize(shown, sizeof(shown), w->l->prefix, strlen(w->l->prefix));
	snprintf(w->why, STORE_WHY_MAX, "the folder \"%s\" was removed while it was read", shown);
}

/* Opens the directory at the path and fills *ret_here. Returns a descriptor,
 * or -errno: -ENOENT also where it is one that we came through. */
static int enter(struct walk *w, int flags, const struct level *up, struct level *ret_here)
{
	int fd, err = 0;

	if (w->len)
		w->path[w->len - 1] = '\0';
	fd = beneath_open(w->folder, w->path, flags | O_DIRECTORY);
	if (w->len)
		w->path[w->len - 1] = '/';
	if (fd < 0)
		return fd;
	ret_here->up = up;
	if (fstat(fd, &ret_here->st) < 0)
		err = beneath_errno(errno);
	else if (leads_back(up, &ret_here->st))
		err = -ENOENT;
	if (err)
		close(fd);
	return err ? err : fd;
}

static int walk_dir(struct walk *w, const struct level *up);

/* A directory below that can't be read doesn't spoil the page. */
static int walk_subdir(struct walk *w, const struct level *up)
{
	int err = walk_dir(w, up);

	if (err == -ENOMEM)
		return err;
	if (err && err != -ENOENT) {
		explain(w, err);
		log_warn("%s; it is left out", w->why);
		w->partial = true;
	}
	return 0;
}

/* Lists the directory at the path. Recurses at most as deep as a key has
 * slashes. */
static int walk_dir(struct walk *w, const struct level *up)
{
	struct names names = { 0 };
	struct level here;
	size_t base = w->len;
	int err;
	int fd = enter(w, O_RDONLY, up, &here);

	if (fd < 0)
		return fd;
	err = read_names(w, fd, &here, &names);
	if (!err && names.n == 0)
		err = emit_empty_dir(w, &here);
	for (size_t i = 0; i < names.n && !err && !w->full; i++) {
		bool is_dir = is_dir_name(names.v[i]);

		push(w, names.v[i]);
		if (is_dir && !w->l->delimiter)
			err = walk_subdir(w, &here);
		else
			err = is_dir ? emit(w, NULL) : emit_file(w);
		pop(w, base);
	}
	names_done(&names);
	return err;
}

/* Goes down to the prefix's own directory, whose path has len bytes, and lists
 * it. */
static int walk_prefix(struct walk *w, size_t len, const struct level *up)
{
	const char *rest = w->l->prefix + w->len;
	size_t part = strcspn(rest, "/") + 1;
	struct level here;
	int fd;

	if (w->len == len)
		return walk_dir(w, up);
	fd = enter(w, O_PATH, up, &here);
	if (fd < 0)
		return fd;
	close(fd);
	memcpy(w->path + w->len, rest, part);
	pop(w, w->len + part);
	return walk_prefix(w, len, &here);
}

int dir_list_page(struct beneath *folder, int64_t opened_ns, const struct store_list *l, struct stats *stats, char *why,
                  struct store_page *ret_page)
{
	struct walk w = { .folder = folder, .opened_ns = opened_ns, .l = l, .stats = stats, .why = why };
	const char *slash = strrchr(l->prefix, '/');
	size_t dir_len = slash ? (size_t)(slash - l->prefix) : 0;
	int err = -ENOENT;

	w.guarded = mounts_below(&folder->mounts);
	w.max = l->max_keys && l->max_keys < DIR_LIST_PAGE ? l->max_keys : DIR_LIST_PAGE;
	if (!slash || (beneath_valid(l->prefix, dir_len) && dir_len < OBJECT_KEY_MAX))
		err = walk_prefix(&w, slash ? dir_len + 1 : 0, NULL);
	/* What went before it has been shown: this can't be the end of it. */
	if (err == -ENOENT && l->token)
		err = -ESTALE;
	if (err && err != -ENOENT) {
		struct store_page part = { .entries = w.entries, .n = w.n };

		if (err == -ESTALE)
			explain_gone(&w);
		else if (err != -ENOMEM)
			explain(&w, err);
		else
			no_memory(&w);
		dir_list_free(&part);
		return err;
	}
	ret_page->entries = w.entries;
	ret_page->n = w.n;
	ret_page->partial = w.partial;
	ret_page->next = w.full ? w.entries[w.n - 1].name : NULL;
	return 0;
}

void dir_list_free(struct store_page *page)
{
	for (size_t i = 0; i < page->n; i++)
		free((char *)page->entries[i].name);
	free((struct store_entry *)page->entries);
}
