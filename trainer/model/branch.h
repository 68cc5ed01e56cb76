/* branch.h - a stack of [convolution, group norm, relu], and the mean of what comes out. */
#ifndef S3SAMPLE_MODEL_BRANCH_H
#define S3SAMPLE_MODEL_BRANCH_H

#include "backend/backend.h"
#include "model/model.h"

struct branch;

#define BRANCH_DEPTH_MAX 8

struct branch_config {
	const char *name;           /* of its parameters: "video" */
	int n;                      /* samples */
	int t;                      /* images of each, averaged as well */
	int c, h, w;                /* of an image */
	int r, s;                   /* filters, odd; padded by half of that */
	int stride_h, stride_w;
	int width, depth;           /* channels of the first layer; layers */
	int width_max;              /* channels of any layer */
};

/* Returns 0, -EINVAL, -ENOMEM, -EIO. */
int branch_new(struct backend *b, const struct branch_config *config, struct branch **ret);
void branch_free(struct branch *br);

/* Values that come out for a sample: channels of the last layer. */
int branch_features(const struct branch *br);

/* Its arrays: name, shape, decay. The caller sets value and grad of each afterwards, with
 * branch_bind. Writes 3 * depth of them, returns how many. */
size_t branch_params(const struct branch *br, struct model_param *ret);
void branch_bind(struct branch *br, const struct model_param *params);

/* Where the images have to be before branch_forward, (n t, c, h, w), activations. */
void *branch_input(struct branch *br);

/* features: (n, branch_features), rows of `stride` floats. */
int branch_forward(struct branch *br, float *features, int stride);
int branch_backward(struct branch *br, const float *dfeatures, int stride);

#endif
