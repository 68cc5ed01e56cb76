#include "media/samples.h"

#include <errno.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/stats.h"
#include "media/samples_priv.h"

/* Lets go until the bound holds. What can't go now is passed over; so is keep. */
static void trim_locked(struct samples *s, const struct cached *keep)
{
	struct cached *victim = s->lru;

	while (s->bytes > s->capacity - s->taken && victim && victim != keep) {
		struct cached *next = victim->next;

		/* A clip takes its rows along, and next may be one of them: from the start again. */
		victim = victim->evict_locked(s, victim) ? s->lru : next;
	}
	stats_add(s->stats, STAT_row_bytes, (int64_t)s->bytes - stats_get(s->stats, STAT_row_bytes));
}

void cached_add_locked(struct samples *s, struct cached *c)
{
	DL_APPEND(s->lru, c);
	s->bytes += c->bytes;
	trim_locked(s, c);
}

void samples_shrink(struct samples *s, size_t taken)
{
	const size_t most = s->capacity - s->capacity / 4;
	bool much;

	pthread_mutex_lock(&s->lock);
	s->taken = taken < most ? taken : most;
	trim_locked(s, NULL);
	much = s->let_go > s->capacity / 16;
	s->let_go = much ? 0 : s->let_go;
	pthread_mutex_unlock(&s->lock);
	if (much)
		heap_trim();
}

void cached_touch_locked(struct samples *s, struct cached *c)
{
	DL_DELETE(s->lru, c);
	DL_APPEND(s->lru, c);
}

void cached_hold_locked(struct samples *s, struct cached *c)
{
	DL_DELETE(s->lru, c);
}

void cached_let_go_locked(struct samples *s, struct cached *c)
{
	DL_PREPEND(s->lru, c);
}

void cached_remove_locked(struct samples *s, struct cached *c)
{
	DL_DELETE(s->lru, c);
	s->bytes -= c->bytes;
	s->let_go += c->bytes < HEAP_MAPPED ? c->bytes : 0;
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
	s->capacity = capacity;
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
