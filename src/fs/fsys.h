/* fsys.h - one mounted filesystem: what the FUSE operations work on. */
#ifndef S3SAMPLEFS_FS_FSYS_H
#define S3SAMPLEFS_FS_FSYS_H

#include "fs/fuse.h"
#include "view/view.h"

struct fsys;
struct stats;

struct fsys_options {
	struct views *views;       /* borrowed, like all below */
	struct stats *stats;
	const char *config_text;   /* what .s3samplefs/config shows */
	size_t inodes_max;         /* bytes that inodes should take */
	uint64_t timeout_ms;       /* deadline of each step of a request; of a request that nobody serves, about so */
};

/* NULL when out of memory. */
struct fsys *fsys_new(const struct fsys_options *o);
void fsys_free(struct fsys *fs);  /* no request under way; NULL allowed */

/* The operations, with struct fsys as userdata. */
const struct fuse_lowlevel_ops *fsys_ops(void);

/* The thread that looks after what nobody waits for any more: between the two,
 * which go around the session. fuse: its descriptor, borrowed. fsys_start: 0 or -errno. */
int fsys_start(struct fsys *fs, int fuse);
void fsys_end(struct fsys *fs);

/* Answers every waiting request, and every one from now on, with EIO: the
 * filesystem goes away. Their own completions may still come and do nothing.
 * Returns when nobody is answering any more: the session may be destroyed. */
void fsys_stop(struct fsys *fs);

#endif
