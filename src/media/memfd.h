/* memfd.h - memory shared with a worker process through a descriptor.
 *
 * Always sealed against shrinking, growing and further seals, so that a worker
 * that got the descriptor can't turn our mapping into a SIGBUS. Any thread. */
#ifndef S3SAMPLEFS_MEDIA_MEMFD_H
#define S3SAMPLEFS_MEDIA_MEMFD_H

#include <stddef.h>
#include <stdint.h>

struct memfd {
	int fd;         /* close-on-exec; -1: closed already, the mapping stays */
	uint8_t *data;  /* NULL: not mapped */
	size_t size;    /* bytes, > 0 */
};

/* size bytes of zeros, mapped shared with protection prot (PROT_READ, or
 * PROT_READ | PROT_WRITE). Pages are there from when they are first touched.
 * Returns 0 or -errno. */
int memfd_new(const char *name, size_t size, int prot, struct memfd *ret_memfd);

/* A copy of data[0..size), not mapped here. Returns 0 or -errno. */
int memfd_copy(const char *name, const void *data, size_t size, struct memfd *ret_memfd);

/* Closes the descriptor, keeps the mapping. */
void memfd_close(struct memfd *m);

/* Closes and unmaps; a zeroed or finished one is allowed. */
void memfd_done(struct memfd *m);

#endif
