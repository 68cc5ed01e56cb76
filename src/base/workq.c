#include "base/workq.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <utlist.h>

struct task {
	struct task *prev, *next;
	void (*fn)(void *arg);
	void *arg;
};

struct workq {
	pthread_mutex_t lock;
	pthread_cond_t wake;

	/* under lock */
	struct task *tasks;
	bool stopping;

	/* constant once workq_new has returned */
	unsigned n_threads;
	pthread_t threads[];
};

static struct task *next_task(struct workq *q)
{
	struct task *t;

	pthread_mutex_lock(&q->lock);
	while (!q->tasks && !q->stopping)
		pthread_cond_wait(&q->wake, &q->lock);
	t = q->tasks;
	if (t)
		DL_DELETE(q->tasks, t);
	pthread_mutex_unlock(&q->lock);
	return t;
}

static void *thread_main(void *arg)
{
	struct workq *q = arg;
	struct task *t;

	while ((t = next_task(q))) {
		t->fn(t->arg);
		free(t);
	}
	return NULL;
}

static void start_threads(struct workq *q, const char *name, unsigned threads)
{
	while (q->n_threads < threads &&
	       thread_start(&q->threads[q->n_threads], name, 0, thread_main, q) == 0)
		q->n_threads++;
}

struct workq *workq_new(const char *name, unsigned threads)
{
	struct workq *q = calloc(1, sizeof(*q) + threads * sizeof(q->threads[0]));

	if (!q)
		return NULL;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->wake, NULL);
	start_threads(q, name, threads);
	if (q->n_threads < threads) {
		workq_free(q);
		return NULL;
	}
	return q;
}

int workq_submit(struct workq *q, void (*fn)(void *arg), void *arg)
{
	struct task *t = malloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->arg = arg;
	pthread_mutex_lock(&q->lock);
	if (q->stopping) {
		pthread_mutex_unlock(&q->lock);
		free(t);
		return -ESHUTDOWN;
	}
	DL_APPEND(q->tasks, t);
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
	return 0;
}

void workq_free(struct workq *q)
{
	if (!q)
		return;
	pthread_mutex_lock(&q->lock);
	q->stopping = true;
	pthread_cond_broadcast(&q->wake);
	pthread_mutex_unlock(&q->lock);
	for (unsigned i = 0; i < q->n_threads; i++)
		pthread_join(q->threads[i], NULL);
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
