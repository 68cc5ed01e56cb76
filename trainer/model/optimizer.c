#include "model/optimizer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "model/model.h"

#define BETA1 0.9
#define BETA2 0.999
#define EPS 1e-8f

struct optimizer {
	struct backend *b;
	struct model *m;
	struct optimizer_config config;
	float *state[OPTIMIZER_STATES];     /* as long as all parameters; NULL: not used */
};

int optimizer_new(struct backend *b, struct model *m, const struct optimizer_config *config,
                  struct optimizer **ret)
{
	struct optimizer *o = calloc(1, sizeof(*o));
	int states = config->kind == OPTIMIZER_ADAMW ? 2 : 1, err = 0;
	size_t n;

	if (!o)
		return -ENOMEM;
	o->b = b;
	o->m = m;
	o->config = *config;
	model_grads(m, &n);
	for (int i = 0; i < states && !err; i++) {
		void *buffer = NULL;

		err = b->ops->alloc(b, n * sizeof(float), &buffer);
		o->state[i] = buffer;
	}
	if (err) {
		optimizer_free(o);
		return err;
	}
	*ret = o;
	return 0;
}

void optimizer_free(struct optimizer *o)
{
	if (!o)
		return;
	for (int i = 0; i < OPTIMIZER_STATES; i++)
		o->b->ops->release(o->b, o->state[i]);
	free(o);
}

float *optimizer_state(struct optimizer *o, size_t p, int i, const char **ret_name)
{
	static const char *const adamw[OPTIMIZER_STATES] = { "exp_avg", "exp_avg_sq" };
	size_t n;
	const struct model_param *params = model_params(o->m, &n);

	if (!o->state[i])
		return NULL;
	*ret_name = o->config.kind == OPTIMIZER_ADAMW ? adamw[i] : "momentum";
	return o->state[i] + (params[p].grad - params[0].grad);
}

double optimizer_rate(const struct optimizer_config *c, uint64_t step)
{
	double done;

	if ((double)step < c->warmup)
		return c->lr * ((double)step + 1) / c->warmup;
	if (c->schedule == SCHEDULE_CONSTANT)
		return c->lr;
	if (step >= c->steps)
		return 0;
	done = ((double)step - c->warmup) / ((double)c->steps - c->warmup);
	return c->lr * 0.5 * (1 + cos(M_PI * done));
}

static int step_sgd(struct optimizer *o, const struct model_param *p, size_t at, uint64_t step)
{
	const struct sgd_step s = {
		.lr = (float)optimizer_rate(&o->config, step),
		.momentum = (float)o->config.momentum,
		.weight_decay = p->decay ? (float)o->config.weight_decay : 0,
	};

	return o->b->ops->sgd(o->b, &s, p->n, p->grad, p->value, o->state[0] + at);
}

static int step_adamw(struct optimizer *o, const struct model_param *p, size_t at, uint64_t step,
                      uint64_t changes)
{
	const struct adamw_step s = {
		.lr = (float)optimizer_rate(&o->config, step),
		.beta1 = (float)BETA1, .beta2 = (float)BETA2, .eps = EPS,
		.weight_decay = p->decay ? (float)o->config.weight_decay : 0,
		.correction1 = (float)(1 - pow(BETA1, (double)changes + 1)),
		.correction2 = (float)(1 - pow(BETA2, (double)changes + 1)),
	};

	return o->b->ops->adamw(o->b, &s, p->n, p->grad, p->value, o->state[0] + at,
	                        o->state[1] + at);
}

int optimizer_step(struct optimizer *o, uint64_t step, uint64_t changes)
{
	size_t n;
	const struct model_param *params = model_params(o->m, &n);
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		size_t at = (size_t)(params[i].grad - params[0].grad);

		err = o->config.kind == OPTIMIZER_ADAMW ? step_adamw(o, &params[i], at, step, changes) :
		                                          step_sgd(o, &params[i], at, step);
	}
	return err;
}
