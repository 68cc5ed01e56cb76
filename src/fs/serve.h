/* serve.h - the threads that take requests from the kernel. */
#ifndef S3SAMPLEFS_FS_SERVE_H
#define S3SAMPLEFS_FS_SERVE_H

#include "fs/fuse.h"

struct serve;

/* Starts them on a session whose descriptor blocks. se and ended are borrowed; ended, an eventfd,
 * becomes readable once the kernel has ended the session. 0 or -errno. */
int serve_start(struct fuse_session *se, int ended, struct serve **ret_serve);

/* Ends and joins them; they finish what they are at. NULL allowed. */
void serve_stop(struct serve *s);

#endif
