#include "worker/sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The first process of a PID namespace is its init: signals that it has no handler for don't reach
 * it, not even its own abort() or the one for too much CPU time. So it isn't the worker but a
 * process that only waits. Both are made here as children of our parent (CLONE_PARENT), so that
 * the daemon sees the worker's exit status, pid and usage as those of any child, and is the one
 * whose death they die with. It knows them by their process group, which is that of the process
 * that it started. */

/* The worker's number in the namespace, the second one that is made there. */
#define WORKER_PID 2

#ifdef PR_GET_TID_ADDRESS
/* Where the C library keeps the number of this thread, in order to put it right after a fork
 * that it doesn't know of. */
static int *own_tid(void)
{
	int *at = NULL;

	return prctl(PR_GET_TID_ADDRESS, &at, 0, 0, 0) == 0 ? at : NULL;
}
#else
static int *own_tid(void)
{
	return NULL;
}
#endif

/* As fork(), but a child of our parent. */
static pid_t fork_sibling(void)
{
	int *tid = own_tid();
	long pid;

#ifdef __s390__
	pid = syscall(SYS_clone, NULL, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL);
#else
	pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
#endif
	if (pid == 0 && tid) {
		*tid = (int)syscall(SYS_gettid);
		syscall(SYS_set_tid_address, tid);
	}
	return pid < 0 ? -errno : (pid_t)pid;
}

static void be_init(int tie) __attribute__((noreturn));

/* Ends with the worker, or when it doesn't come about. The kernel then ends whatever may be left
 * in the namespace. */
static void be_init(int tie)
{
	struct pollfd worker = {.events = POLLIN};
	uint8_t byte;
	ssize_t n;

	prctl(PR_SET_NAME, "s3samplefs-init", 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	close(PROTO_FD_SOCKET); /* as in hand_over() */
	close(PROTO_FD_WINDOW);
	do
		n = read(tie, &byte, sizeof(byte));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		_exit(0);
	worker.fd = (int)syscall(SYS_pidfd_open, WORKER_PID, 0);
	if (worker.fd < 0)
		_exit(0);
	while (poll(&worker, 1, -1) < 0 && errno == EINTR)
		;
	_exit(0);
}

/* The worker's first step: its number, once our caller knows it. */
static pid_t hear_own_pid(int from)
{
	pid_t pid = 0;
	ssize_t n;

	do
		n = read(from, &pid, sizeof(pid));
	while (n < 0 && errno == EINTR);
	close(from);
	if (n != (ssize_t)sizeof(pid))
		_exit(1);
	return pid;
}

static void hand_over(int tie, int go, pid_t pid) __attribute__((noreturn));

/* Tells both, and stays until the daemon has heard from the worker and ends us: should it see our
 * end before, it takes that for the worker's. */
static void hand_over(int tie, int go, pid_t pid)
{
	struct pollfd worker = {.events = POLLIN};

	if (write(tie, "", 1) != 1 || write(go, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		_exit(1);
	close(PROTO_FD_SOCKET); /* or the worker's end would not be an end-of-file */
	worker.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	while (worker.fd >= 0 && poll(&worker, 1, -1) < 0 && errno == EINTR)
		;
	_exit(1);
}

int sandbox_fork(pid_t *ret_pid)
{
	int tie[2], go[2], err;
	pid_t pid;

	if (pipe2(tie, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(go, O_CLOEXEC) < 0) {
		err = -errno;
		goto close_tie;
	}
	pid = fork_sibling();
	if (pid == 0) {
		close(tie[1]);
		close(go[0]);
		close(go[1]);
		be_init(tie[0]);
	}
	err = pid < 0 ? (int)pid : 0;
	if (!err)
		pid = fork_sibling();
	if (!err && pid == 0) {
		close(tie[0]);
		close(tie[1]);
		close(go[1]);
		*ret_pid = hear_own_pid(go[0]);
		return 0;
	}
	if (!err && pid > 0)
		hand_over(tie[1], go[1], pid);
	err = (int)pid;
	close(go[0]);
	close(go[1]);
close_tie:
	close(tie[0]);
	close(tie[1]); /* an init that has nobody to wait for ends */
	return err;
}
