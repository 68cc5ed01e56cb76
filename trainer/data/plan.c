#include "data/plan.h"

bool plan_next(const struct plan *p, struct plan_cursor *c, struct plan_batch *ret)
{
	struct plan_batch b = { 0 };
	size_t total;

	if (c->position >= p->n_train && c->validated >= p->n_val)
		*c = (struct plan_cursor){ .epoch = c->epoch + 1 };
	if (c->epoch >= p->epochs)
		return false;
	b.epoch = c->epoch;
	b.training = c->position < p->n_train;
	b.first = b.training ? c->position : c->validated;
	total = b.training ? p->n_train : p->n_val;
	b.n = total - b.first < p->batch ? total - b.first : p->batch;
	b.last = b.first + b.n == total;
	*(b.training ? &c->position : &c->validated) += b.n;
	*ret = b;
	return true;
}

size_t plan_steps(const struct plan *p)
{
	return (p->n_train + p->batch - 1) / p->batch;
}
