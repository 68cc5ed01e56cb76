/* state.h - a run as a file: what a checkpoint holds, and getting it back. */
#ifndef S3SAMPLE_TRAIN_STATE_H
#define S3SAMPLE_TRAIN_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "data/plan.h"
#include "data/samples.h"
#include "model/model.h"
#include "model/scaler.h"

struct backend;
struct optimizer;
struct safetensors;
struct why;

/* How far a run is. */
struct progress {
	uint64_t step;              /* done */
	uint64_t left_out;          /* of these, for gradients that overflowed */
	struct scaler_state scaler; /* as of the checkpoint */
	struct plan_cursor cursor;  /* validated is 0: validation begins anew */
	/* over the training samples of the epoch so far: */
	double loss, weight, hits;
};

/* All that goes into a checkpoint besides the arrays of model and optimizer. */
struct state {
	struct progress progress;
	uint64_t seed;
	const char *samples_sha256;
	const char *settings;       /* "key = value\n": what may not change */
	const char *environment;    /* the same: threads, instruction set, versions */
	const char *const *classes;
	uint32_t n_classes;
	const uint32_t *bad;        /* samples that were left out so far, ascending */
	size_t n_bad;
};

/* Writes everything to path. Returns 0 or -errno with why; path is then what it was. -ERANGE: the
 * weights aren't finite any more, which is nothing to go on with. */
int state_save(const char *path, struct backend *b, struct model *m, struct optimizer *o,
               const struct state *s, struct why *why);

/* ---- reading -------------------------------------------------------------------------- */

/* Opens a checkpoint of ours. -EBADMSG with why for a corrupt or a foreign file. Free with
 * safetensors_free. */
int state_open(const char *path, struct safetensors **ret, struct why *why);

/* The model's shape, for a batch of 1, and its classes (malloc'd array of malloc'd strings,
 * ret_config->classes of them). Returns 0 or -errno with why. */
int state_model(const struct safetensors *file, struct model_config *ret_config,
                char ***ret_classes, struct why *why);
void state_free_classes(char **classes, int n);

/* Fills the model's arrays. -EBADMSG with why if one is missing or has another shape. */
int state_load_model(const struct safetensors *file, struct backend *b, struct model *m,
                     struct why *why);

/* What differs between the file and now, as a sentence; 0: nothing. -EINVAL with why. anyway:
 * only what makes it impossible is looked at: the list of samples. */
int state_compare(const struct safetensors *file, const struct state *now, int anyway,
                  struct why *why);

/* Fills model, optimizer and progress; *ret_bad is malloc'd. Returns 0 or -errno with why. */
int state_load(const struct safetensors *file, struct backend *b, struct model *m,
               struct optimizer *o, struct progress *ret, uint32_t **ret_bad, size_t *ret_n_bad,
               struct why *why);

#endif
