#include "base/budget.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/stats.h"

struct budget {
	size_t total;
	struct stats *stats;
	pthread_mutex_t lock;

	/* under lock */
	size_t used;
	struct budget_wait *first, *last;
	bool granting; /* one thread is calling granted(); it serves who comes next, too */
};

struct budget *budget_new(size_t total, struct stats *stats)
{
	struct budget *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->total = total;
	b->stats = stats;
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

void budget_free(struct budget *b)
{
	if (!b)
		return;
	assert(!b->first && b->used == 0);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static void take_locked(struct budget *b, size_t bytes)
{
	b->used += bytes;
	stats_add(b->stats, STAT_memory_reserved, (int64_t)bytes);
}

int budget_reserve(struct budget *b, struct budget_wait *w)
{
	bool now;

	if (w->bytes > b->total)
		return -ENOMEM;
	pthread_mutex_lock(&b->lock);
	now = !b->first && w->bytes <= b->total - b->used;
	if (now) {
		take_locked(b, w->bytes);
	} else {
		w->next = NULL;
		if (b->first)
			b->last->next = w;
		else
			b->first = w;
		b->last = w;
	}
	pthread_mutex_unlock(&b->lock);
	return now ? 1 : 0;
}

/* The first waiter if it fits, with its bytes taken, else NULL. */
static struct budget_wait *grant_first_locked(struct budget *b)
{
	struct budget_wait *w = b->first;

	if (!w || w->bytes > b->total - b->used)
		return NULL;
	b->first = w->next;
	take_locked(b, w->bytes);
	return w;
}

void budget_release(struct budget *b, size_t bytes)
{
	struct budget_wait *w;

	pthread_mutex_lock(&b->lock);
	assert(bytes <= b->used);
	b->used -= bytes;
	stats_add(b->stats, STAT_memory_reserved, -(int64_t)bytes);
	/* A granted job may end and release inside granted(): leave the next
	 * waiter to the loop below instead of recursing once per waiter. */
	if (!b->granting) {
		b->granting = true;
		while ((w = grant_first_locked(b))) {
			pthread_mutex_unlock(&b->lock);
			w->granted(w);
			pthread_mutex_lock(&b->lock);
		}
		b->granting = false;
	}
	pthread_mutex_unlock(&b->lock);
}

size_t budget_total(const struct budget *b)
{
	return b->total;
}
