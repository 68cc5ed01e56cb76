/* dir:PATH - a local folder as a bucket. Every disk access runs on a thread of
 * the queue, never on the caller's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "base/blob.h"
#include "base/stats.h"
#include "base/text.h"
#include "base/workq.h"
#include "store/beneath.h"
#include "store/dir_list.h"
#include "store/store.h"

#define THREADS 8
#define CLOSING "the folder is being closed"

/* One operation; the kinds below begin with it. run is called exactly once,
 * and frees it; err is not 0 when the operation must not be tried. */
struct op {
	struct op *prev, *next;
	struct dir_store *dir;
	void (*run)(struct op *op, int err);
};

struct dir_store {
	struct store store; /* first */
	struct beneath folder;
	int64_t opened_ns;     /* when that was, as files are dated */
	struct workq *queue;
	_Atomic bool closing;
	pthread_mutex_t lock;

	/* under lock: one run_next is queued for every operation here */
	struct op *demand, *ahead;
	unsigned turn;
};

struct head_op {
	struct op op; /* first */
	store_head_fn *done;
	void *arg;
	char key[];
};

struct list_op {
	struct op op; /* first */
	struct store_list l;
	store_list_fn *done;
	void *arg;
	char strings[]; /* prefix, token */
};

struct get_op {
	struct op op; /* first */
	struct object_meta version;
	uint64_t off;
	size_t len;
	store_get_fn *done;
	void *arg;
	char key[];
};

/* Runs the operation that is due, which need not be the one that was queued
 * with this task: those somebody waits for overtake those read ahead. */
static void run_next(void *arg)
{
	struct dir_store *dir = arg;
	struct op *op;

	pthread_mutex_lock(&dir->lock);
	/* Every eighth goes to what is read ahead: somebody may have come to need it. */
	op = dir->ahead && dir->turn++ % 8 == 7 ? NULL : dir->demand;
	if (op) {
		DL_DELETE(dir->demand, op);
	} else {
		op = dir->ahead;
		DL_DELETE(dir->ahead, op);
	}
	pthread_mutex_unlock(&dir->lock);
	op->run(op, atomic_load(&dir->closing) ? -ECANCELED : 0);
}

static void start(struct dir_store *dir, struct op *op, void (*run)(struct op *op, int err),
                  enum store_prio prio)
{
	int err;

	op->dir = dir;
	op->run = run;
	pthread_mutex_lock(&dir->lock);
	err = workq_submit(dir->queue, run_next, dir);
	if (!err) {
		if (prio == STORE_DEMAND)
			DL_APPEND(dir->demand, op);
		else
			DL_APPEND(dir->ahead, op);
	}
	pthread_mutex_unlock(&dir->lock);
	if (err)
		run(op, err == -ESHUTDOWN ? -ECANCELED : err);
}

/* A sentence for why[STORE_WHY_MAX]; returns it. */
static const char *explain(char *why, const char *key, int err)
{
	char shown[STORE_WHY_MAX - 80];

	text_sanitize(shown, sizeof(shown), key, strlen(key));
	if (err == -ECANCELED)
		snprintf(why, STORE_WHY_MAX, CLOSING);
	else if (err == -ESTALE)
		snprintf(why, STORE_WHY_MAX, "the file \"%s\" was changed", shown);
	else
		snprintf(why, STORE_WHY_MAX, "the file \"%s\" cannot be read: %s", shown,
		         strerrordesc_np(-err));
	return why;
}

static int head_file(struct dir_store *dir, const char *key, struct object_meta *ret_meta)
{
	struct stat st;
	int err;

	if (!beneath_valid(key, strlen(key)))
		return -ENOENT;
	err = beneath_stat(&dir->folder, key, &st);
	if (err)
		return err;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	dir_list_version(&st, dir->opened_ns, ret_meta);
	return 0;
}

static void run_head(struct op *op, int err)
{
	struct head_op *h = (struct head_op *)op;
	struct object_meta meta;
	char why[STORE_WHY_MAX];

	if (!err)
		err = head_file(op->dir, h->key, &meta);
	if (err)
		h->done(h->arg, err, explain(why, h->key, err), NULL);
	else
		h->done(h->arg, 0, NULL, &meta);
	free(h);
}

static void dir_head(struct store *s, const char *key, store_head_fn *done, void *arg)
{
	size_t size = strlen(key) + 1;
	struct head_op *h = malloc(sizeof(*h) + size);

	if (!h) {
		done(arg, -ENOMEM, "out of memory", NULL);
		return;
	}
	h->done = done;
	h->arg = arg;
	memcpy(h->key, key, size);
	start((struct dir_store *)s, &h->op, run_head, STORE_DEMAND);
}

static void run_list(struct op *op, int err)
{
	struct list_op *l = (struct list_op *)op;
	struct store_page page;
	char why[STORE_WHY_MAX];

	if (err)
		snprintf(why, sizeof(why), "%s", err == -ECANCELED ? CLOSING : "out of memory");
	else
		err = dir_list_page(&op->dir->folder, op->dir->opened_ns, &l->l, op->dir->store.stats, why, &page);
	if (err) {
		l->done(l->arg, err, why, NULL);
	} else {
		l->done(l->arg, 0, NULL, &page);
		dir_list_free(&page);
	}
	free(l);
}

static void dir_list(struct store *s, const struct store_list *l, store_list_fn *done, void *arg)
{
	size_t prefix_size = strlen(l->prefix) + 1;
	size_t token_size = l->token ? strlen(l->token) + 1 : 0;
	struct list_op *op = malloc(sizeof(*op) + prefix_size + token_size);

	if (!op) {
		done(arg, -ENOMEM, "out of memory", NULL);
		return;
	}
	op->l = *l;
	op->l.prefix = memcpy(op->strings, l->prefix, prefix_size);
	if (l->token)
		op->l.token = memcpy(op->strings + prefix_size, l->token, token_size);
	op->done = done;
	op->arg = arg;
	start((struct dir_store *)s, &op->op, run_list, STORE_DEMAND);
}

/* 0 while the file open at fd is the version asked for, else -ESTALE. */
static int check_version(const struct dir_store *dir, int fd, const struct object_meta *version)
{
	struct object_meta now;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return beneath_errno(errno);
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	dir_list_version(&st, dir->opened_ns, &now);
	return strcmp(now.etag, version->etag) == 0 ? 0 : -ESTALE;
}

static int read_all(int fd, uint8_t *data, size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pread(fd, data, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return beneath_errno(errno);
		if (n == 0)
			return -ESTALE; /* cut off since we looked */
		data += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

static int get_range(struct dir_store *dir, const struct get_op *g, struct blob **ret_body)
{
	struct blob *body = NULL;
	int fd, err;

	if (!beneath_valid(g->key, strlen(g->key)))
		return -ENOENT;
	fd = beneath_open(&dir->folder, g->key, O_RDONLY);
	if (fd < 0)
		return fd;
	err = check_version(dir, fd, &g->version);
	if (err)
		goto out;
	body = blob_new(g->len);
	err = body ? read_all(fd, blob_writable(body), g->len, g->off) : -ENOMEM;
	/* Bytes written while we read belong to another version. */
	if (!err)
		err = check_version(dir, fd, &g->version);
out:
	close(fd);
	if (err)
		blob_unref(body);
	else
		*ret_body = body;
	return err;
}

static void run_get(struct op *op, int err)
{
	struct get_op *g = (struct get_op *)op;
	struct blob *body = NULL;
	char why[STORE_WHY_MAX];

	if (!err) {
		stats_add(op->dir->store.stats, STAT_dir_reads, 1);
		err = get_range(op->dir, g, &body);
	}
	if (err) {
		g->done(g->arg, err, explain(why, g->key, err), NULL);
	} else {
		stats_add(op->dir->store.stats, STAT_dir_bytes, (int64_t)g->len);
		g->done(g->arg, 0, NULL, body);
		blob_unref(body);
	}
	free(g);
}

static void dir_get(struct store *s, const char *key, const struct object_meta *version,
                    uint64_t off, size_t len,
                    enum store_prio prio, store_get_fn *done, void *arg)
{
	size_t size = strlen(key) + 1;
	struct get_op *g;

	if (len == 0 || len > STORE_GET_MAX || off > version->size || len > version->size - off) {
		done(arg, -EINVAL, "a range outside of the file", NULL);
		return;
	}
	g = malloc(sizeof(*g) + size);
	if (!g) {
		done(arg, -ENOMEM, "out of memory", NULL);
		return;
	}
	g->version = *version;
	g->off = off;
	g->len = len;
	g->done = done;
	g->arg = arg;
	memcpy(g->key, key, size);
	start((struct dir_store *)s, &g->op, run_get, prio);
}

static bool is_empty(struct beneath *folder)
{
	int fd = beneath_open(folder, "", O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	do
		e = readdir(d);
	while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	closedir(d);
	return !e;
}

static int dir_check(struct store *s, char *why)
{
	struct dir_store *dir = (struct dir_store *)s;
	struct stat st;
	int fd, err;

	if (fstat(dir->folder.root, &st) < 0 || st.st_nlink == 0) {
		snprintf(why, STORE_WHY_MAX, "the folder was removed");
		return -ENOENT;
	}
	fd = beneath_open(&dir->folder, "", O_RDONLY | O_DIRECTORY);
	err = fd < 0 ? fd : 0;
	if (fd >= 0)
		close(fd);
	if (err == -EACCES || (!err && faccessat(dir->folder.root, ".", X_OK, AT_EACCESS) < 0)) {
		snprintf(why, STORE_WHY_MAX, "the folder may not be read: permission denied");
		return -EACCES;
	}
	if (err)
		snprintf(why, STORE_WHY_MAX, "the folder cannot be read: %s",
		         strerrordesc_np(-err));
	if (err || !is_empty(&dir->folder))
		return err;
	snprintf(why, STORE_WHY_MAX, "the folder is empty");
	return 1;
}

/* What a thread is reading already is soon over, and ends as it does. */
static void dir_cancel(struct store *s)
{
	atomic_store(&((struct dir_store *)s)->closing, true);
}

static void dir_free(struct store *s)
{
	struct dir_store *dir = (struct dir_store *)s;

	dir_cancel(s);
	workq_free(dir->queue);
	beneath_done(&dir->folder);
	pthread_mutex_destroy(&dir->lock);
	free(dir);
}

static const struct store_ops dir_ops = {
	.head = dir_head,
	.list = dir_list,
	.get = dir_get,
	.check = dir_check,
	.free = dir_free,
	.cancel = dir_cancel,
};

static int open_root(const char *path, char *why)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? errno : 0;
	char shown[STORE_WHY_MAX - 80];

	if (!err)
		return fd;
	text_sanitize(shown, sizeof(shown), path, strlen(path));
	if (err == ENOENT)
		snprintf(why, STORE_WHY_MAX, "%s: there is no such folder", shown);
	else if (err == ENOTDIR)
		snprintf(why, STORE_WHY_MAX, "%s: this is not a folder", shown);
	else
		snprintf(why, STORE_WHY_MAX, "%s: the folder cannot be opened: %s", shown,
		         strerrordesc_np(err));
	return beneath_errno(err);
}

int store_dir_open(const char *path, struct stats *stats, char *why, struct store **ret_store)
{
	struct dir_store *dir;
	int root = open_root(path, why);

	if (root < 0)
		return root;
	dir = calloc(1, sizeof(*dir));
	if (!dir)
		goto no_memory;
	dir->opened_ns = dir_list_clock();
	dir->queue = workq_new("dir", THREADS);
	if (!dir->queue)
		goto no_memory;
	pthread_mutex_init(&dir->lock, NULL);
	dir->store.ops = &dir_ops;
	dir->store.stats = stats;
	beneath_init(&dir->folder, root);
	*ret_store = &dir->store;
	return 0;
no_memory:
	free(dir);
	close(root);
	snprintf(why, STORE_WHY_MAX, "no memory for the threads that read the folder");
	return -ENOMEM;
}
