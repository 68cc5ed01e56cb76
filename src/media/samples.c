#include "media/samples.h"

#include <errno.h>
#include <stdlib.h>

#include "base/heap.h"
#include "media/samples_priv.h"

void samples_shrink(struct samples *s, size_t taken)
{
	bool much;

	pthread_mutex_lock(&s->lock);
	much = values_shrink(&s->values, taken);
	pthread_mutex_unlock(&s->lock);
	if (much)
		heap_trim();
}

struct samples *samples_new(struct pool *pool, struct budget *budget, size_t capacity, uint64_t killed_ttl_ms,
                            struct stats *stats)
{
	struct samples *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->pool = pool;
	s->budget = budget;
	s->stats = stats;
	s->values = (struct values){ .capacity = capacity, .stats = stats };
	s->killed_ttl_ms = killed_ttl_ms;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->idle, NULL);
	return s;
}

bool samples_enter(struct samples *s)
{
	bool stopping;

	pthread_mutex_lock(&s->lock);
	stopping = s->stopping;
	s->calls += !stopping;
	pthread_mutex_unlock(&s->lock);
	return !stopping;
}

void samples_leave(struct samples *s)
{
	pthread_mutex_lock(&s->lock);
	if (--s->calls == 0)
		pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

void samples_drop(struct samples *s)
{
	if (!samples_enter(s))
		return;
	/* A clip that nobody waits for gives up its table. */
	clips_drop(s);
	products_drop(s);
	pool_end_dropped(s->pool);
	samples_leave(s);
}

void samples_stop(struct samples *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	while (s->calls > 0)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void samples_free(struct samples *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	while (s->clips)
		clip_free_locked(s, s->clips);
	while (s->products)
		product_free_locked(s, s->products);
	killed_free(&s->killed);
	pthread_mutex_unlock(&s->lock);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
