/* beneath.h - opening paths that can't leave a folder.
 *
 * Paths are relative, of plain components: no "", "." or "..", no newline.
 * Symbolic links are followed while they stay below the folder; where the
 * kernel has no openat2 (before 5.6) none are. */
#ifndef S3SAMPLEFS_STORE_BENEATH_H
#define S3SAMPLEFS_STORE_BENEATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Can path[0..len) be a file below a folder? */
bool beneath_valid(const char *path, size_t len);

/* Opens path below root ("" is root itself) without creating anything; never
 * waits for a FIFO's writer. Returns a descriptor or -errno as the store's
 * callers know it: -ENOENT (also for paths that aren't valid or lead outside),
 * -EACCES, -ESTALE (a network folder), -ENOMEM, -EIO. */
int beneath_open(int root, const char *path, int flags);

/* The same for fstat: of what path leads to, not of a link. Returns 0 or -errno. */
int beneath_stat(int root, const char *path, struct stat *ret_st);

/* An errno of open, stat or read as one of store.h's (negative). */
int beneath_errno(int e);

#endif
