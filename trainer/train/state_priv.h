/* state_priv.h - names inside a checkpoint. */
#ifndef S3SAMPLE_TRAIN_STATE_PRIV_H
#define S3SAMPLE_TRAIN_STATE_PRIV_H

#include "train/state.h"

#define STATE_FORMAT "s3sample-train checkpoint 1"
#define BAD_TENSOR "data.bad"
#define STATE_NAME_MAX (MODEL_NAME_MAX + 32)

/* "optimizer.exp_avg.video.0.conv.weight" */
void state_name(char name[STATE_NAME_MAX], const char *state, const char *param);

#endif
