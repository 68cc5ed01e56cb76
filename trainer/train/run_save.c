#include <errno.h>
#include <stdlib.h>

#include "dist/dist.h"
#include "train/bad.h"
#include "train/options.h"
#include "train/run_priv.h"
#include "util/why.h"

static int save(struct run *r, struct why *why)
{
	uint32_t *bad = bad_numbers(r->bad);
	struct state s = {
		.progress = r->progress,
		.seed = r->o->seed,
		.samples_sha256 = r->samples->sha256,
		.settings = r->settings.data,
		.environment = r->environment.data,
		.classes = (const char *const *)r->samples->class,
		.n_classes = r->samples->n_classes,
		.bad = bad,
		.n_bad = bad_count(r->bad),
	};
	int err;

	if (!bad)
		return why_no_memory(why);
	s.progress.cursor.validated = 0;
	s.progress.scaler = scaler_state(r->scaler);
	err = state_save(r->checkpoint, r->backend, r->model, r->optimizer, &s, why);
	free(bad);
	return err;
}

int run_save(struct run *r, struct why *why)
{
	/* of rank 0: it could not be written; the weights aren't worth it */
	double failed[2] = { 0 };
	int err = 0;

	if (dist_rank(r->dist) == 0) {
		err = save(r, why);
		failed[0] = err != 0;
		failed[1] = err == -ERANGE;
	}
	if (dist_sum_doubles(r->dist, failed, 2) && !err)
		err = why_set(why, -EIO, "the other ranks can't be reached");
	if (failed[0] > 0 && !err)
		err = why_set(why, failed[1] > 0 ? -ERANGE : -EIO, "rank 0 could not write the checkpoint");
	r->save_failed = err != 0;
	return err;
}
