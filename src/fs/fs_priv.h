/* fs_priv.h - what the files of the fs layer share. */
#ifndef S3SAMPLEFS_FS_FS_PRIV_H
#define S3SAMPLEFS_FS_FS_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/ref.h"
#include "base/stats.h"
#include "base/wanted.h"
#include "fs/fsys.h"
#include "fs/inode.h"

struct fsys {
	struct views *views;
	struct stats *stats;
	const char *config_text;
	uint64_t timeout_ms;
	struct keeper *keeper;
	struct inodes *inodes;
	struct failures *failures;
	_Atomic bool stopping;
	_Atomic uint64_t moved_ms; /* when something last came from the store or a worker, as far as is known */
	int64_t work_done;         /* the keeper's: as it was at the last tick */
	uint64_t ticked_ms;        /* the keeper's: when that was */

	pthread_mutex_t lock;
	struct fs_op *ops;            /* lock; requests that wait for an answer */
	pthread_cond_t op_gone;    /* lock; one fewer of them, while stopping */
	struct opened *opened;     /* lock; what the kernel hasn't released */
};

/* ---- op.c: an open file or directory, embedded in it. Of what is still open when
 * the session ends the kernel sends no release: fsys_free closes it. */
struct opened {
	struct opened *prev, *next;         /* fsys.lock */
	void (*close)(struct opened *o);
};

void opened_add(struct fsys *fs, struct opened *o);
void opened_remove(struct fsys *fs, struct opened *o);

/* ---- op.c: a request that may have to wait.
 *
 * It is answered once, by whoever claims it first: its completion, the keeper
 * (give_up.c), or fsys_stop. The completion always comes, and ends the op's life
 * whether or not it was the one to answer. */
enum op_claim {
	OP_UNCLAIMED,
	OP_COMPLETED,              /* by op_claim; whoever did answers now, then frees the op */
	OP_ANSWERED_EARLY,         /* by any of the others; nobody touches req any more */
};

struct fs_op {
	struct fs_op *prev, *next;
	struct fsys *fs;
	fuse_req_t req;
	pid_t pid;                 /* the thread that asked; 0: not known here */
	uint64_t since_ms;         /* when it began to wait */
	bool seen;                 /* fsys.lock; the keeper has seen it wait at an earlier tick */
	struct wanted wanted;      /* dropped when answered early */
	_Atomic int claim;         /* enum op_claim */
	_Atomic uint64_t interrupted_ms;  /* when the kernel told that its caller has a signal; 0: it hasn't */
	_Atomic bool interrupt_is_new;    /* since the keeper looked */
	struct inode *inode;       /* what it is about; one reference */
	char *name;                /* look-ups: the name in the directory, else NULL */
	uint64_t off;
	size_t size;
	void *state;               /* files: their struct handle; directories: not NULL for readdirplus */
};

/* NULL: was answered with an error already (no memory, stopping, no inode).
 * interruptible: the kernel tells when its caller gets a signal. */
struct fs_op *op_new(fuse_req_t req, fuse_ino_t ino, bool interruptible);

/* True: the caller now answers op->req. False: somebody has. op_claim is for its
 * completion. Whoever claims early, under fsys.lock, keeps the request, which no
 * interrupt can reach any more, and answers after the op may be gone. */
bool op_claim(struct fs_op *op);
bool op_claim_early_locked(struct fs_op *op);
void op_free(struct fs_op *op);  /* NULL allowed */

/* Claims, answers with the errno for err, frees. */
void op_answer(struct fs_op *op, int err);

/* Claims, answers with the errno for err, notes the failure, frees. */
void op_fail(struct fs_op *op, int err, const char *why);

/* Adds to the list of failures and to the log. name: in the directory i, or NULL. */
void failure_note(struct fsys *fs, struct inode *i, const char *name, int err, const char *why);

/* ---- give_up.c: answers requests early; both return how many. The keeper's alone.
 *
 * With EINTR, where the thread that asked is no more or is to end: of those that were interrupted
 * since the last call, and at a tick of all that have waited since an earlier one. */
unsigned ops_drop_callers(struct fsys *fs, bool tick);

/* With ETIMEDOUT, where the deadline is over and nothing moves any more; at each tick. */
unsigned ops_drop_overdue(struct fsys *fs);

/* ---- keeper.c: a thread that looks after what nobody asks for: once a second, and
 * when it is woken. */
struct keeper *keeper_new(struct fsys *fs);
int keeper_start(struct keeper *k, int fuse);  /* fuse: descriptor of the session. 0 or -errno */
void keeper_stop(struct keeper *k);   /* not started: nothing */
void keeper_free(struct keeper *k);   /* stopped; NULL allowed */

/* The caller of a request has a signal: is it one that ends it? Any thread, also under
 * libfuse's locks. */
void keeper_tell_interrupted(struct keeper *k);

/* The inodes have outgrown their share of memory: some are to be recalled. */
void keeper_tell_full(struct keeper *k);

/* ---- failures.c: what went wrong, for .s3samplefs/errors. */
struct failures *failures_new(void);
void failures_free(struct failures *f);
/* False: it is the last one again. */
bool failures_add(struct failures *f, const char *path, int err, const char *why);
void failures_text(struct failures *f, struct buf *out);

/* The errno a user sees for an error of the layers below: one of the table in the man page, positive. */
int errno_for_user(int err);

/* ---- control.c: the files of .s3samplefs. */
#define CONTROL_DIR ".s3samplefs"
struct control_file {
	const char *name;
	void (*read)(struct fsys *fs, struct buf *out);                 /* NULL: it can't be read */
	int (*write)(struct fsys *fs, const char *text, size_t len);    /* 0 or -errno; NULL: EROFS */
};

/* NULL: there are no more. */
const struct control_file *control_file(int number);
int control_find(const char *name);  /* its number, or -1 */
mode_t control_mode(int number);     /* permission bits */

/* ---- ops_*.c: the operations. */
struct handle {
	struct opened opened;      /* first: it is cast back */
	struct ref refs;           /* the kernel's, and one a read under way */
	struct view_file *file;    /* a view's file */
	struct blob *text;         /* a control file, as it was when opened */
	struct inode *inode;
};

void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fs_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off, struct fuse_file_info *fi);
void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);

/* The reply to a look-up that found i. */
void fs_entry(const struct fsys *fs, const struct inode *i, struct fuse_entry_param *ret);

#endif
