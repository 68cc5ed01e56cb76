/* dirops.h - look-ups in one directory side by side.
 *
 * libfuse before 3.17 asks for FUSE_PARALLEL_DIROPS in its own flags and never
 * tells the kernel, which then sends the look-ups of one directory one after
 * the other: 8 cold stats of a second each took 8 s. Here the flag is set in
 * the INIT reply as it goes out. */
#ifndef S3SAMPLEFS_FS_DIROPS_H
#define S3SAMPLEFS_FS_DIROPS_H

#include <stdbool.h>

#include "fs/fuse.h"

/* True where the libfuse we run with needs it. */
bool dirops_needed(void);

/* Makes se, which is not mounted, serve fd, setting the flag. Takes fd (closed
 * by fuse_session_destroy). One session a process. Returns 0 or -errno. */
int dirops_attach(struct fuse_session *se, int fd);

#endif
