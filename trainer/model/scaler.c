#include "model/scaler.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "model/model.h"

#define SCALE_FIRST 65536.0
#define SCALE_MAX 0x1p24    /* as for one that is asked for; fp16 has nothing to gain beyond */
#define GROW_AFTER 2000     /* steps */
#define ROW_MAX 64          /* overflows in a row: the factor is at 1 since long */

struct scaler {
	struct backend *b;
	struct model *m;
	struct scaler_config config;
	struct scaler_state state;
	int32_t *bad;           /* on the device */
};

int scaler_new(struct backend *b, struct model *m, const struct scaler_config *config,
               struct scaler **ret)
{
	struct scaler *s = calloc(1, sizeof(*s));
	void *bad;
	int err;

	if (!s)
		return -ENOMEM;
	s->b = b;
	s->m = m;
	s->config = *config;
	s->state.scale = !config->used ? 1 : config->dynamic ? SCALE_FIRST : config->scale;
	err = b->ops->alloc(b, sizeof(*s->bad), &bad);
	if (err) {
		free(s);
		return err;
	}
	s->bad = bad;
	*ret = s;
	return 0;
}

void scaler_free(struct scaler *s)
{
	if (!s)
		return;
	s->b->ops->release(s->b, s->bad);
	free(s);
}

float scaler_scale(const struct scaler *s)
{
	return (float)s->state.scale;
}

static void choose(struct scaler *s, bool finite)
{
	struct scaler_state *now = &s->state;

	if (finite)
		now->row = now->row < 0 ? 1 : now->row + 1;
	else
		now->row = now->row > 0 ? -1 : now->row - 1;
	if (!s->config.dynamic)
		return;
	if (!finite && now->scale > 1) {
		now->scale /= 2;
	} else if (now->row >= GROW_AFTER) {
		now->row = 0;
		if (now->scale < SCALE_MAX)
			now->scale *= 2;
	}
}

int scaler_unscale(struct scaler *s, bool *ret_finite)
{
	const struct backend_ops *ops = s->b->ops;
	int32_t bad = 0;
	float *grads;
	size_t n;
	int err;

	*ret_finite = true;
	if (!s->config.used)
		return 0;
	grads = model_grads(s->m, &n);
	err = ops->zero(s->b, s->bad, sizeof(*s->bad));
	if (!err)
		err = ops->unscale(s->b, n, (float)(1 / s->state.scale), grads, s->bad);
	if (!err)
		err = ops->download(s->b, &bad, s->bad, sizeof(bad));
	if (err)
		return err;
	*ret_finite = !bad;
	choose(s, !bad);
	return s->state.row <= -ROW_MAX ? -ERANGE : 0;
}

struct scaler_state scaler_state(const struct scaler *s)
{
	return s->config.used ? s->state : (struct scaler_state){ 0 };
}

void scaler_restore(struct scaler *s, const struct scaler_state *state)
{
	if (!s->config.used || state->scale < 1)
		return;
	s->state.row = state->row;
	if (s->config.dynamic)
		s->state.scale = state->scale;
}
