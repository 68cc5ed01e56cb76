/* sandbox.h - what a worker takes away from itself before it sees any media.
 *
 * The daemon has set RLIMIT_DATA and RLIMIT_CPU already and passes no other
 * descriptors than those of media/proto.h; this is the worker's own half. */
#ifndef S3SAMPLEFS_WORKER_SANDBOX_H
#define S3SAMPLEFS_WORKER_SANDBOX_H

/* No new privileges, no core, no file growth, no descriptors but 0 to 4 and
 * those a job brings. Returns 0 or -errno. Call once, single-threaded, after
 * everything that has to be loaded from files was loaded. */
int sandbox_enter(void);

#endif
