/* worker_proc.h - one worker process: started with nothing it doesn't need,
 * killed, reaped, and its end told in words.
 *
 * A child gets two descriptors besides the standard ones (media/proto.h), no
 * environment but LANG and what sanitizers and the dynamic linker need, no
 * signal masks or dispositions of ours, its own session, and dies with the
 * thread that started it. It knows nothing of jobs. */
#ifndef S3SAMPLEFS_MEDIA_WORKER_PROC_H
#define S3SAMPLEFS_MEDIA_WORKER_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "media/memfd.h"

#define WORKER_PROC_WHY_MAX 256

struct worker_proc {
	pid_t pid;               /* 0: no process */
	pid_t group;             /* of it and what it was started with: the pid at first */
	uint64_t cpu_s;          /* of the last worker_proc_limit_cpu */
	int pidfd;               /* readable once it has ended */
	int socket;              /* our end, non-blocking */
	struct memfd window;     /* mapped writable, its descriptor closed */
	size_t memory;           /* bytes, as given to spawn */
	size_t spawner_rss;      /* bytes; see worker_proc_reap */
};

/* Starts binary (absolute path) with RLIMIT_DATA memory bytes (0: none); require_sandbox: with
 * PROTO_ARG_REQUIRE. The child gets SIGKILL when the calling thread ends, so only a thread that stays
 * may call. Returns 0 once the program has been executed, else -errno with
 * why[WORKER_PROC_WHY_MAX] filled. */
int worker_proc_spawn(const char *binary, size_t memory, bool require_sandbox, char *why,
                      struct worker_proc *ret_proc);

/* It goes on as the process pid, another child of ours that it has made (with CLONE_PARENT, in its
 * own process group): that one is watched, limited and reaped from now on, and the first one
 * is ended. Returns 0 with another pidfd, or -errno with nothing changed; -ECHILD: not our
 * child. */
int worker_proc_follow(struct worker_proc *p, pid_t pid);

/* Lets it use cpu_s more seconds of CPU time than it has used so far; over
 * that it gets SIGXCPU. A process that has just ended is no error. */
void worker_proc_limit_cpu(struct worker_proc *p, uint64_t cpu_s);

void worker_proc_kill(const struct worker_proc *p);

/* If it has ended (or waits for that, with block): releases everything, fills
 * how[WORKER_PROC_WHY_MAX] ("crashed (SIGSEGV)", "ended with status 1"), tells whether
 * it was killed, by a signal that what it did itself can't have brought about, and
 * returns true. Else returns false and changes nothing. */
bool worker_proc_reap(struct worker_proc *p, bool block, char *how, bool *ret_killed);

#endif
