#include "worker/sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Decoders compute. They need memory, threads, clocks and their socket; their files are two
 * mappings. Whatever isn't listed here is EPERM rather than death, since a library may try it and
 * go on without (a character set's table, /dev/urandom). What only a library's first use needs has
 * been done by preload.c.
 *
 * Pointers can't be looked into: no clone3, whose flags are behind one. ENOSYS makes the C library
 * fall back on clone. */

#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* What pthread_create() asks for, and nothing that would make a process or a namespace. */
#define THREAD_FLAGS                                                                              \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |       \
	 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#define THREAD_FLAGS_MAY CLONE_DETACHED    /* without effect since Linux 2.6; musl sets it */

#define ALLOW SCMP_ACT_ALLOW
#define IF(call, first) { ALLOW, SCMP_SYS(call), 1, { first } }
#define IF_BOTH(call, first, second) { ALLOW, SCMP_SYS(call), 2, { first, second } }
#define ANY(name) { .action = ALLOW, .call = SCMP_SYS(name) }
/* conditions: the argument's bits under a mask, and the whole argument */
#define BITS(arg, mask, value) { (arg), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value) }
#define IS(arg, value) { (arg), SCMP_CMP_EQ, (scmp_datum_t)(value), 0 }

struct rule {
	uint32_t action;
	int call;
	unsigned n;
	struct scmp_arg_cmp args[2];
};

static const struct rule rules[] = {
	/* the socket; descriptors of a job */
	ANY(recvmsg), ANY(recvfrom), ANY(sendto), ANY(sendmsg), ANY(close), ANY(lseek),
	/* words to stderr, which is /dev/null: of abort(), and of sanitizers */
	IF(write, IS(0, STDERR_FILENO)), IF(writev, IS(0, STDERR_FILENO)),

	/* Memory that RLIMIT_DATA counts, and memfds; never code. Shared memory without a file and
	 * stacks that grow by themselves aren't counted. */
	IF_BOTH(mmap, BITS(2, PROT_EXEC, 0),
	     BITS(3, MAP_TYPE | MAP_GROWSDOWN | MAP_HUGETLB, MAP_PRIVATE)),
	IF_BOTH(mmap, BITS(2, PROT_EXEC, 0), BITS(3, MAP_TYPE | MAP_ANONYMOUS, MAP_SHARED)),
	IF(mprotect, BITS(2, PROT_EXEC | PROT_GROWSDOWN | PROT_GROWSUP, 0)),
	ANY(munmap), ANY(mremap), ANY(madvise), ANY(brk),

	/* threads */
	IF(clone, BITS(CLONE_FLAGS, ~(uint64_t)THREAD_FLAGS_MAY, THREAD_FLAGS)),
	{ .action = SCMP_ACT_ERRNO(ENOSYS), .call = SCMP_SYS(clone3) },
	ANY(futex), ANY(set_robust_list), ANY(rseq), ANY(sched_yield), ANY(sched_getaffinity),
	ANY(exit), ANY(exit_group), ANY(gettid), ANY(getpid), ANY(restart_syscall),
	IF(prctl, IS(0, PR_SET_NAME)), IF(prctl, IS(0, PR_GET_NAME)),
	/* pthread_getattr_np() asks how large the stack may get */
	IF_BOTH(prlimit64, IS(0, 0), IS(2, 0)), ANY(getrlimit),

	/* signals: abort(); one for ourselves is added below */
	ANY(rt_sigaction), ANY(rt_sigprocmask), ANY(rt_sigreturn), ANY(sigaltstack),

	/* clocks and chance */
	ANY(clock_gettime), ANY(clock_getres), ANY(gettimeofday), ANY(time), ANY(nanosleep),
	ANY(clock_nanosleep), ANY(getrandom), ANY(getcpu),
	/* glibc's qsort() asks for the size of memory */
	ANY(sysinfo),
};

/* A report names its lines by the program file and /proc/self/maps; leaks are looked for by a
 * child that stops us with ptrace. */
static const struct rule sanitizer_rules[] = {
	IF(openat, BITS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
	IF(open, BITS(1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
	ANY(read), ANY(pread64), ANY(readlink), ANY(readlinkat), ANY(stat), ANY(lstat), ANY(fstat),
	ANY(newfstatat), ANY(statx), ANY(access), ANY(getdents), ANY(getdents64), ANY(getcwd),
	ANY(uname), ANY(pipe), ANY(pipe2), ANY(poll), ANY(dup), ANY(dup2), ANY(fcntl), ANY(ioctl), ANY(write),
	IF(clone, BITS(CLONE_FLAGS, CLONE_VM | CLONE_UNTRACED, CLONE_VM | CLONE_UNTRACED)),
	ANY(ptrace), ANY(wait4), ANY(prctl), ANY(getppid), ANY(getrusage), ANY(process_vm_readv),
	ANY(mincore), ANY(arch_prctl), ANY(prlimit64), ANY(setrlimit), ANY(personality),
	/* The shadow is made of mappings of all kinds. */
	ANY(mmap), ANY(mprotect),
};

static int add_rules(scmp_filter_ctx filter, const struct rule *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int err = seccomp_rule_add_array(filter, list[i].action, list[i].call, list[i].n, list[i].args);

		/* EDOM: this architecture doesn't have the call. EEXIST: a rule like it is there. */
		if (err && err != -EDOM && err != -EEXIST)
			return err;
	}
	return 0;
}

static int add_own_signal(scmp_filter_ctx filter)
{
	const struct rule any = IF(tgkill, IS(0, getpid()));
	/* abort() alone: who kills himself by SIGKILL would pass for the kernel's victim. */
	const struct rule abort_only = IF_BOTH(tgkill, IS(0, getpid()), IS(2, SIGABRT));

	return add_rules(filter, SANDBOX_SANITIZED ? &any : &abort_only, 1);
}

int sandbox_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!filter)
		return -ENOMEM;
	err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's errno */
	if (!err)
		err = add_rules(filter, rules, sizeof(rules) / sizeof(rules[0]));
	if (!err)
		err = add_own_signal(filter);
	if (!err && SANDBOX_SANITIZED)
		err = add_rules(filter, sanitizer_rules, sizeof(sanitizer_rules) / sizeof(sanitizer_rules[0]));
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
