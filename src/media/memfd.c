#include "media/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int create(const char *name)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) /* Linux before 6.3 */
		fd = memfd_create(name, flags);
	return fd < 0 ? -errno : fd;
}

/* A descriptor of size bytes, not sealed yet. */
static int create_sized(const char *name, size_t size, struct memfd *ret_memfd)
{
	int fd, err;

	if (size == 0 || size > PTRDIFF_MAX)
		return -EINVAL;
	fd = create(name);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_memfd = (struct memfd){ .fd = fd, .size = size };
	return 0;
}

static int seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ? -errno : 0;
}

int memfd_new(const char *name, size_t size, int prot, struct memfd *ret_memfd)
{
	struct memfd m;
	void *p;
	int err = create_sized(name, size, &m);

	if (err)
		return err;
	err = seal(m.fd);
	if (err)
		goto close_fd;
	p = mmap(NULL, size, prot, MAP_SHARED, m.fd, 0);
	if (p == MAP_FAILED) {
		err = -errno;
		goto close_fd;
	}
	m.data = p;
	*ret_memfd = m;
	return 0;
close_fd:
	close(m.fd);
	return err;
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
	size_t off = 0;

	while (off < size) {
		ssize_t n = pwrite(fd, data + off, size - off, (off_t)off);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			off += (size_t)n;
	}
	return 0;
}

int memfd_copy(const char *name, const void *data, size_t size, struct memfd *ret_memfd)
{
	struct memfd m;
	int err = create_sized(name, size, &m);

	if (err)
		return err;
	err = write_all(m.fd, data, size);
	if (!err)
		err = seal(m.fd);
	if (err) {
		close(m.fd);
		return err;
	}
	*ret_memfd = m;
	return 0;
}

void memfd_close(struct memfd *m)
{
	if (m->size && m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

void memfd_done(struct memfd *m)
{
	memfd_close(m);
	if (m->data)
		munmap(m->data, m->size);
	*m = (struct memfd){ .fd = -1 };
}
