/* ops_file.c - look-ups and files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/log.h"
#include "fs/fs_priv.h"

#define CONTROL_MAX ((size_t)4 << 20)  /* bytes of a control file */
#define FOREVER 1e6                    /* seconds; attributes of one version never change */
#define IOV_MOST 512u                  /* parts of one reply; beyond it they are copied together */

static double seconds(uint64_t ms)
{
	return ms / 1000 > FOREVER ? FOREVER : (double)ms / 1000;
}

void fs_entry(const struct fsys *fs, const struct inode *i, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){ .ino = i->id, .attr_timeout = FOREVER, .entry_timeout = FOREVER };
	inodes_attr(fs->inodes, i, &ret->attr);
	if (i->kind == INODE_CONTROL) {
		ret->attr.st_mode = S_IFREG | control_mode(i->control);
		ret->attr_timeout = 0;
	}
	if (i->kind != INODE_NODE)
		return;
	if (i->node->err)
		ret->attr_timeout = 0;
	if (!i->node->is_dir || i->node->path[0])
		ret->entry_timeout = seconds(i->node->ttl_ms);
}

/* Answers with an inode; the kernel's count is given back if the kernel doesn't
 * hear of it. */
static void reply_inode(struct fs_op *op, struct inode *i)
{
	struct fsys *fs = op->fs;
	struct fuse_entry_param e;
	bool told = false;

	if (!i) {
		op_fail(op, -ENOMEM, "not enough memory for an inode");
		return;
	}
	fs_entry(fs, i, &e);
	if (op_claim(op)) {
		fuse_req_interrupt_func(op->req, NULL, NULL);
		told = fuse_reply_entry(op->req, &e) == 0;
	}
	if (!told)
		inodes_forget(fs->inodes, i->id, 1);
	inode_unref(i);
	op_free(op);
	if (inodes_full(fs->inodes))
		keeper_tell_full(fs->keeper);
}

/* A name that isn't there: worth remembering in the kernel for ttl_ms. */
static void reply_absent(struct fs_op *op, uint64_t ttl_ms)
{
	const struct fuse_entry_param e = { .ino = 0, .entry_timeout = seconds(ttl_ms) };

	if (op_claim(op)) {
		fuse_req_interrupt_func(op->req, NULL, NULL);
		if (ttl_ms > 0)
			fuse_reply_entry(op->req, &e);
		else
			fuse_reply_err(op->req, ENOENT);
	}
	op_free(op);
}

static void lookup_answer(void *arg, int err, const char *why, struct node *n, uint64_t ttl_ms)
{
	struct fs_op *op = arg;
	struct inode *i;

	if (err == -ENOENT) {
		reply_absent(op, ttl_ms);
		return;
	}
	if (err) {
		op_fail(op, err, why);
		return;
	}
	i = inodes_node(op->fs->inodes, op->inode, op->name, n);
	if (i && n->err)
		inodes_set_why(op->fs->inodes, i, n->why ? n->why : "");
	reply_inode(op, i);
}

static void lookup_in_root(struct fs_op *op)
{
	struct fsys *fs = op->fs;
	char why[VIEW_WHY_MAX];
	struct view *v;
	struct node *n;

	if (strcmp(op->name, CONTROL_DIR) == 0) {
		reply_inode(op, inodes_control(fs->inodes, INODE_CONTROL_DIR, 0, op->inode, op->name));
		return;
	}
	v = views_find(fs->views, op->name, why);
	if (!v) {
		if (why[0] && failures_add(fs->failures, op->name, ENOENT, why))
			log_warn("%s: %s", op->name, why);
		reply_absent(op, 0);
		return;
	}
	n = view_root(v);
	view_unref(v);
	reply_inode(op, n ? inodes_node(fs->inodes, op->inode, op->name, n) : NULL);
	node_unref(n);
}

void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs_op *op = op_new(req, parent, true);
	int control;

	if (!op)
		return;
	stats_add(op->fs->stats, STAT_fuse_lookups, 1);
	op->name = strdup(name);
	if (!op->name) {
		op_fail(op, -ENOMEM, "not enough memory");
		return;
	}
	switch (op->inode->kind) {
	case INODE_ROOT:
		lookup_in_root(op);
		break;
	case INODE_CONTROL_DIR:
		control = control_find(name);
		if (control < 0)
			reply_absent(op, 0);
		else
			reply_inode(op, inodes_control(op->fs->inodes, INODE_CONTROL, control, op->inode, name));
		break;
	case INODE_NODE:
		view_lookup(op->inode->node, name, &op->wanted, lookup_answer, op);
		break;
	case INODE_CONTROL:
		op_fail(op, -ENOTDIR, "not a directory");
	}
}

static void handle_unref(struct handle *h)
{
	if (!h || !ref_drop(&h->refs))
		return;
	view_close(h->file);
	blob_unref(h->text);
	inode_unref(h->inode);
	free(h);
}

static void handle_close(struct opened *o)
{
	handle_unref((struct handle *)(void *)o);
}

static int open_control(struct fsys *fs, struct handle *h)
{
	const struct control_file *f = control_file(h->inode->control);
	struct buf text;

	buf_init(&text, CONTROL_MAX);
	if (f->read)
		f->read(fs, &text);
	/* Cut at the cap rather than refused. */
	h->text = blob_copy(text.len ? text.data : "", text.len);
	buf_done(&text);
	return h->text ? 0 : -ENOMEM;
}

/* 0, or -errno with *ret_why. */
static int open_content(struct fsys *fs, struct handle *h, const char **ret_why)
{
	struct inode *i = h->inode;

	*ret_why = "not enough memory";
	if (i->kind == INODE_CONTROL)
		return open_control(fs, h);
	if (i->kind != INODE_NODE || i->node->is_dir) {
		*ret_why = "a directory";
		return -EISDIR;
	}
	if (i->node->err) {
		*ret_why = i->node->why ? i->node->why : "";
		return i->node->err;
	}
	if (inodes_superseded(fs->inodes, i) || !node_is_current(i->node)) {
		inodes_supersede(fs->inodes, i);
		*ret_why = "the object has been replaced since";
		return -ESTALE;
	}
	inodes_opened(fs->inodes, i);
	h->file = view_open(i->node);
	return h->file ? 0 : -ENOMEM;
}

/* Takes the reference to i, also on failure. */
static int handle_new(struct fsys *fs, struct inode *i, struct handle **ret_handle, const char **ret_why)
{
	struct handle *h = calloc(1, sizeof(*h));
	int err;

	if (!h) {
		*ret_why = "not enough memory";
		inode_unref(i);
		return -ENOMEM;
	}
	ref_init(&h->refs);
	h->opened.close = handle_close;
	h->inode = i;
	err = open_content(fs, h, ret_why);
	if (err)
		handle_unref(h);
	else
		*ret_handle = h;
	return err;
}

static bool is_writable(const struct inode *i)
{
	return i->kind == INODE_CONTROL && control_file(i->control)->write;
}

/* It never waits: no op. */
void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fsys *fs = fuse_req_userdata(req);
	const bool writes = (fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC;
	struct inode *i;
	struct handle *h;
	const char *why;
	int err;

	if (atomic_load(&fs->stopping)) {
		fuse_reply_err(req, EIO);
		return;
	}
	i = inodes_by_id(fs->inodes, ino);
	if (!i || (writes && !is_writable(i))) {
		fuse_reply_err(req, i ? EROFS : ESTALE);
		inode_unref(i);
		return;
	}
	ref_take(&i->refs);
	err = handle_new(fs, i, &h, &why);
	/* Upon ESTALE the kernel looks the path up again and opens what is there now: no failure yet. */
	if (err && err != -ESTALE)
		failure_note(fs, i, NULL, err, why);
	inode_unref(i);
	if (err) {
		fuse_reply_err(req, errno_for_user(err));
		return;
	}
	fi->fh = (uintptr_t)h;
	fi->direct_io = h->text != NULL;
	fi->keep_cache = h->text == NULL;  /* pages belong to one version */
	fi->noflush = 1;
	opened_add(fs, &h->opened);        /* before the reply: a release may follow at once */
	if (fuse_reply_open(req, fi) != 0) {
		opened_remove(fs, &h->opened);
		handle_unref(h);
	}
}

/* Each write is a whole text of its own. */
void fs_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	const struct handle *h = (const struct handle *)(uintptr_t)fi->fh;
	int err = -EROFS;

	(void)ino, (void)off;
	if (is_writable(h->inode))
		err = control_file(h->inode->control)->write(fuse_req_userdata(req), buf, size);
	if (err)
		fuse_reply_err(req, errno_for_user(err));
	else
		fuse_reply_write(req, size);
}

void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;

	(void)ino;
	opened_remove(fuse_req_userdata(req), &h->opened);
	handle_unref(h);
	fuse_reply_err(req, 0);
}

/* More parts than a writev takes: one buffer. */
static void reply_copied(fuse_req_t req, const struct iovec *iov, unsigned n_iov, size_t total)
{
	char *whole = malloc(total ? total : 1);
	size_t at = 0;

	if (!whole) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	for (unsigned i = 0; i < n_iov; i++) {
		memcpy(whole + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	fuse_reply_buf(req, whole, total);
	free(whole);
}

static void fail_deleted(struct fs_op *op, const char *why)
{
	char text[VIEW_WHY_MAX];

	snprintf(text, sizeof(text), "the object was deleted after this was opened%s%s", why && why[0] ? ": " : "",
	         why ? why : "");
	op_fail(op, -ENOENT, text);
}

static void read_answer(void *arg, int err, const char *why, const struct iovec *iov, unsigned n_iov)
{
	struct fs_op *op = arg;
	struct handle *h = op->state;
	size_t total = 0;

	if (err == -ESTALE || err == -ENOENT) {
		node_outdated(op->inode->node);
		inodes_supersede(op->fs->inodes, op->inode);
	}
	if (err) {
		if (err == -ENOENT)
			fail_deleted(op, why);
		else
			op_fail(op, err, why);
		handle_unref(h);
		return;
	}
	for (unsigned i = 0; i < n_iov; i++)
		total += iov[i].iov_len;
	stats_add(op->fs->stats, STAT_fuse_read_bytes, (int64_t)total);
	if (op_claim(op)) {
		if (n_iov > IOV_MOST)
			reply_copied(op->req, iov, n_iov, total);
		else
			fuse_reply_iov(op->req, iov, (int)n_iov);
	}
	op_free(op);
	handle_unref(h);
}

/* Answers what is in memory without an op: nothing waits. */
static bool read_now(fuse_req_t req, struct handle *h, uint64_t off, size_t size)
{
	struct fsys *fs = fuse_req_userdata(req);
	struct view_span span;
	size_t total = 0;

	if (atomic_load(&fs->stopping) || !view_read_now(h->file, off, size, &span))
		return false;
	for (unsigned i = 0; i < span.n_iov; i++)
		total += span.iov[i].iov_len;
	stats_add(fs->stats, STAT_fuse_reads, 1);
	stats_add(fs->stats, STAT_fuse_read_bytes, (int64_t)total);
	fuse_reply_iov(req, span.iov, (int)span.n_iov);
	view_span_done(&span);
	return true;
}

void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;
	struct fs_op *op;

	/* For this call: the release may come as soon as there is an answer. */
	ref_take(&h->refs);
	if (h->text) {
		size_t len = blob_len(h->text), at = off < (off_t)len ? (size_t)off : len;

		fuse_reply_buf(req, (const char *)blob_data(h->text) + at, size < len - at ? size : len - at);
		goto out;
	}
	if (read_now(req, h, (uint64_t)off, size))
		goto out;
	/* The kernel doesn't tell us of interrupts of page-cache reads. */
	op = op_new(req, ino, false);
	if (!op)
		goto out;
	stats_add(op->fs->stats, STAT_fuse_reads, 1);
	op->state = h;
	ref_take(&h->refs);  /* for the answer */
	view_read(h->file, (uint64_t)off, size, &op->wanted, read_answer, op);
out:
	handle_unref(h);
}
