/* How the gradients of ranks are added up: what is chosen, and what speaks against NCCL. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "train/reduce.h"
#include "util/why.h"

enum { RANKS = 3 };

/* Ranks that NCCL could add up. */
static void fill(struct reduce_rank all[RANKS], enum reduce wanted)
{
	for (int r = 0; r < RANKS; r++) {
		all[r] = (struct reduce_rank){ .wanted = (uint8_t)wanted, .built = true, .gpu = true };
		all[r].place[REDUCE_PLACE - 1] = (uint8_t)r;
	}
}

static void expect(const struct reduce_rank *all, int err, bool nccl, const char *says)
{
	struct why why = { "" };
	bool got = !nccl;

	assert_int_equal(reduce_choose(all, RANKS, &got, &why), err);
	if (!err)
		assert_int_equal(got, nccl);
	if (!strstr(why.text, says) || (!*says && *why.text))
		fail_msg("\"%s\" doesn't say \"%s\"", why.text, says);
}

static void gpus_of_their_own_add_up_by_nccl(void **state)
{
	struct reduce_rank all[RANKS];

	(void)state;
	fill(all, REDUCE_AUTO);
	expect(all, 0, true, "");
	fill(all, REDUCE_NCCL);
	expect(all, 0, true, "");
	fill(all, REDUCE_MPI);
	expect(all, 0, false, "as asked for");
	/* One command line is taken for all. */
	all[0].wanted = REDUCE_AUTO;
	expect(all, 0, true, "");
}

/* Told if NCCL was asked for; else done without. */
static void what_speaks_against_it_is_named(void **state)
{
	static const char *const says[] = {
		"rank 1 computes on the CPU", "this program was built without NCCL",
		"doesn't promise the order", "ranks 0 and 2 share a GPU",
	};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct reduce_rank all[RANKS];

		for (int wanted = REDUCE_AUTO; wanted <= REDUCE_MPI; wanted++) {
			fill(all, (enum reduce)wanted);
			all[1].gpu = i != 0;
			all[1].built = i != 1;
			all[1].deterministic = i == 2;
			if (i == 3)
				all[2].place[REDUCE_PLACE - 1] = 0;
			expect(all, wanted == REDUCE_NCCL ? -EINVAL : 0, false,
			       wanted == REDUCE_MPI ? "as asked for" : says[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gpus_of_their_own_add_up_by_nccl),
		cmocka_unit_test(what_speaks_against_it_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
