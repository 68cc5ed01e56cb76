/* sandbox.h - what a worker takes away from itself before it sees any media: files, network,
 * other processes, system calls.
 *
 * The daemon has set RLIMIT_DATA and RLIMIT_CPU already and passes no other descriptors than
 * those of media/proto.h; this is the worker's own half. In the order in which it is done:
 *
 *   oom_score_adj      the kernel, out of memory, takes a worker and not the daemon
 *   sandbox_space.c    namespaces: user, mount, network, IPC, PID; no root directory; as root
 *                      the user nobody; no capabilities
 *   sandbox_init.c     into the PID namespace: forks its init and the worker
 *   sandbox.c          limits
 *   sandbox_filter.c   the filter of system calls
 *
 * What the kernel refuses is left out and told, or ends the worker where all of it is required.
 * Sanitizers need to open files and to trace their own threads: built with one, a worker
 * stays where it can, and the filter lets that pass. The thread sanitizer's own thread keeps it out
 * of a user namespace as well. */
#ifndef S3SAMPLEFS_WORKER_SANDBOX_H
#define S3SAMPLEFS_WORKER_SANDBOX_H

#include <stdbool.h>

/* Goes into the sandbox and says STARTED over socket. Returns 0 in the process that is to serve,
 * which may be a child: the caller then has ended. Or -errno, said as well, with
 * why[PROTO_WHY_MAX]: require is set and something is missing, or nothing could be done at all.
 * Call once, single-threaded, after everything that has to be loaded from files was loaded. */
int sandbox_enter(int socket, bool require, char *why);

#endif
