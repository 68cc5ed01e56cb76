/* workq.h - a fixed set of threads that run short blocking tasks (local disk,
 * name resolution), so that nobody else has to block. */
#ifndef S3SAMPLEFS_BASE_WORKQ_H
#define S3SAMPLEFS_BASE_WORKQ_H

struct workq;

/* threads > 0. name is at most 15 bytes (thread name). NULL when threads can't
 * be had. */
struct workq *workq_new(const char *name, unsigned threads);

/* Runs fn(arg) on one of the threads, in order of submission. Never blocks.
 * Returns 0, -ENOMEM, or -ESHUTDOWN once workq_free has begun (a task of the
 * queue may still call then); on an error fn is not run. */
int workq_submit(struct workq *q, void (*fn)(void *arg), void *arg);

/* Runs everything submitted, joins the threads, frees. NULL is allowed. */
void workq_free(struct workq *q);

#endif
