#include "gate_store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <utlist.h>

struct held {
	struct held *prev, *next;
	struct object_meta version;
	uint64_t off;
	size_t len;
	enum store_prio prio;
	store_get_fn *done;
	void *arg;
	char key[OBJECT_KEY_MAX + 1];
};

struct gate_store {
	struct store store; /* first */
	struct store *inner;
	pthread_mutex_t lock;
	pthread_cond_t change;

	/* under lock */
	bool closed;
	struct held *held;
	unsigned n_held;
};

static void gate_head(struct store *s, const char *key, store_head_fn *done, void *arg)
{
	store_head(((struct gate_store *)s)->inner, key, done, arg);
}

static void gate_list(struct store *s, const struct store_list *l, store_list_fn *done, void *arg)
{
	store_list(((struct gate_store *)s)->inner, l, done, arg);
}

static int gate_check(struct store *s, char *why)
{
	return store_check(((struct gate_store *)s)->inner, why);
}

static void gate_get(struct store *s, const char *key, const struct object_meta *version,
                     uint64_t off, size_t len, enum store_prio prio, store_get_fn *done, void *arg)
{
	struct gate_store *g = (struct gate_store *)s;
	struct held *h = NULL;

	pthread_mutex_lock(&g->lock);
	if (g->closed && (h = calloc(1, sizeof(*h)))) {
		*h = (struct held){
			.version = *version, .off = off, .len = len, .prio = prio,
			.done = done, .arg = arg,
		};
		for (size_t i = 0; key[i] && i < OBJECT_KEY_MAX; i++)
			h->key[i] = key[i];
		DL_APPEND(g->held, h);
		g->n_held++;
		pthread_cond_broadcast(&g->change);
	}
	pthread_mutex_unlock(&g->lock);
	if (!h)
		store_get(g->inner, key, version, off, len, prio, done, arg);
}

static struct held *open_gate(struct gate_store *g, bool closed)
{
	struct held *held = NULL;

	pthread_mutex_lock(&g->lock);
	g->closed = closed;
	if (!closed) {
		held = g->held;
		g->held = NULL;
		g->n_held = 0;
	}
	pthread_mutex_unlock(&g->lock);
	return held;
}

void gate_store_set(struct store *s, bool closed)
{
	struct gate_store *g = (struct gate_store *)s;
	struct held *list = open_gate(g, closed), *h, *tmp;

	DL_FOREACH_SAFE(list, h, tmp) {
		store_get(g->inner, h->key, &h->version, h->off, h->len, h->prio, h->done, h->arg);
		free(h);
	}
}

void gate_store_wait_held(struct store *s, unsigned n)
{
	struct gate_store *g = (struct gate_store *)s;

	pthread_mutex_lock(&g->lock);
	while (g->n_held < n)
		pthread_cond_wait(&g->change, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

unsigned gate_store_held(struct store *s)
{
	struct gate_store *g = (struct gate_store *)s;
	unsigned n;

	pthread_mutex_lock(&g->lock);
	n = g->n_held;
	pthread_mutex_unlock(&g->lock);
	return n;
}

static void gate_free(struct store *s)
{
	struct gate_store *g = (struct gate_store *)s;
	struct held *list = open_gate(g, false), *h, *tmp;

	DL_FOREACH_SAFE(list, h, tmp) {
		h->done(h->arg, -ECANCELED, "the store is being closed", NULL);
		free(h);
	}
	store_free(g->inner);
	pthread_cond_destroy(&g->change);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

struct store *gate_store_new(struct store *inner, struct stats *stats)
{
	static const struct store_ops ops = {
		.head = gate_head, .list = gate_list, .get = gate_get, .check = gate_check,
		.free = gate_free,
	};
	struct gate_store *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	g->store.ops = &ops;
	g->store.stats = stats;
	g->inner = inner;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->change, NULL);
	return &g->store;
}
