#include "worker/sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The user and group that root's workers are: nobody's, to whom no file should belong. There is no
 * name for it to look up in a container, but this number is in the range that one has. */
#define NOBODY 65534u

/* Who we want to be, as the world counts. */
struct identity {
	uid_t uid;
	gid_t gid;
};

/* -- a user namespace -- */

static int write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* The namespace of the process has one user and one group, with the numbers that they have outside. */
static int map_ids(pid_t pid, const struct identity *id, bool is_own)
{
	char line[64];
	int err;

	/* Who maps only himself must have given up setgroups() before. */
	err = is_own ? write_file(pid, "setgroups", "deny") : 0;
	if (err)
		return err;
	snprintf(line, sizeof(line), "%u %u 1\n", id->gid, id->gid);
	err = write_file(pid, "gid_map", line);
	if (err)
		return err;
	snprintf(line, sizeof(line), "%u %u 1\n", id->uid, id->uid);
	return write_file(pid, "uid_map", line);
}

/* What the first process of the namespace does: makes it, and stays until it is mapped. */
static void found(int said, int wait) __attribute__((noreturn));

static void found(int said, int wait)
{
	int err = unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
	char byte;

	if (write(said, &err, sizeof(err)) == (ssize_t)sizeof(err) && !err && read(wait, &byte, 1) < 0)
		_exit(1);
	_exit(0);
}

static int open_namespace(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Joins a user namespace in which there is id alone. A child makes it and we map it, from outside:
 * so it is ours (the daemon, which has the same user, may set limits and send signals in it
 * whoever is in there), and until the last step nothing has changed for us. */
static int join_user_namespace(const struct identity *id, bool is_own)
{
	int said[2], wait[2], ns, status, err = EPIPE;
	pid_t pid;

	if (pipe2(said, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(wait, O_CLOEXEC) < 0) {
		err = -errno;
		goto close_said;
	}
	pid = fork();
	if (pid == 0) {
		close(wait[1]);
		found(said[1], wait[0]);
	}
	close(said[1]);
	said[1] = -1;
	if (pid < 0) {
		err = -errno;
		goto close_wait;
	}
	if (read(said[0], &err, sizeof(err)) != (ssize_t)sizeof(err))
		err = EPIPE;
	err = -err;
	if (!err)
		err = map_ids(pid, id, is_own);
	ns = err ? err : open_namespace(pid);
	close(wait[1]);
	wait[1] = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	err = ns < 0 ? ns : setns(ns, CLONE_NEWUSER) == 0 ? 0 : -errno;
	if (ns >= 0)
		close(ns);
close_wait:
	close(wait[0]);
	if (wait[1] >= 0)
		close(wait[1]);
close_said:
	close(said[0]);
	if (said[1] >= 0)
		close(said[1]);
	return err;
}

/* -- no files -- */

/* An empty folder that nobody can write to becomes the root of all paths, and the tree that there
 * was is let go. */
static int empty_root(void)
{
	static const char at[] = "/proc"; /* any folder would do, and we have used this one */

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", at, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0555") != 0 ||
	    chdir(at) != 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (umount2(".", MNT_DETACH) != 0)
			return -errno;
	} else if (chroot(".") != 0) { /* where / is no mount of its own */
		return -errno;
	}
	return chdir("/") == 0 ? 0 : -errno;
}

/* -- another user, without capabilities -- */

static int become(const struct identity *id)
{
	if (setgroups(0, NULL) != 0 || setresgid(id->gid, id->gid, id->gid) != 0 ||
	    setresuid(id->uid, id->uid, id->uid) != 0)
		return -errno;
	return 0;
}

/* The daemon's are ours until now. */
static bool has_capability(unsigned cap)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capget, &head, data) == 0 && data[cap / 32].effective & 1u << cap % 32;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, none) == 0 ? 0 : -errno;
}

/* -- all of it -- */

static bool leave(struct sandbox *s, int flag, const char *what)
{
	if (unshare(flag) == 0)
		return true;
	sandbox_miss(s, what, errno);
	return false;
}

static void leave_users(struct sandbox *s, const struct identity *self, const struct identity *id)
{
	bool is_root = self != id;
	int err = join_user_namespace(id, !is_root);

	/* Root of a container may be alone there. */
	if (err && is_root && join_user_namespace(self, true) == 0)
		err = 0;
	s->own_users = !err;
	/* Without, root can be another user all the same, and leave the rest. */
	if (err && !is_root)
		sandbox_miss(s, "user namespace", -err);
}

static void leave_files(struct sandbox *s)
{
	int err;

	if (!leave(s, CLONE_NEWNS, "mount namespace"))
		return;
	err = empty_root();
	if (err)
		sandbox_miss(s, "empty root folder", -err);
}

void sandbox_leave_the_world(struct sandbox *s)
{
	const struct identity self = {geteuid(), getegid()}, nobody = {NOBODY, NOBODY};
	const bool is_root = self.uid == 0;
	const struct identity *id = is_root ? &nobody : &self;
	bool may_limit;
	int err;

	leave_users(s, &self, id);
	leave(s, CLONE_NEWNET, "network namespace");
	leave(s, CLONE_NEWIPC, "IPC namespace");
	if (!SANDBOX_SANITIZED) {
		s->own_pids = leave(s, CLONE_NEWPID, "PID namespace");
		leave_files(s);
	}
	may_limit = s->own_users || !is_root || has_capability(CAP_SYS_RESOURCE);
	err = is_root ? become(id) : 0;
	if (err)
		sandbox_miss(s, "user of its own", -err);
	else if (!may_limit) /* nobody's limits are only for those with this capability to set */
		sandbox_miss(s, "limit of its CPU time", EPERM);
	err = drop_capabilities();
	if (err)
		sandbox_miss(s, "end of its capabilities", -err);
}
