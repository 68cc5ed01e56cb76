#include "data/hint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "data/clip.h"
#include "data/samples.h"

#define LINES_MAX ((size_t)64 << 10) /* bytes of one write */

/* DIR may be given as ".", or end in a slash: its real name is what stands in the mount. */
static int open_hint(const char *folder, char real[PATH_MAX], const char **ret_name)
{
	char path[PATH_MAX + 32];
	char *slash;

	if (!realpath(folder, real))
		return -errno;
	slash = strrchr(real, '/');
	snprintf(path, sizeof(path), "%.*s/.s3samplefs/prefetch", (int)(slash - real), real);
	*ret_name = slash + 1;
	/* Without O_CREAT: only a mount has this file. */
	return open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
}

static int write_lines(int fd, struct buf *lines)
{
	size_t done = 0;

	if (buf_error(lines))
		return buf_error(lines);
	while (done < lines->len) {
		ssize_t n = write(fd, lines->data + done, lines->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	buf_reset(lines);
	return 0;
}

int hint_write(const char *folder, const struct samples *samples, const struct clip_spec *spec,
               const uint32_t *order, size_t n)
{
	char real[PATH_MAX];
	const char *name = NULL;
	struct buf lines;
	int fd = open_hint(folder, real, &name), err = 0;

	if (fd < 0)
		return 0;
	buf_init(&lines, LINES_MAX + 4 * PATH_MAX);
	for (size_t i = 0; i < n && !err; i++) {
		const char *path = samples->sample[order[i]].path;

		if (spec->video)
			buf_printf(&lines, "%s/%s/frames.npy\n", name, path);
		if (spec->audio)
			buf_printf(&lines, "%s/%s/mfcc.npy\n", name, path);
		if (lines.len > LINES_MAX || i == n - 1)
			err = write_lines(fd, &lines);
	}
	buf_done(&lines);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (err)
		log_debug("the mount took no hint: %s", strerror(-err));
	return err == 0;
}
