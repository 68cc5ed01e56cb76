/* prune.h - asking the kernel to forget inodes for which it has no use. */
#ifndef S3SAMPLEFS_FS_PRUNE_H
#define S3SAMPLEFS_FS_PRUNE_H

#include <stddef.h>
#include <stdint.h>

#define PRUNE_MAX 512u     /* nodeids of one message */

/* Tells the kernel at the other end of fd (/dev/fuse) to drop the names of these
 * nodeids, unless somebody has one open, stands in it, or knows names in it. FORGETs
 * follow in their own time. Doesn't wait for anybody. Returns 0, or -EINVAL where the
 * kernel doesn't know how (before 6.18), or another -errno. */
int prune_send(int fd, const uint64_t *ids, size_t n);

#endif
