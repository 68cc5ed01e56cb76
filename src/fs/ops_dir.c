/* ops_dir.c - reading directories.
 *
 * One request at a time works on a handle. The kernel reads a directory in
 * order; a request for an earlier place (rewinddir, seekdir) reads it again
 * from the start. Where the size of a file isn't known without a probe, the
 * entry carries no inode, so that `ls` probes nothing. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ref.h"
#include "base/vec.h"
#include "fs/fs_priv.h"

#define FIRST 2u   /* place of the first entry after "." and ".." */

struct dir {
	struct opened opened;      /* first: it is cast back */
	struct ref refs;
	struct inode *inode;

	pthread_mutex_t lock;
	struct fs_op *active;         /* lock; works on what follows */
	struct fs_op *waiting;        /* lock; came while one was at work */

	/* The active request's: */
	struct view_dir *view_dir; /* INODE_NODE */
	uint64_t next;             /* place of the entry that comes next */
	char *name;                /* that entry, if it has been taken already */
	struct node *node;
};

static void dir_unref(struct dir *d)
{
	if (!d || !ref_drop(&d->refs))
		return;
	view_dir_close(d->view_dir);
	node_unref(d->node);
	free(d->name);
	inode_unref(d->inode);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static void dir_close(struct opened *o)
{
	dir_unref((struct dir *)(void *)o);
}

/* It never waits: no op. */
void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fsys *fs = fuse_req_userdata(req);
	struct inode *i = inodes_by_id(fs->inodes, ino);
	struct dir *d = i ? calloc(1, sizeof(*d)) : NULL;

	if (!d) {
		fuse_reply_err(req, i ? ENOMEM : ESTALE);
		inode_unref(i);
		return;
	}
	ref_init(&d->refs);
	pthread_mutex_init(&d->lock, NULL);
	d->inode = i;
	fi->fh = (uintptr_t)d;
	d->opened.close = dir_close;
	opened_add(fs, &d->opened);        /* before the reply: a release may follow at once */
	if (fuse_reply_open(req, fi) != 0) {
		opened_remove(fs, &d->opened);
		dir_unref(d);
	}
}

void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir *d = (struct dir *)(uintptr_t)fi->fh;

	(void)ino;
	opened_remove(fuse_req_userdata(req), &d->opened);
	dir_unref(d);
	fuse_reply_err(req, 0);
}

/* The i-th name of a directory that doesn't come from the bucket; NULL: none. */
static const char *fixed_name(const struct fsys *fs, const struct inode *dir, uint64_t i)
{
	if (dir->kind == INODE_CONTROL_DIR) {
		const struct control_file *f = i < INT_MAX ? control_file((int)i) : NULL;

		return f ? f->name : NULL;
	}
	if (i == 0)
		return CONTROL_DIR;
	return i - 1 < views_count(fs->views) ? view_name(views_at(fs->views, i - 1)) : NULL;
}

static struct inode *fixed_inode(struct fsys *fs, const struct inode *dir, uint64_t i, const char *name)
{
	struct inode *found;
	struct node *n;

	if (dir->kind == INODE_CONTROL_DIR)
		return inodes_control(fs->inodes, INODE_CONTROL, (int)i, dir, name);
	if (i == 0)
		return inodes_control(fs->inodes, INODE_CONTROL_DIR, 0, dir, name);
	n = view_root(views_at(fs->views, i - 1));
	found = n ? inodes_node(fs->inodes, dir, name, n) : NULL;
	node_unref(n);
	return found;
}

/* Makes the next entry of the view present in d->name, d->node: 1; 0 at the end; -EAGAIN, -ENOMEM. */
static int take_entry(struct dir *d)
{
	struct view_entry e;
	int got;

	if (d->name)
		return 1;
	if (!d->view_dir) {
		d->view_dir = view_dir_open(d->inode->node);
		if (!d->view_dir)
			return -ENOMEM;
	}
	got = view_dir_next(d->view_dir, &e);
	if (got != 1)
		return got;
	d->name = e.name;
	d->node = e.node;
	return 1;
}

static void drop_entry(struct dir *d)
{
	free(d->name);
	node_unref(d->node);
	d->name = NULL;
	d->node = NULL;
	d->next++;
}

struct reply {
	struct fs_op *op;
	char *buf;
	size_t used;
	bool plus;
	uint64_t *ids;             /* of the inodes counted up for the kernel */
	size_t n_ids, room;
};

/* Room for one more id. False: no memory; the entry goes without an inode. */
static bool reply_has_room(struct reply *r)
{
	return vec_grow(&r->ids, r->n_ids, &r->room, sizeof(*r->ids)) == 0;
}

/* Sends the reply, or, where nobody waits for it any more, takes the counts back. */
static void reply_send(struct reply *r)
{
	struct fs_op *op = r->op;
	bool told = false;

	if (op_claim(op)) {
		fuse_req_interrupt_func(op->req, NULL, NULL);
		told = fuse_reply_buf(op->req, r->buf, r->used) == 0;
	}
	for (size_t i = 0; i < r->n_ids && !told; i++)
		inodes_forget(op->fs->inodes, r->ids[i], 1);
	op_free(op);
}

/* readdir(3) takes ENOENT for the end of a directory, and an incomplete listing would look like
 * a complete one. */
static void fail_listing(struct fs_op *op, int err, const char *why)
{
	op_fail(op, err == -ENOENT ? -ESTALE : err, why);
}

static void reply_drop(struct reply *r, int err)
{
	for (size_t i = 0; i < r->n_ids; i++)
		inodes_forget(r->op->fs->inodes, r->ids[i], 1);
	fail_listing(r->op, err, "not enough memory");
}

/* Adds one entry. i: its inode, counted up for the kernel, or NULL: then attr
 * tells number and type. False: no room (the count is given back). */
static bool reply_add(struct reply *r, const char *name, struct inode *i, const struct stat *attr, uint64_t place)
{
	struct fsys *fs = r->op->fs;
	size_t room = r->op->size - r->used, need;
	struct fuse_entry_param e = { .attr = *attr };

	if (r->plus) {
		if (i)
			fs_entry(fs, i, &e);
		need = fuse_add_direntry_plus(r->op->req, r->buf + r->used, room, name, &e, (off_t)place + 1);
	} else {
		need = fuse_add_direntry(r->op->req, r->buf + r->used, room, name, attr, (off_t)place + 1);
	}
	if (i && (need > room || !r->plus))
		inodes_forget(fs->inodes, i->id, 1);
	else if (i)
		r->ids[r->n_ids++] = i->id;
	if (need > room)
		return false;
	r->used += need;
	return true;
}

static bool add_dots(struct reply *r, struct dir *d)
{
	static const char *const dots[] = { ".", ".." };
	const char *slash = strrchr(d->inode->path, '/');
	char *parent = strndup(d->inode->path, slash ? (size_t)(slash - d->inode->path) : 0);
	bool room = true;

	while (d->next < FIRST && room) {
		const char *path = d->next == 0 || !parent ? d->inode->path : parent;
		const struct stat attr = { .st_ino = inode_number(path), .st_mode = S_IFDIR };

		room = reply_add(r, dots[d->next], NULL, &attr, d->next);
		d->next += room;
	}
	free(parent);
	return room;
}

/* 1: added; 0: no room in the reply; -ENOMEM. */
static int add_fixed(struct reply *r, struct dir *d, const char *name)
{
	struct fsys *fs = r->op->fs;
	struct inode *i = reply_has_room(r) ? fixed_inode(fs, d->inode, d->next - FIRST, name) : NULL;
	struct stat attr;
	bool room;

	if (!i)
		return -ENOMEM;
	inodes_attr(fs->inodes, i, &attr);
	room = reply_add(r, name, i, &attr, d->next);
	inode_unref(i);
	d->next += room;
	return room;
}

/* The same. */
static int add_node(struct reply *r, struct dir *d)
{
	struct fsys *fs = r->op->fs;
	struct inode *i = NULL;
	struct stat attr;
	char *path;
	bool room;

	if (asprintf(&path, "%s/%s", d->inode->path, d->name) < 0)
		return -ENOMEM;
	inodes_node_attr(fs->inodes, path, d->node, &attr);
	free(path);
	/* A page may be older than what a look-up has found since. Where the share of
	 * memory is used up, a listing hands out no inodes: the kernel would keep them. */
	if (r->plus && d->node->size_known && node_is_current(d->node) && reply_has_room(r) &&
	    !inodes_full(fs->inodes))
		i = inodes_node(fs->inodes, d->inode, d->name, d->node);
	room = reply_add(r, d->name, i, &attr, d->next);
	inode_unref(i);
	if (room)
		drop_entry(d);
	return room;
}

/* Goes to the place asked for. 1: there; 0: the end comes before; -EAGAIN, -ENOMEM. */
static int go_to(struct dir *d, uint64_t place)
{
	if (place < d->next) {
		view_dir_close(d->view_dir);
		d->view_dir = NULL;
		if (d->name)
			drop_entry(d);
		d->next = 0;
	}
	if (d->inode->kind != INODE_NODE || place <= FIRST) {
		d->next = place;
		return 1;
	}
	if (d->next < FIRST)
		d->next = FIRST;
	while (d->next < place) {
		int got = take_entry(d);
		if (got != 1)
			return got;
		drop_entry(d);
	}
	return 1;
}

/* Fills the reply. 0: it is to be sent; -EAGAIN: a page must be loaded first; -ENOMEM. */
static int fill(struct reply *r, struct dir *d)
{
	const char *name;
	int got = go_to(d, r->op->off), added = 1;

	if (got != 1)
		return got;
	if (d->next < FIRST && !add_dots(r, d))
		return 0;
	if (d->inode->kind != INODE_NODE) {
		while (added == 1 && (name = fixed_name(r->op->fs, d->inode, d->next - FIRST)) != NULL)
			added = add_fixed(r, d, name);
		got = 0;
	} else {
		while (added == 1 && (got = take_entry(d)) == 1)
			added = add_node(r, d);
	}
	if (added == 0)
		return 0;
	/* What there is goes out; the next request waits for the page, or tells of the
	 * failure. An empty reply would be the end of the directory. */
	got = added < 0 ? added : got;
	return got < 0 && r->used > 0 ? 0 : got;
}

static void loaded(void *arg, int err, const char *why);

/* The active request is answered: the waiting one's turn. Drops the reference
 * that the answered one held; false: nobody waits, d is the caller's no more. */
static bool next_waiting(struct dir *d)
{
	bool more;

	pthread_mutex_lock(&d->lock);
	d->active = d->waiting;
	d->waiting = NULL;
	more = d->active != NULL;
	pthread_mutex_unlock(&d->lock);
	dir_unref(d);
	return more;
}

/* Works on d->active until it is answered or a page has to come. Consumes one
 * reference to d. */
static void run(struct dir *d)
{
	for (;;) {
		struct fs_op *op = d->active;
		struct reply r = { .op = op, .plus = op->state != NULL };
		int err = -ENOMEM;

		if (atomic_load(&op->claim) != OP_UNCLAIMED) {
			op_free(op);  /* interrupted: takes no entries away */
		} else {
			r.buf = malloc(op->size);
			if (r.buf)
				err = fill(&r, d);
			if (err == -EAGAIN) {
				free(r.ids);
				free(r.buf);
				view_dir_load(d->view_dir, loaded, d);
				return;
			}
			if (err)
				reply_drop(&r, err);
			else
				reply_send(&r);
			free(r.ids);
			free(r.buf);
		}
		if (!next_waiting(d))
			return;
	}
}

static void loaded(void *arg, int err, const char *why)
{
	struct dir *d = arg;

	if (err) {
		struct fs_op *failed = d->active;

		fail_listing(failed, err, why);
		if (!next_waiting(d))
			return;
	}
	run(d);
}

static void read_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi, bool plus)
{
	struct dir *d = (struct dir *)(uintptr_t)fi->fh;
	struct fs_op *op = op_new(req, ino, true), *displaced = NULL;
	bool mine;

	if (!op)
		return;
	op->off = (uint64_t)off;
	op->size = size;
	op->state = plus ? d : NULL;
	ref_take(&d->refs);
	pthread_mutex_lock(&d->lock);
	mine = d->active == NULL;
	if (mine) {
		d->active = op;
	} else {
		displaced = d->waiting;
		d->waiting = op;
	}
	pthread_mutex_unlock(&d->lock);
	if (displaced) {
		/* Two more readers of one handle than there can be: the older was interrupted. */
		op_fail(displaced, -EINTR, "interrupted");
		dir_unref(d);
	}
	if (mine)
		run(d);
}

void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_dir(req, ino, size, off, fi, false);
}

void fs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_dir(req, ino, size, off, fi, true);
}
