#include "store/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/object.h"

#define RACES_MAX 16 /* a rename may disturb the kernel's check of "..", then it says EAGAIN */

bool beneath_valid(const char *path, size_t len)
{
	size_t start = 0;

	if (len == 0 || len > OBJECT_KEY_MAX || memchr(path, '\n', len) || memchr(path, '\0', len))
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		if (i == start || (i - start == 1 && path[start] == '.') ||
		    (i - start == 2 && path[start] == '.' && path[start + 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}

int beneath_errno(int e)
{
	switch (e) {
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case ELOOP:
	case EXDEV: /* openat2: led out of the folder */
	case ENXIO: /* a socket */
	case ENAMETOOLONG:
		return -ENOENT;
	case EACCES:
	case EPERM:
		return -EACCES;
	case ENOMEM:
	case ESTALE:
		return -e;
	default:
		return -EIO;
	}
}

static int open_by_kernel(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < RACES_MAX; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

/* One component at a time, following nothing. */
static int open_by_steps(int root, const char *path, int flags)
{
	char part[OBJECT_KEY_MAX + 1];
	int dir = root;

	for (;;) {
		size_t len = strcspn(path, "/");
		bool last = path[len] == '\0';
		int fd, saved;

		memcpy(part, path, len);
		part[len] = '\0';
		fd = openat(dir, part,
		            (last ? flags : O_PATH | O_DIRECTORY | O_CLOEXEC) | O_NOFOLLOW);
		saved = errno;
		if (dir != root)
			close(dir);
		errno = saved;
		if (fd < 0 || last)
			return fd;
		dir = fd;
		path += len + 1;
	}
}

int beneath_open(int root, const char *path, int flags)
{
	int fd;

	flags |= O_CLOEXEC;
	if (!(flags & O_PATH)) /* openat2 refuses these two with O_PATH */
		flags |= O_NONBLOCK | O_NOCTTY;
	if (*path == '\0')
		path = ".";
	else if (!beneath_valid(path, strlen(path)))
		return -ENOENT;
	fd = open_by_kernel(root, path, flags);
	/* EPERM: some sandboxes' way to say that they don't know the call. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open_by_steps(root, path, flags);
	return fd < 0 ? beneath_errno(errno) : fd;
}

int beneath_stat(int root, const char *path, struct stat *ret_st)
{
	struct stat st;
	int fd = beneath_open(root, path, O_PATH);
	int err = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		err = beneath_errno(errno);
	close(fd);
	if (!err)
		*ret_st = st;
	return err;
}
