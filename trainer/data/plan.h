/* plan.h - the batches of a run, one after the other: those of training, then those of
 * validation, epoch after epoch. A batch is a stretch of positions in the epoch's order,
 * of which each rank has its own part. Pure arithmetic. */
#ifndef S3SAMPLE_DATA_PLAN_H
#define S3SAMPLE_DATA_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan {
	size_t n_train, n_val;
	size_t batch;           /* samples of all ranks together */
	uint32_t epochs;
};

/* Where in the plan: the next batch. position == n_train: validation is next. */
struct plan_cursor {
	uint32_t epoch;
	size_t position;        /* training samples of the epoch that are done */
	size_t validated;       /* validation samples of the epoch that are done */
};

struct plan_batch {
	uint32_t epoch;
	bool training;
	size_t first, n;        /* positions; n <= plan.batch */
	bool last;              /* of this epoch and kind */
};

/* The batch at the cursor, which moves on. Returns false at the end. */
bool plan_next(const struct plan *p, struct plan_cursor *c, struct plan_batch *ret);

/* Training batches of an epoch. */
size_t plan_steps(const struct plan *p);

#endif
