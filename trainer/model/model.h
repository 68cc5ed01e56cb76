/* model.h - the classifier: convolutions over frames, averaged over space and time;
 * convolutions over MFCC, averaged over time; both averages side by side through one
 * linear layer.
 *
 *     frames (n t, 3, h, w) -> [conv 3x3 stride 2, group norm, relu] x video_depth -> mean
 *     mfcc (n, n_mfcc, 1, columns) -> [conv 1x5 stride 2, group norm, relu] x audio_depth -> mean
 *     (n, features) -> linear -> logits (n, classes)
 *
 * Layer i has width * 2^i channels, those of sound at most 4 width. MFCC coefficients are
 * channels: they aren't neighbours in the sense of a convolution. A norm has 8
 * groups, or the largest power of two below that divides its channels into at least 4 each.
 *
 * No layer looks at more than one sample, so a sample's logits and gradient don't depend on
 * the batch it is in. One thread at a time uses a model. */
#ifndef S3SAMPLE_MODEL_MODEL_H
#define S3SAMPLE_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/crop.h"

struct backend;
struct model;
struct why;

struct model_config {
	bool video, audio;      /* at least one */
	int t, h, w;            /* frames as read */
	int crop_h, crop_w;     /* as seen */
	int n_mfcc, columns;
	int video_width, video_depth;
	int audio_width, audio_depth;
	int classes;
	int batch;              /* samples that fit */
};

#define MODEL_NAME_MAX 48

/* One trained array. value and grad are on the device, owned by the model. */
struct model_param {
	char name[MODEL_NAME_MAX];  /* "video.0.conv.weight" */
	int ndim;
	int64_t shape[4];
	size_t n;               /* values */
	bool decay;             /* weight decay applies: filters and weights, no norms, no biases */
	float *value, *grad;
};

/* What a batch consists of, on the host. Pointers may be NULL where the model has no such
 * branch. */
struct model_input {
	const uint8_t *frames;      /* (batch, t, h, w, 3) */
	const struct crop *crops;   /* (batch) */
	const float *mfcc;          /* (batch, n_mfcc, columns) */
	const int32_t *labels;      /* (batch) */
	const float *weights;       /* (batch) */
};

/* Weights are He's uniform initialisation (K. He et al., "Delving deep into rectifiers",
 * 2015), numbers by Philox of (seed, parameter, element). The backend must outlive the
 * model. Returns 0, or -errno with why: -EINVAL for a picture that is smaller than the
 * layers make it, -ENOMEM. */
int model_new(struct backend *b, const struct model_config *config, uint64_t seed,
              struct model **ret, struct why *why);
void model_free(struct model *m);

const struct model_config *model_config(const struct model *m);

/* The arrays, in a fixed order; *ret_n of them. */
const struct model_param *model_params(const struct model *m, size_t *ret_n);

/* All gradients are one array on the device, *ret_n values, in the order of the arrays. */
float *model_grads(struct model *m, size_t *ret_n);

/* Copies a batch to the device. 0 or -errno, as the two below. */
int model_load(struct model *m, const struct model_input *in);

/* Logits of the batch, and the loss (loss (batch), hit (batch): backend.h), which are copied
 * to the host. scale: of the gradient, 1 / sum of the weights that count together,
 * times the loss scale. */
int model_forward(struct model *m, float smoothing, float scale, float *loss, int32_t *hit);

/* Gradients of scale * sum of weight * loss. After model_forward. */
int model_backward(struct model *m);

/* The logits of the last model_forward, (batch, classes). */
int model_logits(struct model *m, float *ret);

#endif
