#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/sandbox_priv.h"
#include "worker/why.h"

/* 0 to 2, socket and window, a job's two memfds, and room for a library that
 * opens one for a moment. */
#define DESCRIPTORS 16

/* Decoders work on one; some have another one all the same. */
#define THREADS 64

/* The most: a worker always goes before the daemon, also where that is all of its cgroup. What it
 * was on is done again. */
#define OOM_SCORE_ADJ "1000"

/* For ps: a worker that is ready. */
#define NAME "s3sample-worker"

void sandbox_miss(struct sandbox *s, const char *what, int err)
{
	size_t len = strlen(s->missing);
	char *reason = strrchr(s->missing, '(');

	if (reason && err == s->last_err) /* one reason for all of them */
		len = (size_t)(reason - s->missing) - 1;
	s->last_err = err;
	snprintf(s->missing + len, sizeof(s->missing) - len, "%sno %s (%s)", len ? ", " : "", what,
	         strerror(err));
}

/* Lost where there is no /proc; the kernel then decides by size alone. */
static void be_the_first_to_go(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, OOM_SCORE_ADJ, strlen(OOM_SCORE_ADJ)) < 0) {
		/* It is a wish. */
	}
	close(fd);
}

static int limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit r = {.rlim_cur = value, .rlim_max = value};

	return setrlimit(resource, &r) == 0 ? 0 : -errno;
}

/* A sanitizer reads its own memory by ptrace and writes its report to a file. */
static int restrict_what_sanitizers_need(void)
{
	if (SANDBOX_SANITIZED) /* not dumpable since the change of user */
		return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 ? 0 : -errno;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -errno;
	/* stderr may be a file: a write there then fails, and must not kill. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return -errno;
	return limit(RLIMIT_FSIZE, 0);
}

static int limit_all(const struct sandbox *s)
{
	int err;

	if (close_range(PROTO_FD_WINDOW + 1, ~0u, 0) != 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	/* The change of user took away what the daemon had set. If it has ended
	 * before, there is an end-of-file. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return -errno;
	err = limit(RLIMIT_CORE, 0);
	if (!err)
		err = limit(RLIMIT_NOFILE, DESCRIPTORS);
	if (!err)
		err = limit(RLIMIT_MEMLOCK, 0);
	if (!err)
		err = limit(RLIMIT_MSGQUEUE, 0);
	/* Of a namespace's own users, or others' processes would count. */
	if (!err && s->own_users)
		err = limit(RLIMIT_NPROC, THREADS);
	if (!err)
		err = restrict_what_sanitizers_need();
	return err;
}

static int say_started(int socket, int err, pid_t pid, const char *text)
{
	struct proto_started m = {.type = PROTO_STARTED, .err = err, .pid = pid};

	snprintf(m.missing, sizeof(m.missing), "%s", text);
	return send(socket, &m, sizeof(m), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int sandbox_enter(int socket, bool require, char *why)
{
	struct sandbox s = {.missing = ""};
	pid_t pid = 0;
	int err;

	be_the_first_to_go();
	sandbox_leave_the_world(&s);
	if (s.own_pids) {
		err = sandbox_fork(&pid);
		if (err)
			sandbox_miss(&s, "PID namespace", -err);
	}
	prctl(PR_SET_NAME, NAME, 0, 0, 0);
	err = limit_all(&s);
	if (err)
		why_set(why, err, "its limits can't be set: %s", strerror(-err));
	if (!err) {
		err = sandbox_filter();
		if (err)
			sandbox_miss(&s, "filter of system calls", -err);
		err = 0;
	}
	if (!err && require && s.missing[0])
		err = why_set(why, -EPERM, "sandbox=require: %s", s.missing);
	if (say_started(socket, err, pid, err ? why : s.missing) < 0 && !err)
		err = why_set(why, -EPIPE, "the daemon is gone");
	return err;
}
