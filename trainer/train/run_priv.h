/* run_priv.h - what a run consists of. */
#ifndef S3SAMPLE_TRAIN_RUN_PRIV_H
#define S3SAMPLE_TRAIN_RUN_PRIV_H

#include "base/buf.h"
#include "data/loader.h"
#include "model/optimizer.h"
#include "train/state.h"

struct backend;
struct bad_list;
struct dist;
struct interrupt;
struct options;
struct report;
struct why;

struct run {
	const struct options *o;
	struct dist *dist;
	struct interrupt *interrupt;
	struct backend *backend;
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
	bool alone;                 /* this rank failed, and the others don't know */
	/* of the epoch's validation so far: */
	double val_loss, val_weight, val_hits;
	/* of a batch: */
	float *loss;
	int32_t *hit;
	double *shared;             /* (plan.batch): bad samples of all ranks */
};

/* run_setup.c: everything but the loop. Returns 0 or -errno with why; run_done takes half-built
 * ones. */
int run_setup(struct run *r, struct why *why);
void run_done(struct run *r);

/* run_save.c: writes the checkpoint, on rank 0. All ranks call. Returns 0 or -errno with why;
 * whether it is 0, and whether it is -ERANGE (state_save), is the same on all ranks. */
int run_save(struct run *r, struct why *why);

#endif
