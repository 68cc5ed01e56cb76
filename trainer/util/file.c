#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "util/why.h"

#define CHUNK ((size_t)1 << 16)
#define WRITE_MAX ((size_t)1 << 30) /* Linux writes no more than 2 GiB at once */

int file_read(const char *path, struct buf *out)
{
	char *chunk = malloc(CHUNK);
	int fd, err = 0;

	if (!chunk)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		goto free_chunk;
	}
	for (;;) {
		ssize_t n = read(fd, chunk, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		buf_add(out, chunk, (size_t)n);
		err = buf_error(out);
		if (err)
			break;
	}
	close(fd);
free_chunk:
	free(chunk);
	return err;
}

int file_read_exact(int fd, void *to, size_t len)
{
	char *at = to;

	while (len > 0) {
		ssize_t n = read(fd, at, len < WRITE_MAX ? len : WRITE_MAX);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len < WRITE_MAX ? len : WRITE_MAX);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* So that the rename itself survives a crash of the machine. */
static int sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd, err = 0;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err = -errno;
	/* Some file systems don't sync folders, and say so. */
	else if (fsync(fd) < 0 && errno != EINVAL)
		err = -errno;
	if (fd >= 0)
		close(fd);
	free(copy);
	return err;
}

static int write_temporary(const char *path, const struct file_part *parts, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int err = 0;

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n && !err; i++)
		err = write_all(fd, parts[i].data, parts[i].len);
	if (!err && fsync(fd) < 0)
		err = -errno;
	/* Where quotas are kept by a server, close is where one hears of them. */
	if (close(fd) < 0 && !err)
		err = -errno;
	return err;
}

int file_replace(const char *path, const struct file_part *parts, size_t n, struct why *why)
{
	char *temporary;
	int err;

	if (asprintf(&temporary, "%s.tmp", path) < 0)
		return why_no_memory(why);
	err = write_temporary(temporary, parts, n);
	if (!err && rename(temporary, path) < 0)
		err = -errno;
	if (err) {
		unlink(temporary);
		why_set(why, err, "%s: can't be written: %s", path, strerror(-err));
		goto free_name;
	}
	err = sync_folder(path);
	if (err)
		why_set(why, err, "%s: its folder can't be synced: %s", path, strerror(-err));
free_name:
	free(temporary);
	return err;
}
