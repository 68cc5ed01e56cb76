#include "train/reduce.h"

#include <errno.h>
#include <string.h>

#include "util/why.h"

/* Two ranks with one GPU, if there are any. */
static bool find_shared(const struct reduce_rank *all, unsigned ranks, unsigned *ret_a,
                        unsigned *ret_b)
{
	for (unsigned b = 1; b < ranks; b++) {
		for (unsigned a = 0; a < b; a++) {
			if (memcmp(all[a].place, all[b].place, REDUCE_PLACE) == 0) {
				*ret_a = a;
				*ret_b = b;
				return true;
			}
		}
	}
	return false;
}

/* What speaks against NCCL, in why; false: nothing. */
static bool object(const struct reduce_rank *all, unsigned ranks, struct why *why)
{
	unsigned a, b;

	for (unsigned r = 0; r < ranks; r++) {
		if (!all[r].gpu)
			why_set(why, 0, "rank %u computes on the CPU", r);
		else if (!all[r].built)
			why_set(why, 0, "this program was built without NCCL");
		else if (all[r].deterministic)
			why_set(why, 0, "NCCL doesn't promise the order of a sum, which deterministic asks for");
		else
			continue;
		return true;
	}
	if (!find_shared(all, ranks, &a, &b))
		return false;
	why_set(why, 0, "ranks %u and %u share a GPU, which NCCL doesn't allow", a, b);
	return true;
}

int reduce_choose(const struct reduce_rank *all, unsigned ranks, bool *ret_nccl, struct why *why)
{
	struct why reason;
	bool objection = object(all, ranks, &reason);

	if (all[0].wanted == REDUCE_NCCL && objection)
		return why_set(why, -EINVAL, "reduce = nccl: %s; reduce = mpi does without", reason.text);
	if (all[0].wanted == REDUCE_MPI)
		why_set(why, 0, "as asked for");
	else if (objection)
		*why = reason;
	*ret_nccl = all[0].wanted != REDUCE_MPI && !objection;
	return 0;
}
