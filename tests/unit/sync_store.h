/* sync_store.h - for tests: the store's operations, waited for. */
#ifndef S3SAMPLEFS_TESTS_SYNC_STORE_H
#define S3SAMPLEFS_TESTS_SYNC_STORE_H

#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "base/blob.h"
#include "store/store.h"

struct sync_result {
	sem_t done;
	int err;
	char why[STORE_WHY_MAX];
	struct object_meta meta;
	struct blob *body;         /* a reference */
	char names[1 << 20];       /* of a page, one a line */
	size_t n_names;
	bool has_next;
	char next[OBJECT_KEY_MAX + 1];
};

static inline void sync_begin(struct sync_result *r)
{
	memset(r, 0, sizeof(*r)); /* large: give it a static one */
	sem_init(&r->done, 0, 0);
}

static inline void sync_end(struct sync_result *r, int err, const char *why)
{
	r->err = err;
	snprintf(r->why, sizeof(r->why), "%s", why ? why : "");
	sem_post(&r->done);
}

static inline int sync_wait(struct sync_result *r)
{
	sem_wait(&r->done);
	sem_destroy(&r->done);
	return r->err;
}

static inline void sync_head_done(void *arg, int err, const char *why,
                                  const struct object_meta *meta)
{
	struct sync_result *r = arg;

	if (meta)
		r->meta = *meta;
	sync_end(r, err, why);
}

static inline int sync_head(struct store *s, const char *key, struct sync_result *r)
{
	sync_begin(r);
	store_head(s, key, sync_head_done, r);
	return sync_wait(r);
}

static inline void sync_list_done(void *arg, int err, const char *why,
                                  const struct store_page *page)
{
	struct sync_result *r = arg;
	size_t used = 0;

	for (size_t i = 0; page && i < page->n && used < sizeof(r->names); i++)
		used += (size_t)snprintf(r->names + used, sizeof(r->names) - used, "%s\n",
		                         page->entries[i].name);
	r->n_names = page ? page->n : 0;
	r->has_next = page && page->next;
	if (r->has_next)
		snprintf(r->next, sizeof(r->next), "%s", page->next);
	sync_end(r, err, why);
}

static inline int sync_list(struct store *s, const struct store_list *l, struct sync_result *r)
{
	sync_begin(r);
	store_list(s, l, sync_list_done, r);
	return sync_wait(r);
}

static inline void sync_get_done(void *arg, int err, const char *why, struct blob *body)
{
	struct sync_result *r = arg;

	if (body)
		r->body = blob_ref(body);
	sync_end(r, err, why);
}

static inline int sync_get(struct store *s, const char *key, const struct object_meta *version,
                           uint64_t off,
                           size_t len, struct sync_result *r)
{
	sync_begin(r);
	store_get(s, key, version, off, len, STORE_DEMAND, sync_get_done, r);
	return sync_wait(r);
}

#endif
