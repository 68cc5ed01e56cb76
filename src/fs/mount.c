#include "fs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "fs/dirops.h"
#include "fs/fsys.h"
#include "fs/fuse.h"
#include "fs/said.h"
#include "fs/serve.h"

#define READ_AHEAD_KB 1024

struct mount {
	struct fsys *fs;
	struct fuse_session *mounted;   /* made the mount */
	struct fuse_session *serving;   /* talks to the kernel; the same one where libfuse needs no help */
	int fd;                         /* of the serving session */
	int ended;                      /* eventfd: readable: the kernel ended the session */
	struct serve *serve;
};

static struct fuse_session *session_new(struct fsys *fs, const char *source, const char *fuse_options)
{
	char *options = NULL;
	struct fuse_session *se = NULL;

	/* Commas and backslashes in the name would end it: they are escaped. */
	char *name = calloc(2 * strlen(source) + 1, 1);
	for (size_t i = 0, n = 0; name && source[i]; i++) {
		if (source[i] == ',' || source[i] == '\\')
			name[n++] = '\\';
		name[n++] = source[i];
	}
	/* The type last, so that it stays: by it dir: knows what it must not enter (store/mounts.h). */
	if (name && asprintf(&options, "fsname=%s%s%s,subtype=s3samplefs", name, fuse_options ? "," : "",
	                     fuse_options ? fuse_options : "") >= 0) {
		char *argv[] = { (char *)"s3samplefs", (char *)"-o", options, NULL };
		struct fuse_args args = FUSE_ARGS_INIT(3, argv);

		se = fuse_session_new(&args, fsys_ops(), sizeof(*fsys_ops()), fs);
		fuse_opt_free_args(&args);
	}
	free(options);
	free(name);
	return se;
}

/* Larger read-ahead makes a row one READ instead of several. The default,
 * 128 KiB, stays where we may not change it. */
static void set_read_ahead(const char *mountpoint)
{
	struct stat st;
	char path[96], text[16];
	int fd, n;

	if (stat(mountpoint, &st) < 0)
		return;
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(st.st_dev), minor(st.st_dev));
	n = snprintf(text, sizeof(text), "%d", READ_AHEAD_KB);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		log_info("reads stay at 128 KiB each: %s can't be set (%s)", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* May a user who isn't root let others in? fuse.conf(5) says. */
static bool others_refused(const char *fuse_options)
{
	char line[256], word[32];
	bool allowed = false;
	FILE *f;

	if (geteuid() == 0 || !fuse_options ||
	    (!strstr(fuse_options, "allow_other") && !strstr(fuse_options, "allow_root")))
		return false;
	f = fopen("/etc/fuse.conf", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s", word) == 1 && strcmp(word, "user_allow_other") == 0)
			allowed = true;
	if (f)
		fclose(f);
	return !allowed;
}

/* Mounts. What libfuse and fusermount3 say about a failure they write to stderr,
 * which nobody may see: it becomes the sentence. */
static int mount_session(struct mount *m, const char *mountpoint, char *why)
{
	char line[MOUNT_WHY_MAX / 2];
	struct said said;
	int err;

	said_begin(&said);
	err = fuse_session_mount(m->mounted, mountpoint);
	said_end(&said, err != 0, line, sizeof(line));
	if (err == 0)
		return 0;
	snprintf(why, MOUNT_WHY_MAX, "can't mount on %.100s%s%s", mountpoint, line[0] ? ": " : "; is /dev/fuse there?",
	         line);
	return -EIO;
}

int mount_start(struct fsys *fs, const char *mountpoint, const char *source, const char *fuse_options, char *why,
                struct mount **ret_mount)
{
	struct mount *m = calloc(1, sizeof(*m));
	int err = -ENOMEM, fd;

	snprintf(why, MOUNT_WHY_MAX, "not enough memory");
	if (!m)
		return -ENOMEM;
	m->fs = fs;
	m->fd = -1;
	m->ended = eventfd(0, EFD_CLOEXEC);
	if (m->ended < 0) {
		err = -errno;
		goto fail;
	}
	if (others_refused(fuse_options)) {
		err = -EPERM;
		snprintf(why, MOUNT_WHY_MAX, "allow_other and allow_root are root's, unless /etc/fuse.conf has "
		         "the line user_allow_other");
		goto fail;
	}
	m->mounted = session_new(fs, source, fuse_options);
	if (!m->mounted) {
		err = -EINVAL;
		snprintf(why, MOUNT_WHY_MAX, "libfuse refused the mount options");
		goto fail;
	}
	err = mount_session(m, mountpoint, why);
	if (err < 0)
		goto fail;
	m->serving = m->mounted;
	m->fd = fuse_session_fd(m->mounted);
	if (dirops_needed()) {
		fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 0);
		m->serving = session_new(fs, source, fuse_options);
		if (fd < 0 || !m->serving || dirops_attach(m->serving, fd) < 0) {
			snprintf(why, MOUNT_WHY_MAX, "libfuse can't serve the mount");
			err = -EIO;
			goto fail;
		}
		m->fd = fd;
	}
	err = serve_start(m->serving, m->ended, &m->serve);
	if (!err)
		err = fsys_start(fs, m->fd);
	if (err < 0) {
		snprintf(why, MOUNT_WHY_MAX, "can't start threads: %s", strerror(-err));
		goto fail;
	}
	set_read_ahead(mountpoint);
	*ret_mount = m;
	return 0;
fail:
	mount_stop(m);
	return err;
}

int mount_ended_fd(const struct mount *m)
{
	return m->ended;
}

void mount_stop(struct mount *m)
{
	if (!m)
		return;
	fsys_stop(m->fs);
	fsys_end(m->fs);
	/* Detaches (lazily); says nothing where it is unmounted already. */
	if (m->mounted)
		fuse_session_unmount(m->mounted);
	serve_stop(m->serve);
	if (m->serving && m->serving != m->mounted)
		fuse_session_destroy(m->serving);
	if (m->mounted)
		fuse_session_destroy(m->mounted);
	if (m->ended >= 0)
		close(m->ended);
	free(m);
}
