/* prune.c - libfuse 3.14 has no function for this message, so it is written as
 * linux/fuse.h lays it out since protocol 7.45: fuse_out_header with unique 0 and
 * the code in place of the error, fuse_notify_prune_out, nodeids. */
#include "fs/prune.h"

#include <errno.h>
#include <sys/uio.h>

#define NOTIFY_PRUNE 9

struct header {
	uint32_t len;
	int32_t error;
	uint64_t unique;
};

struct prune_out {
	uint32_t count;
	uint32_t padding;
	uint64_t spare;
};

int prune_send(int fd, const uint64_t *ids, size_t n)
{
	struct prune_out out = { .count = (uint32_t)n };
	struct header head = { .len = (uint32_t)(sizeof(head) + sizeof(out) + n * sizeof(*ids)), .error = NOTIFY_PRUNE };
	const struct iovec iov[] = {
		{ &head, sizeof(head) },
		{ &out, sizeof(out) },
		{ (void *)(uintptr_t)ids, n * sizeof(*ids) },
	};

	return writev(fd, iov, 3) < 0 ? -errno : 0;
}
