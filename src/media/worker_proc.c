#include "media/worker_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "media/proto.h"

/* Everything else of our environment may hold credentials. */
static const char *const kept_variables[] = {
	"ASAN_OPTIONS=", "TSAN_OPTIONS=", "UBSAN_OPTIONS=", "LD_LIBRARY_PATH=",
};
#define N_KEPT (sizeof(kept_variables) / sizeof(kept_variables[0]))

/* Above all descriptors the child is to have, so that moving one can't
 * overwrite another. */
#define FD_TEMPORARY 16
#define STACK_MAX ((rlim_t)8 << 20)    /* bytes; what Linux gives by default */

/* All that the child needs, made before it exists: between vfork and exec it
 * shares our memory and may call async-signal-safe functions only. */
struct plan {
	const char *binary, *argument;    /* argument NULL: none */
	size_t memory;
	pid_t parent;
	int null, socket, window;
	int report;                       /* takes an errno when exec doesn't come about */
	char *env[N_KEPT + 2];
};

static void describe(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void describe(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, WORKER_PROC_WHY_MAX, fmt, ap);
	va_end(ap);
}

static void plan_environment(struct plan *plan)
{
	static char lang[] = "LANG=C.UTF-8";
	size_t n = 0;

	plan->env[n++] = lang;
	for (size_t k = 0; k < N_KEPT; k++) {
		for (char **e = environ; e && *e; e++) {
			if (strncmp(*e, kept_variables[k], strlen(kept_variables[k])) == 0) {
				plan->env[n++] = *e;
				break;
			}
		}
	}
	plan->env[n] = NULL;
}

/* Dispositions we ignore would stay ignored, and our mask would stay. */
static int child_reset_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL); /* fails for SIGKILL, SIGSTOP and the C library's own */
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_limit(const struct plan *plan)
{
	struct rlimit core = { 0, 0 }, data = { plan->memory, plan->memory };
	struct rlimit stack;

	if (setrlimit(RLIMIT_CORE, &core) < 0)
		return -1;
	/* RLIMIT_DATA doesn't count it, and "ulimit -s unlimited" is common. */
	if (getrlimit(RLIMIT_STACK, &stack) < 0)
		return -1;
	if (stack.rlim_cur > STACK_MAX)
		stack.rlim_cur = STACK_MAX;
	if (stack.rlim_max > STACK_MAX)
		stack.rlim_max = STACK_MAX;
	if (plan->memory && setrlimit(RLIMIT_STACK, &stack) < 0)
		return -1;
	if (plan->memory && setrlimit(RLIMIT_DATA, &data) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int child_place_descriptors(const struct plan *plan)
{
	int null = fcntl(plan->null, F_DUPFD_CLOEXEC, FD_TEMPORARY);
	int socket = fcntl(plan->socket, F_DUPFD_CLOEXEC, FD_TEMPORARY);
	int window = fcntl(plan->window, F_DUPFD_CLOEXEC, FD_TEMPORARY);

	if (null < 0 || socket < 0 || window < 0)
		return -1;
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(socket, PROTO_FD_SOCKET) < 0 ||
	    dup2(window, PROTO_FD_WINDOW) < 0)
		return -1;
#ifdef S3SAMPLEFS_SANITIZE
	const bool keeps_stderr = fcntl(2, F_GETFD) == 0; /* for the sanitizers' reports */
#else
	const bool keeps_stderr = false; /* a log is not a decoder's to write to */
#endif
	if (!keeps_stderr && dup2(null, 2) < 0)
		return -1;
	return close_range(PROTO_FD_WINDOW + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

static void child_main(const struct plan *plan) __attribute__((noreturn));

static void child_main(const struct plan *plan)
{
	char *const argv[] = {
		(char *)(uintptr_t)plan->binary, (char *)(uintptr_t)plan->argument, NULL,
	};
	int err, report = fcntl(plan->report, F_DUPFD_CLOEXEC, FD_TEMPORARY);

	if (report < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		goto fail;
	if (getppid() != plan->parent) /* it ended before the line above */
		_exit(127);
	/* A new session: the terminal's signals are meant for the daemon, which
	 * ends its workers itself. "/": no worker keeps a folder busy. */
	if (setsid() < 0 || chdir("/") < 0 || child_reset_signals() < 0 || child_limit(plan) < 0)
		goto fail;
	if (child_place_descriptors(plan) < 0)
		goto fail;
	execve(plan->binary, argv, plan->env);
fail:
	err = errno;
	if (write(report >= 0 ? report : plan->report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* In a function of its own: nothing the parent uses later lives in its frame. */
static pid_t start_child(const struct plan *plan)
{
	pid_t pid = vfork();

	if (pid == 0)
		child_main(plan);
	return pid < 0 ? -errno : pid;
}

/* Starts it with all signals blocked: a handler of ours must not run in the
 * child while it shares our memory. */
static pid_t start_child_quietly(const struct plan *plan)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = start_child(plan);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return pid;
}

static pid_t wait_for(pid_t pid, int flags, int *status, struct rusage *usage)
{
	pid_t got;

	do
		got = wait4(pid, status, flags, usage);
	while (got < 0 && errno == EINTR);
	return got;
}

/* 0 once the program runs, else -errno of what kept it from that. */
static int await_exec(int report)
{
	int err = 0;
	ssize_t n;

	do
		n = read(report, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	return n == (ssize_t)sizeof(err) && err > 0 ? -err : -EIO;
}

/* Forks, checks that the program was executed, opens the pidfd. */
static int execute(const struct plan *plan, int report, struct worker_proc *proc)
{
	int err, status;
	pid_t pid = start_child_quietly(plan);

	close(plan->report); /* ours only; the end of file is exec's */
	if (pid < 0)
		return pid;
	err = await_exec(report);
	if (err)
		goto reap;
	proc->pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by definition */
	if (proc->pidfd < 0) {
		err = -errno;
		kill(pid, SIGKILL);
		goto reap;
	}
	proc->pid = proc->group = pid; /* by setsid() */
	return 0;
reap:
	wait_for(pid, 0, &status, NULL);
	return err;
}

static int open_channel(struct worker_proc *proc, int *ret_child_socket)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) {
		int err = -errno;

		close(pair[0]);
		close(pair[1]);
		return err;
	}
	proc->socket = pair[0];
	*ret_child_socket = pair[1];
	return 0;
}

int worker_proc_spawn(const char *binary, size_t memory, bool require_sandbox, char *why,
                      struct worker_proc *ret_proc)
{
	struct worker_proc proc = { .pidfd = -1, .socket = -1, .memory = memory };
	struct plan plan = {
		.binary = binary, .argument = require_sandbox ? PROTO_ARG_REQUIRE : NULL,
		.memory = memory, .parent = getpid(), .null = -1, .socket = -1,
	};
	struct rusage self;
	int report[2], err;

	plan_environment(&plan);
	getrusage(RUSAGE_SELF, &self);
	proc.spawner_rss = (size_t)self.ru_maxrss * 1024;
	err = memfd_new("s3samplefs-window", (size_t)PROTO_SLOTS * PROTO_SLOT_SIZE,
	                PROT_READ | PROT_WRITE, &proc.window);
	if (err)
		goto out;
	err = open_channel(&proc, &plan.socket);
	if (err)
		goto free_window;
	plan.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (plan.null < 0 || pipe2(report, O_CLOEXEC) < 0) {
		err = -errno;
		goto close_channel;
	}
	plan.window = proc.window.fd;
	plan.report = report[1];
	err = execute(&plan, report[0], &proc); /* closes report[1] */
	close(report[0]);
close_channel:
	if (plan.null >= 0)
		close(plan.null);
	close(plan.socket);
	if (err)
		close(proc.socket);
	memfd_close(&proc.window);
free_window:
	if (err)
		memfd_done(&proc.window);
out:
	if (err)
		describe(why, "can't start %s: %s", binary, strerror(-err));
	else
		*ret_proc = proc;
	return err;
}

static bool is_our_child(pid_t pid)
{
	siginfo_t info;

	return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int worker_proc_follow(struct worker_proc *p, pid_t pid)
{
	int pidfd, status;

	if (!is_our_child(pid) || pid == p->pid)
		return -ECHILD;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	worker_proc_kill(p);
	wait_for(p->pid, 0, &status, NULL);
	close(p->pidfd);
	p->pidfd = pidfd;
	p->pid = pid;
	p->spawner_rss = 0; /* forked after exec, it counts from its own start */
	if (p->cpu_s)
		worker_proc_limit_cpu(p, p->cpu_s);
	return 0;
}

void worker_proc_limit_cpu(struct worker_proc *p, uint64_t cpu_s)
{
	struct rlimit limit;
	struct timespec used;
	clockid_t clock;

	p->cpu_s = cpu_s;
	if (clock_getcpuclockid(p->pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
		return;
	if (prlimit(p->pid, RLIMIT_CPU, NULL, &limit) < 0)
		return;
	/* The soft limit only: a lowered hard one can't be raised again. */
	limit.rlim_cur = (rlim_t)used.tv_sec + 1 + cpu_s;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	prlimit(p->pid, RLIMIT_CPU, &limit, NULL);
}

void worker_proc_kill(const struct worker_proc *p)
{
	kill(p->pid, SIGKILL); /* not reaped yet, so the number is still its own */
}

/* The kernel tells the peak of the resident set, counted from before exec: as
 * vfork shares our memory, ours is in it. Only a peak above ours is the
 * child's. Within an eighth of the limit, the limit is the likely cause. */
static bool was_at_memory_limit(const struct worker_proc *p, const struct rusage *usage)
{
	size_t peak = (size_t)usage->ru_maxrss * 1024;

	return p->memory && peak > p->spawner_rss && peak >= p->memory - p->memory / 8;
}

/* Signals that a program gets for what it does: for wrong memory accesses, from its own
 * abort(), from our filter of system calls and our limits. Any other comes from outside: the
 * kernel out of memory, a person, a supervisor. A lost socket is no doing of its file either. */
static bool is_own_doing(int sig)
{
	switch (sig) {
	case SIGSEGV:
	case SIGABRT:
	case SIGILL:
	case SIGBUS:
	case SIGFPE:
	case SIGSYS:
	case SIGTRAP:
	case SIGXCPU:
	case SIGXFSZ:
		return true;
	default:
		return false;
	}
}

static void describe_end(const struct worker_proc *p, int status, const struct rusage *usage,
                         char *how)
{
	char memory[64] = "";

	if (was_at_memory_limit(p, usage))
		snprintf(memory, sizeof(memory), ", at its memory limit of %zu MiB",
		         p->memory >> 20);
	if (!WIFSIGNALED(status)) {
		describe(how, "ended with status %d%s", WEXITSTATUS(status), memory);
	} else if (WTERMSIG(status) == SIGXCPU) {
		describe(how, "used up its CPU time (SIGXCPU)");
	} else {
		const char *name = sigabbrev_np(WTERMSIG(status));

		describe(how, "%s (SIG%s)%s", is_own_doing(WTERMSIG(status)) ? "crashed" : "was killed",
		         name ? name : "?", memory);
	}
}

/* Whether it has ended; it stays to be reaped, so that its number and its group's stay its own. */
static bool has_ended(const struct worker_proc *p, bool block)
{
	siginfo_t info = { 0 };
	int err;

	do
		err = waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOWAIT | (block ? 0 : WNOHANG));
	while (err < 0 && errno == EINTR);
	if (err == 0 && info.si_pid)
		kill(-p->group, SIGKILL); /* what it was started with goes with it */
	return err < 0 || info.si_pid;
}

bool worker_proc_reap(struct worker_proc *p, bool block, char *how, bool *ret_killed)
{
	struct rusage usage;
	int status, others;
	pid_t got;

	if (!has_ended(p, block))
		return false;
	got = wait_for(p->pid, 0, &status, &usage);
	if (got < 0) /* whoever started us ignores SIGCHLD, or another part of us took it */
		describe(how, "ended, nobody knows how (%s)", strerror(errno));
	else
		describe_end(p, status, &usage, how);
	while (wait_for(-p->group, 0, &others, NULL) > 0)
		continue;
	*ret_killed = got < 0 || (WIFSIGNALED(status) && !is_own_doing(WTERMSIG(status)));
	close(p->pidfd);
	close(p->socket);
	memfd_done(&p->window);
	*p = (struct worker_proc){ .pidfd = -1, .socket = -1 };
	return true;
}
