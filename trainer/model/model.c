#include "model/model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/philox.h"
#include "model/branch.h"
#include "util/why.h"

#define PARAMS_MAX (2 * 3 * BRANCH_DEPTH_MAX + 2)

struct model {
	struct backend *b;
	struct model_config config;
	struct branch *video, *audio;   /* NULL: there is none */
	int features;
	struct model_param param[PARAMS_MAX];
	size_t n_params, n_values;      /* of all parameters together */
	/* on the device: */
	float *values, *grads;
	uint8_t *frames;
	float *mfcc;
	struct crop *crops;
	int32_t *labels, *hit;
	float *weights, *loss;
	float *joined, *djoined;        /* (batch, features) */
	float *logits, *dlogits;        /* (batch, classes) */
};

const struct model_config *model_config(const struct model *m)
{
	return &m->config;
}

const struct model_param *model_params(const struct model *m, size_t *ret_n)
{
	*ret_n = m->n_params;
	return m->param;
}

float *model_grads(struct model *m, size_t *ret_n)
{
	*ret_n = m->n_values;
	return m->grads;
}

void model_free(struct model *m)
{
	void *buffers[] = { m ? m->values : NULL, m ? m->grads : NULL, m ? m->frames : NULL,
	                    m ? m->mfcc : NULL, m ? m->crops : NULL, m ? m->labels : NULL,
	                    m ? m->hit : NULL, m ? m->weights : NULL, m ? m->loss : NULL,
	                    m ? m->joined : NULL, m ? m->djoined : NULL, m ? m->logits : NULL,
	                    m ? m->dlogits : NULL };

	if (!m)
		return;
	for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++)
		m->b->ops->release(m->b, buffers[i]);
	branch_free(m->video);
	branch_free(m->audio);
	free(m);
}

/* ---- building ------------------------------------------------------------------------ */

static int alloc(struct model *m, size_t n, size_t size, void *ret)
{
	void *buffer;
	int err = m->b->ops->alloc(m->b, n * size, &buffer);

	if (!err)
		*(void **)ret = buffer;
	return err;
}

static int new_branches(struct model *m)
{
	const struct model_config *c = &m->config;
	const struct branch_config video = {
		.name = "video", .n = c->batch, .t = c->t, .c = 3, .h = c->crop_h, .w = c->crop_w,
		.r = 3, .s = 3, .stride_h = 2, .stride_w = 2,
		.width = c->video_width, .depth = c->video_depth,
		.width_max = c->video_width << (BRANCH_DEPTH_MAX - 1),
	};
	const struct branch_config audio = {
		.name = "audio", .n = c->batch, .t = 1, .c = c->n_mfcc, .h = 1, .w = c->columns,
		.r = 1, .s = 5, .stride_h = 1, .stride_w = 2,
		.width = c->audio_width, .depth = c->audio_depth, .width_max = 4 * c->audio_width,
	};
	int err = 0;

	if (c->video)
		err = branch_new(m->b, &video, &m->video);
	if (!err && c->audio)
		err = branch_new(m->b, &audio, &m->audio);
	if (err)
		return err;
	m->features = (m->video ? branch_features(m->video) : 0) +
	              (m->audio ? branch_features(m->audio) : 0);
	return 0;
}

/* Lays all parameters behind each other in one array. */
static int new_params(struct model *m)
{
	int k = m->config.classes;
	size_t video = 0, at = 0;
	int err;

	if (m->video)
		video = m->n_params = branch_params(m->video, m->param);
	if (m->audio)
		m->n_params += branch_params(m->audio, m->param + m->n_params);
	m->param[m->n_params++] = (struct model_param){
		.name = "linear.weight", .ndim = 2, .shape = { k, m->features },
		.n = (size_t)k * m->features, .decay = true };
	m->param[m->n_params++] = (struct model_param){
		.name = "linear.bias", .ndim = 1, .shape = { k }, .n = (size_t)k };
	for (size_t i = 0; i < m->n_params; i++)
		m->n_values += m->param[i].n;
	err = alloc(m, m->n_values, sizeof(float), &m->values);
	if (!err)
		err = alloc(m, m->n_values, sizeof(float), &m->grads);
	if (err)
		return err;
	for (size_t i = 0; i < m->n_params; i++) {
		m->param[i].value = m->values + at;
		m->param[i].grad = m->grads + at;
		at += m->param[i].n;
	}
	if (m->video)
		branch_bind(m->video, m->param);
	if (m->audio)
		branch_bind(m->audio, m->param + video);
	return 0;
}

static int new_buffers(struct model *m)
{
	const struct model_config *c = &m->config;
	size_t n = (size_t)c->batch;
	int err = 0;

	if (c->video)
		err = alloc(m, n * c->t * c->h * c->w * 3, 1, &m->frames);
	if (!err && c->audio)
		err = alloc(m, n * c->n_mfcc * c->columns, sizeof(float), &m->mfcc);
	if (!err)
		err = alloc(m, n, sizeof(struct crop), &m->crops);
	if (!err)
		err = alloc(m, n, sizeof(int32_t), &m->labels);
	if (!err)
		err = alloc(m, n, sizeof(int32_t), &m->hit);
	if (!err)
		err = alloc(m, n, sizeof(float), &m->weights);
	if (!err)
		err = alloc(m, n, sizeof(float), &m->loss);
	if (!err)
		err = alloc(m, n * m->features, sizeof(float), &m->joined);
	if (!err)
		err = alloc(m, n * m->features, sizeof(float), &m->djoined);
	if (!err)
		err = alloc(m, n * c->classes, sizeof(float), &m->logits);
	return err ? err : alloc(m, n * c->classes, sizeof(float), &m->dlogits);
}

/* ---- initial values ------------------------------------------------------------------ */

/* Norms start as the identity, biases at zero; filters are uniform in +-sqrt(6 / fan_in),
 * the linear layer, which no relu follows, in +-sqrt(3 / fan_in). */
static void fill_initial(const struct model_param *p, uint32_t number, uint64_t seed, float *to)
{
	double fan_in = (double)p->n / (double)p->shape[0];
	float bound = (float)sqrt((p->ndim == 4 ? 6 : 3) / fan_in);
	uint32_t bits[4];

	for (size_t i = 0; i < p->n; i++) {
		if (p->ndim == 1) {
			to[i] = strstr(p->name, "norm.weight") ? 1 : 0;
			continue;
		}
		if (i % 4 == 0)
			philox_draw(seed, PHILOX_WEIGHTS, number, i / 4, bits);
		to[i] = (2 * philox_unit(bits[i % 4]) - 1) * bound;
	}
}

static int initialise(struct model *m, uint64_t seed)
{
	float *values = calloc(m->n_values, sizeof(*values));
	int err;

	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_params; i++)
		fill_initial(&m->param[i], (uint32_t)i, seed, values + (m->param[i].value - m->values));
	err = m->b->ops->upload(m->b, m->values, values, m->n_values * sizeof(*values));
	free(values);
	return err;
}

int model_new(struct backend *b, const struct model_config *config, uint64_t seed,
              struct model **ret, struct why *why)
{
	struct model *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return why_no_memory(why);
	m->b = b;
	m->config = *config;
	err = new_branches(m);
	if (!err)
		err = new_params(m);
	if (!err)
		err = new_buffers(m);
	if (!err)
		err = initialise(m, seed);
	if (err) {
		if (err == -ENOMEM)
			why_set(why, err, "out of memory on the device (%s): a smaller batch, crop or width needs "
			        "less (%s)", b->ops->name, backend_words(err));
		else
			why_set(why, err, "the layers can't be built on the device (%s): %s", b->ops->name,
			        backend_words(err));
		model_free(m);
		return err;
	}
	*ret = m;
	return 0;
}

/* ---- running ------------------------------------------------------------------------- */

static int load_frames(struct model *m, const struct model_input *in)
{
	const struct model_config *c = &m->config;
	const struct frames_shape shape = { c->batch, c->t, c->h, c->w, c->crop_h, c->crop_w };
	const struct backend_ops *ops = m->b->ops;
	int err;

	err = ops->upload(m->b, m->frames, in->frames, (size_t)c->batch * c->t * c->h * c->w * 3);
	if (!err)
		err = ops->upload(m->b, m->crops, in->crops, (size_t)c->batch * sizeof(*in->crops));
	return err ? err : ops->frames_in(m->b, &shape, m->frames, m->crops, branch_input(m->video));
}

static int load_mfcc(struct model *m, const struct model_input *in)
{
	const struct model_config *c = &m->config;
	const struct backend_ops *ops = m->b->ops;
	int rows = c->batch * c->n_mfcc;
	int err;

	err = ops->upload(m->b, m->mfcc, in->mfcc, (size_t)rows * c->columns * sizeof(*in->mfcc));
	return err ? err : ops->mfcc_in(m->b, rows, c->columns, m->mfcc, branch_input(m->audio));
}

int model_load(struct model *m, const struct model_input *in)
{
	const struct backend_ops *ops = m->b->ops;
	size_t n = (size_t)m->config.batch;
	int err = 0;

	if (m->video)
		err = load_frames(m, in);
	if (!err && m->audio)
		err = load_mfcc(m, in);
	if (!err)
		err = ops->upload(m->b, m->labels, in->labels, n * sizeof(*in->labels));
	return err ? err : ops->upload(m->b, m->weights, in->weights, n * sizeof(*in->weights));
}

int model_forward(struct model *m, float smoothing, float scale, float *loss, int32_t *hit)
{
	const struct backend_ops *ops = m->b->ops;
	const struct loss_shape shape = { m->config.batch, m->config.classes, smoothing, scale };
	const struct model_param *linear = &m->param[m->n_params - 2];
	size_t n = (size_t)m->config.batch;
	int err = 0;

	if (m->video)
		err = branch_forward(m->video, m->joined, m->features);
	if (!err && m->audio)
		err = branch_forward(m->audio, m->joined + m->features - branch_features(m->audio),
		                     m->features);
	if (!err)
		err = ops->linear_forward(m->b, shape.n, m->features, shape.classes, m->joined,
		                          linear[0].value, linear[1].value, m->logits);
	if (!err)
		err = ops->loss(m->b, &shape, m->logits, m->labels, m->weights, m->loss, m->hit,
		                m->dlogits);
	if (!err)
		err = ops->download(m->b, loss, m->loss, n * sizeof(*loss));
	return err ? err : ops->download(m->b, hit, m->hit, n * sizeof(*hit));
}

int model_backward(struct model *m)
{
	const struct backend_ops *ops = m->b->ops;
	const struct model_param *linear = &m->param[m->n_params - 2];
	int err;

	err = ops->linear_backward(m->b, m->config.batch, m->features, m->config.classes, m->joined,
	                           linear[0].value, m->dlogits, m->djoined, linear[0].grad,
	                           linear[1].grad);
	if (!err && m->video)
		err = branch_backward(m->video, m->djoined, m->features);
	if (!err && m->audio)
		err = branch_backward(m->audio, m->djoined + m->features - branch_features(m->audio),
		                      m->features);
	return err;
}

int model_logits(struct model *m, float *ret)
{
	return m->b->ops->download(m->b, ret, m->logits,
	                           (size_t)m->config.batch * m->config.classes * sizeof(*ret));
}
