/* budget.h - hard memory bound for running jobs.
 *
 * A job reserves all it will need (input, output) before it starts, so that
 * jobs that hold something never wait for more and can't deadlock. Waiters are
 * served strictly in order. */
#ifndef S3SAMPLEFS_BASE_BUDGET_H
#define S3SAMPLEFS_BASE_BUDGET_H

#include <stddef.h>

struct budget;
struct stats;

/* Embedded by whoever waits; untouched by the caller between budget_reserve
 * and its callback. */
struct budget_wait {
	struct budget_wait *next;
	size_t bytes;
	void (*granted)(struct budget_wait *w);
};

struct budget *budget_new(size_t total, struct stats *stats);
void budget_free(struct budget *b);

/* Reserves w->bytes (w->bytes and w->granted set by the caller). Returns 1 if
 * granted at once (granted is not called), 0 if granted will be called later
 * from the thread that releases, with no lock held; -ENOMEM if bytes > total:
 * such a job can never run. */
int budget_reserve(struct budget *b, struct budget_wait *w);

void budget_release(struct budget *b, size_t bytes);

size_t budget_total(const struct budget *b);

#endif
