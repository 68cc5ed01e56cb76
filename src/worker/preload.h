/* preload.h - what libraries open at their first use, opened before the sandbox is closed. */
#ifndef S3SAMPLEFS_WORKER_PRELOAD_H
#define S3SAMPLEFS_WORKER_PRELOAD_H

/* Failures are no error: the library then does later what it does where a file is missing. */
void preload(void);

#endif
