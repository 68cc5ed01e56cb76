#include "net/timers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

void timers_init(struct timers *t)
{
	memset(t, 0, sizeof(*t));
}

void timers_done(struct timers *t)
{
	free(t->heap);
	memset(t, 0, sizeof(*t));
}

static void put(struct timers *all, size_t i, struct timer *t)
{
	all->heap[i] = t;
	t->place = i + 1;
}

/* Brings the timer at i to its place, upwards or downwards. */
static void settle(struct timers *all, size_t i)
{
	struct timer *t = all->heap[i];

	while (i > 0 && all->heap[(i - 1) / 2]->at_ms > t->at_ms) {
		put(all, i, all->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < all->n && all->heap[child + 1]->at_ms < all->heap[child]->at_ms)
			child++;
		if (child >= all->n || all->heap[child]->at_ms >= t->at_ms)
			break;
		put(all, i, all->heap[child]);
		i = child;
	}
	put(all, i, t);
}

int timers_set(struct timers *all, struct timer *t, uint64_t at_ms)
{
	if (!timer_is_set(t)) {
		if (vec_grow(&all->heap, all->n, &all->alloc, sizeof(struct timer *)))
			return -ENOMEM;
		put(all, all->n++, t);
	}
	t->at_ms = at_ms;
	settle(all, t->place - 1);
	return 0;
}

void timers_clear(struct timers *all, struct timer *t)
{
	size_t i = t->place - 1;
	struct timer *last;

	if (!timer_is_set(t))
		return;
	last = all->heap[--all->n];
	t->place = 0;
	if (last == t)
		return;
	put(all, i, last);
	settle(all, i);
}

struct timer *timers_pop_due(struct timers *all, uint64_t now_ms)
{
	struct timer *t = all->n > 0 ? all->heap[0] : NULL;

	if (!t || t->at_ms > now_ms)
		return NULL;
	timers_clear(all, t);
	return t;
}

void timers_postpone(struct timers *all, uint64_t ms)
{
	for (size_t i = 0; i < all->n; i++)
		all->heap[i]->at_ms += ms;
}

uint64_t timers_next(const struct timers *all)
{
	return all->n > 0 ? all->heap[0]->at_ms : UINT64_MAX;
}
