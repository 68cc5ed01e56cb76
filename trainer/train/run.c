#include "train/run.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/text.h"
#include "data/hint.h"
#include "data/order.h"
#include "data/template.h"
#include "dist/dist.h"
#include "train/bad.h"
#include "train/interrupt.h"
#include "train/options.h"
#include "train/report.h"
#include "train/run_priv.h"
#include "util/why.h"

/* What all ranks have to agree on before a batch is used. */
enum vote { VOTE_WEIGHT, VOTE_BAD, VOTE_SIGINT, VOTE_SIGTERM, VOTE_ENDED, VOTE_FAILED, VOTES };

/* How the loop goes on. STOPPED: no batch could be had, but what is done is worth keeping;
 * FAILED: it isn't. */
enum next { NEXT_BATCH, NEXT_END, NEXT_SIGNAL, NEXT_STOPPED, NEXT_FAILED };

static double seconds(void)
{
	return (double)clock_ns() / 1e9;
}

static int unreachable(int err, struct why *why)
{
	return why_set(why, err, "the other ranks can't be reached: %s", strerror(-err));
}

/* ---- bad samples -------------------------------------------------------------------------- */

static int add_bad(struct run *r, const struct bad_sample *bad, size_t n, struct why *why)
{
	size_t added;

	if (bad_add(r->bad, bad, n, &added))
		return why_no_memory(why);
	for (size_t i = bad_count(r->bad) - added; i < bad_count(r->bad); i++) {
		const struct bad_sample *b = &bad_get(r->bad)[i];

		report_bad(r->report, r->samples->sample[b->sample].path, b->reason);
	}
	return 0;
}

/* Every rank learns of those of the others, so that all count the same. */
static int share_bad(struct run *r, const struct batch *b, struct why *why)
{
	size_t first = dist_rank(r->dist) * b->places;
	int err;

	memset(r->shared, 0, r->plan.batch * sizeof(*r->shared));
	for (size_t i = 0; i < b->n_bad; i++)
		r->shared[first + i] = b->bad[i].sample + 1.0;
	err = dist_sum_doubles(r->dist, r->shared, r->plan.batch);
	if (err)
		return unreachable(err, why);
	err = add_bad(r, b->bad, b->n_bad, why);
	for (size_t i = 0; i < r->plan.batch && !err; i++) {
		char reason[64];
		struct bad_sample other = { 0, reason };

		if (r->shared[i] < 1)
			continue;
		other.sample = (uint32_t)(r->shared[i] - 1);
		snprintf(reason, sizeof(reason), "rank %zu could not use it", i / b->places);
		err = add_bad(r, &other, 1, why);
	}
	return err;
}

static int check_bad(struct run *r, struct why *why)
{
	size_t n = bad_count(r->bad);
	const struct bad_sample *last = bad_get(r->bad) + n - 1;

	if ((double)n <= r->o->max_bad * (double)r->samples->n)
		return 0;
	return why_set(why, -EBADMSG, "%zu of %zu samples can't be used, more than max_bad = %g%% allows; "
	               "the last one: %.400s: %.400s", n, r->samples->n, r->o->max_bad * 100,
	               r->samples->sample[last->sample].path, last->reason);
}

/* ---- batches ------------------------------------------------------------------------------ */

/* The next batch, if all ranks have theirs and none was told to stop. *ret_weight: samples that
 * count, of all ranks. */
static enum next take_batch(struct run *r, struct batch **ret, double *ret_weight, struct why *why)
{
	double vote[VOTES] = { 0 };
	struct batch *b = NULL;
	int status = loader_next(r->loader, &b, why), err;

	vote[VOTE_ENDED] = status == 1;
	if (status == -EINTR)
		vote[interrupt_signal(r->interrupt) == SIGINT ? VOTE_SIGINT : VOTE_SIGTERM] = 1;
	vote[VOTE_FAILED] = status < 0 && status != -EINTR;
	for (size_t i = 0; b && i < b->places; i++)
		vote[VOTE_WEIGHT] += b->weights[i];
	vote[VOTE_BAD] = b ? (double)b->n_bad : 0;
	err = dist_sum_doubles(r->dist, vote, VOTES);
	if (err) {
		unreachable(err, why);
		return NEXT_FAILED;
	}
	if (vote[VOTE_FAILED] > 0) {
		if (status >= 0 || status == -EINTR)
			why_set(why, -EIO, "another rank failed");
		return NEXT_STOPPED;
	}
	/* All come to the end together; one that was interrupted there just hasn't seen it. */
	if (vote[VOTE_ENDED] > 0)
		return NEXT_END;
	/* Perhaps another rank alone was told. */
	if (vote[VOTE_SIGINT] > 0 || vote[VOTE_SIGTERM] > 0) {
		r->signal = vote[VOTE_SIGINT] > 0 ? SIGINT : SIGTERM;
		return NEXT_SIGNAL;
	}
	if (vote[VOTE_BAD] > 0 && share_bad(r, b, why)) {
		r->alone = true;
		return NEXT_FAILED;
	}
	if (vote[VOTE_BAD] > 0 && check_bad(r, why))
		return NEXT_STOPPED;
	*ret = b;
	*ret_weight = vote[VOTE_WEIGHT];
	return NEXT_BATCH;
}

/* Sums over all ranks of what a batch brought, in the order of places. */
static int sum_batch(struct run *r, const struct batch *b, double sums[2])
{
	sums[0] = sums[1] = 0;
	for (size_t i = 0; i < b->n; i++) {
		if (b->weights[i] > 0) {
			sums[0] += r->loss[i];
			sums[1] += r->hit[i];
		}
	}
	return dist_sum_doubles(r->dist, sums, 2);
}

/* scale: of the loss whose gradient will be wanted. */
static int forward(struct run *r, const struct batch *b, double weight, double scale)
{
	const struct model_input in = { b->frames, b->crops, b->mfcc, b->labels, b->weights };
	int err = model_load(r->model, &in);

	return err ? err : model_forward(r->model, (float)r->o->label_smoothing, (float)(scale / weight),
	                                 r->loss, r->hit);
}

static int device_failed(struct run *r, int err, struct why *why)
{
	r->alone = true;
	if (err == -ECONNRESET)
		return why_set(why, err, "another rank, or the way to it, was lost in a sum over all GPUs");
	return why_set(why, err, "the device failed: %s", backend_words(err));
}

/* From the gradients of all ranks to other weights, if they are numbers. */
static int change_weights(struct run *r, struct why *why)
{
	struct progress *p = &r->progress;
	float scale = scaler_scale(r->scaler);
	bool finite;
	int err = scaler_unscale(r->scaler, &finite);

	if (!finite) {
		if (p->left_out++ == 0)
			report_say(r->report, "step %" PRIu64 " is left out, as its gradients overflowed with "
			           "loss_scale = %.0f; others that are will be counted", p->step + 1,
			           (double)scale);
		report_overflow(r->report, p->step + 1, scale);
	}
	if (err == -ERANGE)
		return why_set(why, err, "the gradients overflow in every step, the last time in step %" PRIu64
		               " with loss_scale = %.0f: %s may help", p->step + 1, (double)scale,
		               r->o->loss_scale > 1 ? "a smaller one" : "a lower lr, or precision = bf16,");
	if (!err && finite)
		err = optimizer_step(r->optimizer, p->step, p->step - p->left_out);
	return err ? device_failed(r, err, why) : 0;
}

static int train(struct run *r, const struct batch *b, double weight, struct why *why)
{
	struct progress *p = &r->progress;
	double sums[2] = { 0 }, scale = scaler_state(r->scaler).scale;
	int err = 0;

	/* Without a sample there is no gradient, and the step counts all the same. */
	if (weight > 0) {
		err = forward(r, b, weight, scaler_scale(r->scaler));
		if (!err)
			err = sum_batch(r, b, sums);
		if (!err && !isfinite(sums[0]))
			return why_set(why, -ERANGE, "the loss is not finite any more in step %" PRIu64
			               ": a lower lr may help; the last checkpoint is from before", p->step + 1);
		if (!err)
			err = model_backward(r->model);
		if (!err)
			err = run_sum_grads(r);
		if (err)
			return device_failed(r, err, why);
		err = change_weights(r, why);
		if (err)
			return err;
	}
	p->step++;
	p->loss += sums[0];
	p->hits += sums[1];
	p->weight += weight;
	report_step(r->report, &(struct report_step){
		.step = p->step, .epoch = b->plan.epoch, .done = b->plan.first + b->plan.n,
		.total = r->plan.n_train, .weight = weight, .loss = sums[0], .hits = sums[1],
		.epoch_weight = p->weight, .epoch_loss = p->loss, .epoch_hits = p->hits,
		.rate = optimizer_rate(&r->schedule, p->step - 1), .loss_scale = scale,
	});
	return 0;
}

static int validate(struct run *r, const struct batch *b, double weight, struct why *why)
{
	double sums[2] = { 0 };
	int err = 0;

	if (weight > 0) {
		err = forward(r, b, weight, 1);
		if (!err)
			err = sum_batch(r, b, sums);
	}
	if (err)
		return device_failed(r, err, why);
	r->val_loss += sums[0];
	r->val_hits += sums[1];
	r->val_weight += weight;
	return 0;
}

/* ---- epochs ------------------------------------------------------------------------------- */

/* Tells the mount, if there is one, what will be read in an epoch. Nothing depends on it. */
static void hint(struct run *r, uint32_t epoch)
{
	const struct samples *s = r->samples;
	uint32_t *order = calloc(s->n_train + 1, sizeof(*order));
	struct why why;
	char *folder = NULL;

	if (dist_rank(r->dist) == 0 && order && epoch < r->o->epochs)
		folder = template_expand(r->o->data, epoch, r->o->seed, &why);
	if (folder) {
		memcpy(order, s->train, s->n_train * sizeof(*order));
		if (!order_sort(r->o->seed, PHILOX_ORDER, epoch, order, s->n_train))
			hint_write(folder, s, &r->spec, order, s->n_train);
	}
	free(folder);
	free(order);
}

static void end_epoch(struct run *r)
{
	struct progress *p = &r->progress;

	report_epoch(r->report, &(struct report_epoch){
		.step = p->step, .epoch = p->cursor.epoch,
		.weight = p->weight, .loss = p->loss, .hits = p->hits,
		.val_weight = r->val_weight, .val_loss = r->val_loss, .val_hits = r->val_hits,
	});
	p->cursor = (struct plan_cursor){ .epoch = p->cursor.epoch + 1 };
	p->loss = p->hits = p->weight = 0;
	r->val_loss = r->val_hits = r->val_weight = 0;
}

/* A disk that is full now may not be so later: the run goes on, the old checkpoint stays. */
static int save_or_tell(struct run *r, struct why *why)
{
	int err = run_save(r, why);

	if (err && err != -ERANGE) {
		report_event(r->report, "checkpoint_failed", "reason", why->text);
		report_say(r->report, "no checkpoint: %s; the one before stays, the run goes on", why->text);
		err = 0;
	}
	return err;
}

static int use_batch(struct run *r, const struct batch *b, double weight, struct why *why)
{
	uint32_t every = r->o->checkpoint_every;
	bool ends = b->plan.last && (!b->plan.training || r->plan.n_val == 0);
	int err = b->plan.training ? train(r, b, weight, why) : validate(r, b, weight, why);

	if (err)
		return err;
	r->progress.cursor = b->after;
	if (b->plan.training && b->plan.last)
		hint(r, b->plan.epoch + 1);
	if (ends)
		end_epoch(r);
	if (ends || (b->plan.training && every && r->progress.step % every == 0))
		err = save_or_tell(r, why);
	return err;
}

static enum next loop(struct run *r, struct why *why)
{
	bool first = true;

	for (;;) {
		double start = seconds(), got, weight;
		struct batch *b;
		enum next next = take_batch(r, &b, &weight, why);

		got = seconds();
		if (next != NEXT_BATCH)
			return next;
		if (first)
			report_first_batch(r->report);
		first = false;
		if (use_batch(r, b, weight, why))
			return NEXT_FAILED;
		report_time(r->report, got - start, seconds() - start, b->plan.n);
		loader_give_back(r->loader, b);
	}
}

/* ---- the end ------------------------------------------------------------------------------ */

static void tell_left_out(struct run *r)
{
	const struct progress *p = &r->progress;

	if (p->left_out > 0)
		report_say(r->report, "%" PRIu64 " of %" PRIu64 " steps were left out, as their gradients "
		           "overflowed", p->left_out, p->step);
}

static void tell_bad(struct run *r)
{
	const struct bad_sample *bad = bad_get(r->bad);
	size_t n = bad_count(r->bad);

	if (n > 0)
		report_say(r->report, "%zu of %zu samples could not be used:", n, r->samples->n);
	for (size_t i = 0; i < n; i++)
		report_say(r->report, "  %s: %s", r->samples->sample[bad[i].sample].path,
		           *bad[i].reason ? bad[i].reason : "found before the run was resumed");
}

/* The exit status. why has what went wrong, or gets it. */
static int finish(struct run *r, enum next how, struct why *why)
{
	struct why again;
	int status = 0;

	tell_bad(r);
	tell_left_out(r);
	if (how == NEXT_SIGNAL)
		status = 128 + r->signal;
	else if (how != NEXT_END)
		status = 1;
	if ((how == NEXT_SIGNAL || how == NEXT_STOPPED || r->save_failed) && how != NEXT_FAILED &&
	    run_save(r, &again)) {
		report_say(r->report, "no checkpoint: %s; the one before stays", again.text);
		if (status != 1)
			*why = again;
		status = 1;
	}
	if (!status && report_error(r->report))
		status = why_set(why, 1, "%s: the log can't be written: %s", r->o->out,
		                 strerror(-report_error(r->report)));
	if (how == NEXT_END)
		report_say(r->report, "done: %" PRIu64 " steps, the device waited %.1f %% of the time",
		           r->progress.step, 100 * report_wait_share(r->report));
	else if (!r->save_failed && how != NEXT_FAILED)
		report_say(r->report, "stopped at step %" PRIu64 "; --resume goes on", r->progress.step);
	report_event(r->report, "end", "how", status == 1 ? why->text : how == NEXT_END ? "complete" :
	             "interrupted");
	return status;
}

/* Where the others wait for this rank in something that it won't come to. */
static void end_all(struct run *r, int status, const struct why *why)
{
	if (!r->alone || dist_ranks(r->dist) == 1)
		return;
	fprintf(stderr, "s3sample-train: rank %u: %s\n", dist_rank(r->dist), why->text);
	dist_abort(r->dist, status);
}

/* A rank that can't start takes the others along. */
static int agree(struct run *r, int err, struct why *why)
{
	double failed = err != 0;
	int unheard;

	end_all(r, 1, why);
	unheard = dist_sum_doubles(r->dist, &failed, 1);

	if (!err && unheard)
		err = unreachable(unheard, why);
	if (!err && failed > 0)
		err = why_set(why, -EIO, "another rank failed");
	return err;
}

int run_train(const struct options *o, struct dist *d, struct why *why)
{
	struct run r = { .o = o, .dist = d };
	enum next how = NEXT_FAILED;
	int status = 1;

	/* Twice, as ranks talk to each other in the second part. */
	if (agree(&r, run_open_device(&r, why), why) || agree(&r, run_setup(&r, why), why))
		goto done;
	/* There is always something to resume from, and a disk that can't be written is told now. */
	if (!r.resumed && run_save(&r, why))
		goto done;
	hint(&r, r.progress.cursor.epoch);
	how = loop(&r, why);
	status = finish(&r, how, why);
	/* A reader may hang in a mount that is dead, where only the end of the process reaches it. */
	if (status > 1 && dist_ranks(d) == 1) {
		fflush(NULL);
		_exit(status);
	}
	end_all(&r, status, why);
done:
	run_done(&r);
	return status;
}
