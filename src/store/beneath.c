#include "store/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/object.h"

#define LINKS_MAX 40                          /* as the kernel */
#define STEPS_PATH_MAX (4 * OBJECT_KEY_MAX)   /* bytes of a path with its links resolved */
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

static int open_by_kernel(const struct beneath *b, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (unsigned)flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve,
	};
	long fd = -1;

	for (int i = 0; i < RACES_MAX; i++) {
		fd = syscall(SYS_openat2, b->root, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

/* A walk of one component at a time. What has been gone of the path has no links in it. */
struct steps {
	struct beneath *b;
	bool guarded;              /* mounts of ours are looked out for */
	bool follow;               /* links */
	unsigned links;            /* followed so far */
	char path[STEPS_PATH_MAX];
};

#define BEGIN_ANEW (-2)            /* beside -1 with errno */

static int fail(int e)
{
	errno = e;
	return -1;
}

/* path[from, to) replaced by text[0, len). */
static int replace(struct steps *s, size_t from, size_t to, const char *text, size_t len)
{
	size_t rest = strlen(s->path + to) + 1;

	if (from + len + rest > sizeof(s->path))
		return fail(ENAMETOOLONG);
	memmove(s->path + from + len, s->path + to, rest);
	memcpy(s->path + from, text, len);
	return 0;
}

/* Takes "", "." or ".." at `at` out of the path, the latter with the component before it, which
 * is no link. 0: it is a plain component; 1: taken out; BEGIN_ANEW: what has been gone changed. */
static int take_dots(struct steps *s, size_t at, size_t len)
{
	size_t next = at + len + (s->path[at + len] == '/');
	size_t from = at;

	if (len > 2 || strncmp(s->path + at, "..", len) != 0)
		return 0;
	if (len == 2 && at == 0)
		return fail(EXDEV);  /* leads out */
	if (len == 2)
		for (from = at - 1; from > 0 && s->path[from - 1] != '/';)
			from--;
	if (replace(s, from, next, "", 0) < 0)
		return -1;
	return len == 2 ? BEGIN_ANEW : 1;
}

/* Puts what the link open at fd says into the path. */
static int take_link(struct steps *s, int fd, size_t at, size_t len)
{
	char target[STEPS_PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target));

	if (n < 0)
		return -1;
	if (!s->follow || ++s->links > LINKS_MAX)
		return fail(ELOOP);
	if (n == 0 || target[0] == '/')
		return fail(n ? EXDEV : ENOENT);
	return replace(s, at, at + len, target, (size_t)n) < 0 ? -1 : BEGIN_ANEW;
}

/* What is open as O_PATH already, so that it is the same. */
static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

/* One component. Returns a descriptor, of `flags` if it is the last, or as above. */
static int step(struct steps *s, int dir, size_t at, size_t len, int flags)
{
	bool last = s->path[at + len] == '\0';
	char part[STEPS_PATH_MAX];
	struct stat st;
	int fd, found, saved;

	memcpy(part, s->path + at, len);
	part[len] = '\0';
	fd = openat(dir, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* First: even fstat may ask the filesystem. */
	if (s->guarded && mounts_is_ours(&s->b->mounts, fd))
		found = fail(ENOENT);
	else if (fstat(fd, &st) < 0)
		found = -1;
	else if (S_ISLNK(st.st_mode))
		found = take_link(s, fd, at, len);
	else if (!last && !S_ISDIR(st.st_mode))
		found = fail(ENOTDIR);
	else if (!last)
		return fd;
	else
		found = s->guarded ? reopen(fd, flags) : openat(dir, part, flags | O_NOFOLLOW);
	saved = errno;
	close(fd);
	errno = saved;
	return found;
}

/* From the folder on, until a descriptor is had, or the path has changed behind us. */
static int walk_once(struct steps *s, int flags)
{
	int dir = s->b->root, fd, saved;
	size_t at = 0;

	for (;;) {
		size_t len = strcspn(s->path + at, "/");
		int took = take_dots(s, at, len);

		if (took < 0)
			fd = took;
		else if (took == 1 && s->path[at])
			continue;
		else
			/* "a/.": what has been gone is all there is. */
			fd = took == 1 ? openat(dir, ".", flags) : step(s, dir, at, len, flags);
		saved = errno;
		if (dir != s->b->root)
			close(dir);
		errno = saved;
		if (fd < 0 || took == 1 || !s->path[at + len])
			return fd;
		dir = fd;
		at += len + 1;
	}
}

static int open_by_steps(struct beneath *b, const char *path, int flags, bool guarded, bool follow)
{
	struct steps s = { .b = b, .guarded = guarded, .follow = follow };
	int fd;

	memcpy(s.path, path, strlen(path) + 1);  /* it is valid */
	do
		fd = walk_once(&s, flags);
	while (fd == BEGIN_ANEW);
	return fd;
}

int beneath_open(struct beneath *b, const char *path, int flags)
{
	const bool guarded = mounts_below(&b->mounts);
	int fd;

	flags |= O_CLOEXEC;
	if (!(flags & O_PATH)) /* openat2 refuses these two with O_PATH */
		flags |= O_NONBLOCK | O_NOCTTY;
	if (*path && !beneath_valid(path, strlen(path)))
		return -ENOENT;
	fd = open_by_kernel(b, *path ? path : ".", flags, guarded ? RESOLVE_NO_XDEV : 0);
	/* EPERM: some sandboxes' way to say that they don't know the call. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = *path ? open_by_steps(b, path, flags, guarded, false) : openat(b->root, ".", flags);
	else if (fd < 0 && errno == EXDEV && guarded)
		fd = open_by_steps(b, path, flags, guarded, true);
	return fd < 0 ? beneath_errno(errno) : fd;
}

int beneath_stat(struct beneath *b, const char *path, struct stat *ret_st)
{
	struct stat st;
	int fd = beneath_open(b, path, O_PATH);
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

void beneath_init(struct beneath *b, int root)
{
	b->root = root;
	mounts_init(&b->mounts, root);
}

void beneath_done(struct beneath *b)
{
	mounts_done(&b->mounts);
	close(b->root);
}
