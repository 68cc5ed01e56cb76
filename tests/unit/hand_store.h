/* hand_store.h - for tests: a store whose operations end when the test says so.
 *
 * Requests are kept in order of arrival; hand_*() take one out and answer it.
 * Objects have the bytes hand_byte(offset). Used from one thread. */
#ifndef S3SAMPLEFS_TESTS_HAND_STORE_H
#define S3SAMPLEFS_TESTS_HAND_STORE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "store/store.h"

#define HAND_REQUESTS 256

struct hand_request {
	char kind;                 /* 'h'ead, 'l'ist, 'g'et */
	char key[OBJECT_KEY_MAX + 1];
	char token[OBJECT_KEY_MAX + 1];
	bool delimiter;
	unsigned max_keys;
	uint64_t off;
	size_t len;
	enum store_prio prio;
	store_head_fn *head_done;
	store_list_fn *list_done;
	store_get_fn *get_done;
	void *arg;
};

struct hand_store {
	struct store store; /* first */
	struct hand_request requests[HAND_REQUESTS];
	size_t n;           /* not answered yet */
	size_t total;       /* that ever came */
	int fail_at_once;   /* not 0: every get is answered with it before it returns */
};

static inline uint8_t hand_byte(uint64_t off)
{
	return (uint8_t)(off * 2654435761u >> 13 ^ off);
}

static inline struct hand_request *hand_add(struct hand_store *h, char kind, const char *key,
                                            void *arg)
{
	struct hand_request *q = &h->requests[h->n++];

	if (h->n > HAND_REQUESTS)
		abort();
	h->total++;
	memset(q, 0, sizeof(*q));
	q->kind = kind;
	snprintf(q->key, sizeof(q->key), "%s", key);
	q->arg = arg;
	return q;
}

static inline void hand_head(struct store *s, const char *key, store_head_fn *done, void *arg)
{
	hand_add((struct hand_store *)s, 'h', key, arg)->head_done = done;
}

static inline void hand_list(struct store *s, const struct store_list *l, store_list_fn *done,
                             void *arg)
{
	struct hand_request *q = hand_add((struct hand_store *)s, 'l', l->prefix, arg);

	snprintf(q->token, sizeof(q->token), "%s", l->token ? l->token : "");
	q->delimiter = l->delimiter;
	q->max_keys = l->max_keys;
	q->list_done = done;
}

static inline void hand_get(struct store *s, const char *key, const struct object_meta *version,
                            uint64_t off,
                            size_t len, enum store_prio prio, store_get_fn *done, void *arg)
{
	struct hand_store *h = (struct hand_store *)s;
	struct hand_request *q;

	if (len == 0 || len > STORE_GET_MAX || off > version->size || len > version->size - off)
		abort();
	if (h->fail_at_once) {
		h->total++;
		done(arg, h->fail_at_once, "failed at once", NULL);
		return;
	}
	q = hand_add(h, 'g', key, arg);
	q->off = off;
	q->len = len;
	q->prio = prio;
	q->get_done = done;
}

static inline struct hand_request hand_take(struct hand_store *h, size_t i)
{
	struct hand_request q;

	if (i >= h->n)
		abort();
	q = h->requests[i];
	memmove(&h->requests[i], &h->requests[i + 1], (h->n - i - 1) * sizeof(q));
	h->n--;
	return q;
}

/* Answers request i: with an error, with what was found, with the bytes. */
static inline void hand_fail(struct hand_store *h, size_t i, int err, const char *why)
{
	struct hand_request q = hand_take(h, i);

	if (q.kind == 'h')
		q.head_done(q.arg, err, why, NULL);
	else if (q.kind == 'l')
		q.list_done(q.arg, err, why, NULL);
	else
		q.get_done(q.arg, err, why, NULL);
}

static inline void hand_found(struct hand_store *h, size_t i, const struct object_meta *meta)
{
	struct hand_request q = hand_take(h, i);

	q.head_done(q.arg, 0, NULL, meta);
}

static inline void hand_page(struct hand_store *h, size_t i, const struct store_page *page)
{
	struct hand_request q = hand_take(h, i);

	q.list_done(q.arg, 0, NULL, page);
}

static inline void hand_bytes(struct hand_store *h, size_t i)
{
	struct hand_request q = hand_take(h, i);
	struct blob *body = blob_new(q.len);

	for (size_t k = 0; k < q.len; k++)
		blob_writable(body)[k] = hand_byte(q.off + k);
	q.get_done(q.arg, 0, NULL, body);
	blob_unref(body);
}

static const struct store_ops hand_ops = { .head = hand_head, .list = hand_list, .get = hand_get };

static inline void hand_init(struct hand_store *h, struct stats *stats)
{
	memset(h, 0, sizeof(*h));
	h->store.ops = &hand_ops;
	h->store.stats = stats;
}

#endif
