/* reduce.h - how the gradients of several ranks are added up: within their GPUs, by NCCL, or
 * through the host's memory, by MPI, in the order of ranks. Only the choice; it is the same on all
 * ranks, as each has heard of all. */
#ifndef S3SAMPLE_TRAIN_REDUCE_H
#define S3SAMPLE_TRAIN_REDUCE_H

#include <stdbool.h>
#include <stdint.h>

struct why;

/* What was asked for. */
enum reduce { REDUCE_AUTO, REDUCE_NCCL, REDUCE_MPI };

#define REDUCE_PLACE 48 /* bytes */

/* What a rank tells the others, as bytes. */
struct reduce_rank {
	uint8_t wanted;         /* enum reduce; that of rank 0 is taken */
	uint8_t built;          /* with NCCL */
	uint8_t gpu;            /* it computes on one */
	uint8_t place[REDUCE_PLACE]; /* which that is; the same for two ranks that share one */
	uint8_t deterministic;
};

/* ranks: from 1. Returns 0: *ret_nccl says which way, and why, if that isn't NCCL, what speaks
 * against it. -EINVAL with why if NCCL was asked for and can't be used. */
int reduce_choose(const struct reduce_rank *all, unsigned ranks, bool *ret_nccl, struct why *why);

#endif
