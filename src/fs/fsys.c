/* fsys.c - the table of operations, and those that are a line or two. Every
 * operation that would write is here and says EROFS (but for files of .s3samplefs that
 * can be written, control.c): one that is missing would be answered ENOSYS. */
#include "fs/fsys.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/table.h"
#include "fs/fs_priv.h"

struct fsys *fsys_new(const struct fsys_options *o)
{
	struct fsys *fs = calloc(1, sizeof(*fs));
	struct timespec now;

	if (!fs)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	fs->views = o->views;
	fs->stats = o->stats;
	fs->config_text = o->config_text;
	fs->timeout_ms = o->timeout_ms;
	pthread_mutex_init(&fs->lock, NULL);
	pthread_cond_init(&fs->op_gone, NULL);
	fs->inodes = inodes_new(o->stats, now.tv_sec * INT64_C(1000000000) + now.tv_nsec, o->inodes_max);
	fs->failures = failures_new();
	fs->keeper = keeper_new(fs);
	if (!fs->inodes || !fs->failures || !fs->keeper) {
		fsys_free(fs);
		return NULL;
	}
	return fs;
}

void fsys_free(struct fsys *fs)
{
	struct opened *o, *next;

	if (!fs)
		return;
	DL_FOREACH_SAFE(fs->opened, o, next)
		o->close(o);
	keeper_free(fs->keeper);
	inodes_free(fs->inodes);
	failures_free(fs->failures);
	pthread_cond_destroy(&fs->op_gone);
	pthread_mutex_destroy(&fs->lock);
	free(fs);
}

int fsys_start(struct fsys *fs, int fuse)
{
	return keeper_start(fs->keeper, fuse);
}

void fsys_end(struct fsys *fs)
{
	keeper_stop(fs->keeper);
}

static void fs_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	/* Page-cache reads are background requests: at the default of 12, twelve
	 * cold readers would stop all others. */
	conn->max_background = 1024;
	conn->congestion_threshold = 768;
	conn->max_write = 1 << 20;  /* gives READs of up to 1 MiB */
	conn->want |= conn->capable & (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS | FUSE_CAP_ASYNC_READ);
	/* Always with attributes: a plain listing would cost a look-up a file. */
	conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
}

static void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fsys *fs = fuse_req_userdata(req);
	struct inode *i = inodes_by_id(fs->inodes, ino);
	struct fuse_entry_param e;

	(void)fi;
	if (!i) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	fs_entry(fs, i, &e);
	inode_unref(i);
	fuse_reply_attr(req, &e.attr, e.attr_timeout);
}

static void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	struct fsys *fs = fuse_req_userdata(req);

	inodes_forget(fs->inodes, ino, nlookup);
	fuse_reply_none(req);
}

static void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fsys *fs = fuse_req_userdata(req);

	for (size_t i = 0; i < count; i++)
		inodes_forget(fs->inodes, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void fs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fsys *fs = fuse_req_userdata(req);
	const struct statvfs st = {
		.f_bsize = 4096,
		.f_frsize = 4096,
		.f_files = (fsfilcnt_t)stats_get(fs->stats, STAT_inodes),
		.f_namemax = VIEW_FILE_NAME_MAX,
		.f_flag = ST_RDONLY,
	};

	(void)ino;
	fuse_reply_statfs(req, &st);
}

static void fs_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	(void)ino;
	fuse_reply_err(req, mask & W_OK ? EROFS : 0);
}

static void fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	(void)ino, (void)attr, (void)to_set, (void)fi;
	fuse_reply_err(req, EROFS);
}

static void fs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	(void)parent, (void)name, (void)mode, (void)rdev;
	fuse_reply_err(req, EROFS);
}

static void fs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent, (void)name, (void)mode;
	fuse_reply_err(req, EROFS);
}

static void fs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	fuse_reply_err(req, EROFS);
}

static void fs_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	(void)link, (void)parent, (void)name;
	fuse_reply_err(req, EROFS);
}

static void fs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent, const char *newname,
                      unsigned flags)
{
	(void)parent, (void)name, (void)newparent, (void)newname, (void)flags;
	fuse_reply_err(req, EROFS);
}

static void fs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	(void)ino, (void)newparent, (void)newname;
	fuse_reply_err(req, EROFS);
}

static void fs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	(void)parent, (void)name, (void)mode, (void)fi;
	fuse_reply_err(req, EROFS);
}

static void fs_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	(void)ino, (void)name, (void)value, (void)size, (void)flags;
	fuse_reply_err(req, EROFS);
}

static void fs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	(void)ino, (void)name;
	fuse_reply_err(req, EROFS);
}

static void fs_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                         struct fuse_file_info *fi)
{
	(void)ino, (void)mode, (void)offset, (void)length, (void)fi;
	fuse_reply_err(req, EROFS);
}

const struct fuse_lowlevel_ops *fsys_ops(void)
{
	static const struct fuse_lowlevel_ops ops = {
		.init = fs_init,
		.lookup = fs_lookup,
		.forget = fs_forget,
		.forget_multi = fs_forget_multi,
		.getattr = fs_getattr,
		.access = fs_access,
		.open = fs_open,
		.read = fs_read,
		.release = fs_release,
		.opendir = fs_opendir,
		.readdir = fs_readdir,
		.readdirplus = fs_readdirplus,
		.releasedir = fs_releasedir,
		.statfs = fs_statfs,
		.getxattr = fs_getxattr,
		.listxattr = fs_listxattr,
		.setattr = fs_setattr,
		.mknod = fs_mknod,
		.mkdir = fs_mkdir,
		.unlink = fs_unlink,
		.rmdir = fs_unlink,
		.symlink = fs_symlink,
		.rename = fs_rename,
		.link = fs_link,
		.create = fs_create,
		.write = fs_write,
		.setxattr = fs_setxattr,
		.removexattr = fs_removexattr,
		.fallocate = fs_fallocate,
	};

	return &ops;
}
