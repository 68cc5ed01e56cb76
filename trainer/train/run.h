/* run.h - a training run, from the options to the last checkpoint. */
#ifndef S3SAMPLE_TRAIN_RUN_H
#define S3SAMPLE_TRAIN_RUN_H

struct dist;
struct options;
struct why;

/* Exit statuses: 0; 1 with why; 128 + the signal that ended it, after a checkpoint. All ranks
 * return the same. */
int run_train(const struct options *o, struct dist *d, struct why *why);

#endif
