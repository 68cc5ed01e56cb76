#include "fs/dirops.h"

#include <linux/fuse.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/uio.h>
#include <unistd.h>

bool dirops_needed(void)
{
	return fuse_version() < 317;
}

/* The unique number of the INIT request, until it is answered. INIT is the
 * first request of a connection and is answered before any other comes. */
static _Atomic uint64_t init_unique;

/* What we did before an answer is done before a request that the answer leads to, such as a READ of
 * what an OPEN made. The thread sanitizer doesn't know that of the kernel. */
#ifdef __SANITIZE_THREAD__
static _Atomic unsigned answers;
#endif

static void before_answer(void)
{
#ifdef __SANITIZE_THREAD__
	atomic_fetch_add(&answers, 1);
#endif
}

static void after_request(void)
{
#ifdef __SANITIZE_THREAD__
	(void)atomic_load(&answers);
#endif
}

static ssize_t read_request(int fd, void *buf, size_t len, void *userdata)
{
	ssize_t got = read(fd, buf, len);
	const struct fuse_in_header *in = buf;

	(void)userdata;
	after_request();
	if (got >= (ssize_t)sizeof(*in) && in->opcode == FUSE_INIT)
		atomic_store(&init_unique, in->unique);
	return got;
}

static ssize_t write_reply(int fd, struct iovec *iov, int count, void *userdata)
{
	const struct fuse_out_header *out = iov[0].iov_base;
	uint64_t unique = out->unique;

	(void)userdata;
	before_answer();
	if (count == 2 && unique != 0 && out->error == 0 &&
	    iov[1].iov_len >= offsetof(struct fuse_init_out, flags) + sizeof(uint32_t) &&
	    atomic_compare_exchange_strong(&init_unique, &unique, 0)) {
		struct fuse_init_out *init = iov[1].iov_base;

		init->flags |= FUSE_PARALLEL_DIROPS;
	}
	return writev(fd, iov, count);
}

int dirops_attach(struct fuse_session *se, int fd)
{
	static const struct fuse_custom_io io = { .writev = write_reply, .read = read_request };

	return fuse_session_custom_io(se, &io, fd);
}
