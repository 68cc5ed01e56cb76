/* run_priv.h - what a run consists of. */
#ifndef S3SAMPLE_TRAIN_RUN_PRIV_H
#define S3SAMPLE_TRAIN_RUN_PRIV_H

#include "base/buf.h"
#include "data/loader.h"
#include "model/optimizer.h"
#include "train/reduce.h"
#include "train/state.h"
#include "util/why.h"

struct backend;
struct bad_list;
struct dist;
struct interrupt;
struct options;
struct report;

struct run {
	const struct options *o;
	struct dist *dist;
	struct interrupt *interrupt;
	struct backend *backend;
	int gpu;                    /* its number: ranks of a machine share its GPUs out in their
	                               order, and those that each see only their own begin at 0 */
	bool nccl;                  /* how gradients of several ranks are added up */
	struct why reduce;          /* the same as a sentence, or "" */
	struct reduce_rank *rank;   /* of each; of the others when run_join_ranks has asked them */
	struct samples *samples;
	struct clip_spec spec;
	int crop_h, crop_w;
	struct plan plan;
	struct model *model;
	struct optimizer_config schedule;
	struct optimizer *optimizer;
	struct scaler *scaler;
	struct report *report;
	struct bad_list *bad;
	struct loader *loader;
	char *checkpoint;           /* path */
	struct buf settings, environment;
	struct progress progress;
	bool resumed;
	bool save_failed;           /* the last time */
	int signal;                 /* that ended the loop, the same on all ranks */
	bool alone;                 /* this rank failed, and the others don't know */
	/* of the epoch's validation so far: */
	double val_loss, val_weight, val_hits;
	/* of a batch: */
	float *loss;
	int32_t *hit;
	double *shared;             /* (plan.batch): bad samples of all ranks */
};

/* run_setup.c: everything but the loop. What this rank computes on, and, when all have that, the
 * rest. Returns 0 or -errno with why; run_done takes half-built ones. */
int run_open_device(struct run *r, struct why *why);
int run_setup(struct run *r, struct why *why);
void run_done(struct run *r);

/* run_ranks.c: notes what the others have to know of this rank. */
int run_describe_rank(struct run *r, struct why *why);

/* Chooses how gradients are added up, and gets ready for it. All ranks call when all have their
 * device. Returns 0 or -errno with why; a failure may be this rank's alone. */
int run_join_ranks(struct run *r, struct why *why);

/* Replaces the gradients by their sums over all ranks. Returns 0 or -errno. */
int run_sum_grads(struct run *r);

/* run_save.c: writes the checkpoint, on rank 0. All ranks call. Returns 0 or -errno with why;
 * whether it is 0, and whether it is -ERANGE (state_save), is the same on all ranks. */
int run_save(struct run *r, struct why *why);

#endif
