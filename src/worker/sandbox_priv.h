/* sandbox_priv.h - between the files of the sandbox. */
#ifndef S3SAMPLEFS_WORKER_SANDBOX_PRIV_H
#define S3SAMPLEFS_WORKER_SANDBOX_PRIV_H

#include <stdbool.h>
#include <sys/types.h>

#include "media/proto.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANDBOX_SANITIZED = 1 };
#else
enum { SANDBOX_SANITIZED = 0 };
#endif

/* What has come about. */
struct sandbox {
	char missing[PROTO_WHY_MAX];  /* what hasn't: "no network namespace, no ... (Operation not permitted)" */
	int last_err;                 /* of the last in the list */
	bool own_users;               /* a user namespace */
	bool own_pids;                /* children will be in a PID namespace, the first one as its init */
};

/* Adds "no WHAT (strerror)". err: an errno. */
void sandbox_miss(struct sandbox *s, const char *what, int err);

/* sandbox_space.c: namespaces, user, capabilities. After it no file can be opened by name. */
void sandbox_leave_the_world(struct sandbox *s);

/* sandbox_init.c: forks the namespace's init and, beside it, the process that returns from here
 * (0, with its pid as the daemon sees it); the caller ends. Both are children of the daemon. Or
 * returns -errno in the caller, which then goes on by itself. */
int sandbox_fork(pid_t *ret_pid);

/* sandbox_filter.c: from here on only what a decoder needs; all else is EPERM. Returns 0 or
 * -errno. */
int sandbox_filter(void);

#endif
