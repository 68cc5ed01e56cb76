/* inode_recall.c - which inodes the kernel is asked to forget. */

#include "fs/inode_priv.h"

/* Of files with pages one in so many goes, wherever it stands: a pass over more files
 * than fit would find nothing if the oldest went. */
#define USED_STRIDE 8u

/* Records of a queue looked at under one lock. */
#define LOOKS (8 * INODES_RECALLS)

/* What the kernel keeps all the same (a directory with names in it, a folder somebody
 * stands in) isn't asked for again so soon. */
#define ASK_AGAIN_MS 5000u

void record_queue_locked(struct inodes *t, struct record *r, enum record_queue queue)
{
	if (r->queue != QUEUE_NONE) {
		DL_DELETE(t->queue[r->queue], r);
		t->queued[r->queue]--;
	}
	r->queue = queue;
	if (queue != QUEUE_NONE) {
		DL_APPEND(t->queue[queue], r);
		t->queued[queue]++;
	}
}

bool inodes_full(struct inodes *t)
{
	bool full;

	pthread_mutex_lock(&t->lock);
	full = t->bytes >= t->capacity;
	pthread_mutex_unlock(&t->lock);
	return full;
}

size_t inodes_excess(struct inodes *t, size_t *ret_to_free)
{
	size_t excess, target = t->capacity - t->capacity / 8;

	pthread_mutex_lock(&t->lock);
	excess = t->bytes > t->capacity ? t->bytes - t->capacity : 0;
	*ret_to_free = excess ? t->bytes - target : 0;
	pthread_mutex_unlock(&t->lock);
	return excess;
}

struct choice {
	uint64_t *ids, now_ms;
	size_t n;
	size_t *to_free;
};

/* Goes once round a queue, from its head: what was looked at goes to the end. */
static void choose_from_locked(struct inodes *t, enum record_queue queue, struct choice *c)
{
	for (size_t left = t->queued[queue] < LOOKS ? t->queued[queue] : LOOKS; left > 0; left--) {
		struct record *r = t->queue[queue];

		if (c->n == INODES_RECALLS || (queue != QUEUE_STALE && *c->to_free == 0))
			return;
		record_queue_locked(t, r, queue);
		/* Open, or in the hands of a request: of use to somebody. */
		if (ref_is_shared(&r->inode.refs) || (r->asked_ms && c->now_ms - r->asked_ms < ASK_AGAIN_MS))
			continue;
		if (queue == QUEUE_USED && t->passed++ % USED_STRIDE != 0)
			continue;
		r->asked_ms = c->now_ms;
		c->ids[c->n++] = r->inode.id;
		/* A directory goes only after all that is in it: it frees nothing now. */
		if (!r->inode.node->is_dir)
			*c->to_free -= r->bytes < *c->to_free ? r->bytes : *c->to_free;
	}
}

size_t inodes_choose_recalls(struct inodes *t, uint64_t now_ms, uint64_t ids[INODES_RECALLS], size_t *to_free)
{
	struct choice c = { .ids = ids, .now_ms = now_ms, .to_free = to_free };

	pthread_mutex_lock(&t->lock);
	for (enum record_queue queue = 0; queue < QUEUES; queue++)
		choose_from_locked(t, queue, &c);
	pthread_mutex_unlock(&t->lock);
	return c.n;
}
