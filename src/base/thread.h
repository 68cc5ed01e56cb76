/* thread.h - starting a thread that signals leave alone.
 *
 * Signals belong to the main thread: every other one of ours is started with all
 * of them blocked, but for one that may be meant for it. */
#ifndef S3SAMPLEFS_BASE_THREAD_H
#define S3SAMPLEFS_BASE_THREAD_H

#include <pthread.h>

/* name: at most 15 bytes, for ps and gdb. open: the signal it hears, or 0. The
 * caller's own mask is as before. Returns 0 or -errno. */
int thread_start(pthread_t *ret, const char *name, int open, void *(*run)(void *), void *arg);

#endif
