/* A worker like the real one, in the real sandbox, but that objects can command: one that begins
 * with "HOSTILE WHAT NUMBER\n" makes it try WHAT, as a decoder would that a file has taken over.
 * What is refused, and comes back, it tells in its sentence: "WHAT: refused, EPERM". NUMBER is a
 * process id, for those that want one. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "media/proto.h"
#include "worker/input.h"
#include "worker/serve.h"
#include "worker/why.h"

/* What a try has at hand. */
struct try {
	const struct proto_job *job;
	struct job_io *io;
	pid_t pid;
	char *note;             /* [64], for the sentence */
};

/* Returns 0 if it could be done, an errno if that was refused. */
typedef int try_fn(const struct try *t);

static int refused(long result)
{
	return result < 0 ? errno : 0;
}

/* The first of several that could be done counts. */
#define ALL_REFUSED(...) all_refused((const long[]){__VA_ARGS__}, sizeof((const long[]){__VA_ARGS__}) / sizeof(long))

static int all_refused(const long *results, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (results[i] >= 0)
			return 0;
	}
	return errno;
}

/* -- files -- */

static int try_open(const struct try *t)
{
	(void)t;
	return ALL_REFUSED(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0),
	                   syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR, 0),
	                   syscall(SYS_openat, AT_FDCWD, "/", O_PATH, 0));
}

static int try_openat2(const struct try *t)
{
	const uint64_t how[3] = {O_RDONLY};

	(void)t;
	return refused(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how)));
}

static int try_creat(const struct try *t)
{
	(void)t;
	return ALL_REFUSED(syscall(SYS_openat, AT_FDCWD, "/tmp/hostile", O_CREAT | O_WRONLY | O_TRUNC, 0600),
	                   syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_WRONLY, 0600),
	                   syscall(SYS_mkdirat, AT_FDCWD, "/tmp/hostile.d", 0700),
	                   syscall(SYS_unlinkat, AT_FDCWD, "/etc/passwd", 0));
}

static int try_memfd(const struct try *t)
{
	(void)t;
	return refused(syscall(SYS_memfd_create, "hostile", 0));
}

/* Another process's memory or files, as /proc shows them. */
static int try_proc(const struct try *t)
{
	char mem[64], environ_[64];

	snprintf(mem, sizeof(mem), "/proc/%d/mem", (int)t->pid);
	snprintf(environ_, sizeof(environ_), "/proc/%d/environ", (int)t->pid);
	return ALL_REFUSED(syscall(SYS_openat, AT_FDCWD, mem, O_RDONLY, 0),
	                   syscall(SYS_openat, AT_FDCWD, environ_, O_RDONLY, 0));
}

/* -- the network -- */

static int try_socket(const struct try *t)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
	int err = EPERM;

	(void)t;
	for (int family = 0; family < AF_MAX; family++) {
		for (size_t i = 0; i < 4; i++) {
			int pair[2];

			if (syscall(SYS_socket, family, types[i], 0) >= 0 ||
			    syscall(SYS_socketpair, family, types[i], 0, pair) >= 0)
				return 0;
			if (errno != EPERM)
				err = errno;
		}
	}
	return err;
}

static int try_connect(const struct try *t)
{
	const struct sockaddr_un to = {AF_UNIX, "/run/systemd/private"};

	return ALL_REFUSED(syscall(SYS_connect, t->io->socket, &to, sizeof(to)),
	                   syscall(SYS_bind, t->io->socket, &to, sizeof(to.sun_family)),
	                   syscall(SYS_listen, t->io->socket, 1));
}

/* -- processes -- */

static int try_exec(const struct try *t)
{
	char *const argv[] = {(char *)(uintptr_t)"/bin/sh", NULL};

	(void)t;
	return ALL_REFUSED(syscall(SYS_execve, argv[0], argv, NULL),
	                   syscall(SYS_execveat, AT_FDCWD, argv[0], argv, NULL, 0));
}

static int try_fork(const struct try *t)
{
	const uint64_t args[8] = {0, 0, 0, 0, SIGCHLD};

	(void)t;
	return ALL_REFUSED(syscall(SYS_clone3, args, sizeof(args)),
#ifdef SYS_fork
	                   syscall(SYS_fork),
#endif
	                   syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL),
	                   syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}

static int try_ptrace(const struct try *t)
{
	return ALL_REFUSED(ptrace(PTRACE_ATTACH, t->pid, NULL, NULL), ptrace(PTRACE_SEIZE, t->pid, NULL, NULL),
	                   ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_kill(const struct try *t)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	return ALL_REFUSED(syscall(SYS_kill, t->pid, SIGKILL), syscall(SYS_kill, -1, SIGKILL),
	                   syscall(SYS_tkill, t->pid, SIGKILL), syscall(SYS_tgkill, t->pid, t->pid, SIGKILL),
	                   syscall(SYS_rt_sigqueueinfo, t->pid, SIGKILL, &info),
	                   syscall(SYS_pidfd_open, t->pid, 0));
}

static int try_process_vm_readv(const struct try *t)
{
	char bytes[16];
	struct iovec to = {bytes, sizeof(bytes)}, from = {bytes, sizeof(bytes)};

	return ALL_REFUSED(syscall(SYS_process_vm_readv, t->pid, &to, 1, &from, 1, 0),
	                   syscall(SYS_process_vm_writev, t->pid, &to, 1, &from, 1, 0));
}

static int try_limits(const struct try *t)
{
	const struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};

	(void)t;
	return ALL_REFUSED(syscall(SYS_prlimit64, 0, RLIMIT_CPU, &more, NULL),
	                   syscall(SYS_setrlimit, RLIMIT_CPU, &more),
	                   syscall(SYS_setuid, 0), syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
}

/* -- the kernel -- */

static int try_io_uring(const struct try *t)
{
	char params[256] = {0};

	(void)t;
	return refused(syscall(SYS_io_uring_setup, 8, params));
}

static int try_bpf(const struct try *t)
{
	char attr[128] = {0};

	(void)t;
	return refused(syscall(SYS_bpf, 0, attr, sizeof(attr)));
}

static int try_userfaultfd(const struct try *t)
{
	(void)t;
	return ALL_REFUSED(syscall(SYS_userfaultfd, 0), syscall(SYS_userfaultfd, 1));
}

static int try_mount(const struct try *t)
{
	(void)t;
	return ALL_REFUSED(syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL), syscall(SYS_chroot, "/"),
	                   syscall(SYS_umount2, "/", 0), syscall(SYS_fsopen, "tmpfs", 0));
}

static int try_unshare(const struct try *t)
{
	(void)t;
	return ALL_REFUSED(syscall(SYS_unshare, CLONE_NEWUSER), syscall(SYS_unshare, CLONE_NEWNS),
	                   syscall(SYS_setns, 0, 0));
}

static int try_keyctl(const struct try *t)
{
	(void)t;
	return ALL_REFUSED(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1),
	                   syscall(SYS_add_key, "user", "hostile", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

static int try_perf(const struct try *t)
{
	char attr[128] = {1, 0, 0, 0, 128};

	(void)t;
	return refused(syscall(SYS_perf_event_open, attr, 0, -1, -1, 0));
}

/* -- memory -- */

static int try_truncate(const struct try *t)
{
	(void)t;
	for (int fd = PROTO_FD_WINDOW; fd < 16; fd++) {
		if (ftruncate(fd, 0) == 0 || ftruncate(fd, 1 << 30) == 0 ||
		    syscall(SYS_fallocate, fd, 0, 0, 1 << 30) == 0)
			return 0;
	}
	return errno;
}

/* The memory that stands behind the output ends with the memfd. */
static int try_write_beyond(const struct try *t)
{
	const size_t page = 4096, size = (t->io->out_size + page - 1) / page * page;
	uint8_t *out;

	for (int fd = 0; fd < 16; fd++) {
		if (fd != STDERR_FILENO && syscall(SYS_pwrite64, fd, "x", 1, t->io->out_size + page) >= 0)
			return 0;
	}
	out = mremap(t->io->out, size, size + page, MREMAP_MAYMOVE);
	if (out == MAP_FAILED)
		return errno;
	out[size] = 1;
	return 0;
}

static int try_code(const struct try *t)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)t;
	return ALL_REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC),
	                   mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}

/* As much as there is, of every kind, up to 10 GB. */
static int try_memory(const struct try *t)
{
	static const int kinds[] = {MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE | MAP_GROWSDOWN};
	const size_t step = 16 << 20;
	size_t got = 0;
	int err = 0;

	for (size_t i = 0; i < 3; i++) {
		while (got < (size_t)10 << 30) {
			uint8_t *p = mmap(NULL, step, PROT_READ | PROT_WRITE, kinds[i] | MAP_ANONYMOUS, -1, 0);

			if (p == MAP_FAILED) {
				err = errno;
				break;
			}
			for (size_t k = 0; k < step; k += 4096)
				p[k] = 1;
			got += step;
		}
	}
	snprintf(t->note, 64, " after %zu MiB", got >> 20);
	return got < (size_t)10 << 30 ? err : 0;
}

/* -- the daemon's patience -- */

static int try_loop(const struct try *t)
{
	for (volatile const struct try *same = t; same == t;)
		;
	return 0;
}

static int try_silence(const struct try *t)
{
	char byte;

	while (recv(t->io->socket, &byte, 1, 0) > 0)
		;
	return 0;
}

static int try_lies(const struct try *t)
{
	struct proto_done done = {.type = PROTO_DONE, .job = t->job->job + 1, .out_len = UINT64_MAX};

	send(t->io->socket, &done, sizeof(done), MSG_NOSIGNAL);
	return try_silence(t);
}

static int try_messages(const struct try *t)
{
	for (int i = 0; i < 1000000; i++) {
		struct proto_want want = {.type = PROTO_WANT, .len = 1};
		struct proto_release release = {.type = PROTO_RELEASE};
		struct proto_data data;

		if (send(t->io->socket, &want, sizeof(want), MSG_NOSIGNAL) < 0 ||
		    recv(t->io->socket, &data, sizeof(data), 0) != sizeof(data))
			return errno;
		release.slot = data.slot;
		send(t->io->socket, &release, sizeof(release), MSG_NOSIGNAL);
	}
	return try_silence(t);
}

/* A second start, with another process to follow. */
static int try_start_again(const struct try *t)
{
	struct proto_started m = {.type = PROTO_STARTED, .pid = t->pid};

	send(t->io->socket, &m, sizeof(m), MSG_NOSIGNAL);
	return try_silence(t);
}

static int try_exit(const struct try *t)
{
	(void)t;
	_exit(0);
}

static const struct {
	const char *name;
	try_fn *try;
} tries[] = {
	{"open", try_open}, {"openat2", try_openat2}, {"creat", try_creat}, {"memfd", try_memfd},
	{"proc", try_proc}, {"socket", try_socket}, {"connect", try_connect}, {"exec", try_exec},
	{"fork", try_fork}, {"ptrace", try_ptrace}, {"kill", try_kill},
	{"process_vm_readv", try_process_vm_readv}, {"limits", try_limits},
	{"io_uring_setup", try_io_uring}, {"bpf", try_bpf}, {"userfaultfd", try_userfaultfd},
	{"mount", try_mount}, {"unshare", try_unshare}, {"keyctl", try_keyctl},
	{"perf_event_open", try_perf}, {"truncate", try_truncate}, {"write_beyond", try_write_beyond},
	{"code", try_code}, {"memory", try_memory}, {"loop", try_loop}, {"silence", try_silence},
	{"lies", try_lies}, {"messages", try_messages}, {"start_again", try_start_again}, {"exit", try_exit},
};

static int obey(const char *command, const struct proto_job *job, struct job_io *io, char *why)
{
	char name[32] = "", note[64] = "";
	long pid = 0;
	struct try t = {.job = job, .io = io, .note = note};
	int err;

	sscanf(command, "HOSTILE %31s %ld", name, &pid);
	t.pid = (pid_t)pid;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		if (strcmp(name, tries[i].name) != 0)
			continue;
		err = tries[i].try(&t);
		return why_set(why, -EBADMSG, "%s: %s%s%s", name, err ? "refused, " : "DONE",
		               err ? strerrorname_np(err) : "", note);
	}
	return why_set(why, -EBADMSG, "%s: nobody knows how", name);
}

static int do_job(const struct proto_job *job, struct job_io *io, struct proto_done *done)
{
	char command[64] = "";
	ssize_t n = job->object_size ? input_read(io->in, 0, command, sizeof(command) - 1) : 0;

	if (n > 0 && strncmp(command, "HOSTILE ", 8) == 0)
		return obey(command, job, io, done->why);
	return serve_job(job, io, done);
}

int main(int argc, char **argv)
{
	return serve_main(argc, argv, do_job);
}
