/* beneath.h - opening paths that can't leave a folder.
 *
 * Paths are relative, of plain components: no "", "." or "..", no newline.
 * Symbolic links are followed while they stay below the folder; where the
 * kernel has no openat2 (before 5.6) none are. What lies in a mount of this
 * program below the folder isn't there, by whichever link one comes to it
 * (mounts.h says why); it isn't touched on the way. */
#ifndef S3SAMPLEFS_STORE_BENEATH_H
#define S3SAMPLEFS_STORE_BENEATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "store/mounts.h"

/* A folder; any thread may use it. */
struct beneath {
	int root;      /* O_PATH or more */
	struct mounts mounts;
};

/* Takes root, a descriptor. */
void beneath_init(struct beneath *b, int root);
void beneath_done(struct beneath *b);

/* Can path[0..len) be a file below a folder? */
bool beneath_valid(const char *path, size_t len);

/* Opens path below b ("" is the folder itself) without creating anything; never
 * waits for a FIFO's writer. Returns a descriptor or -errno as the store's
 * callers know it: -ENOENT (also for paths that aren't valid or lead outside),
 * -EACCES, -ESTALE (a network folder), -ENOMEM, -EIO. */
int beneath_open(struct beneath *b, const char *path, int flags);

/* The same for fstat: of what path leads to, not of a link. Returns 0 or -errno. */
int beneath_stat(struct beneath *b, const char *path, struct stat *ret_st);

/* An errno of open, stat or read as one of store.h's (negative). */
int beneath_errno(int e);

#endif
