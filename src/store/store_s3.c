/* The S3 store: s3/s3.h behind store.h's table. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3.h"
#include "store/store.h"

_Static_assert(STORE_WHY_MAX == S3_WHY_MAX, "sentences are passed through");
_Static_assert(STORE_GET_MAX == S3_GET_MAX, "ranges are passed through");
_Static_assert(OBJECT_ETAG_MAX == S3_ETAG_SIZE, "ETags are copied");
_Static_assert(OBJECT_MTIME_UNKNOWN == S3_MTIME_UNKNOWN, "times are passed through");

struct store_s3 {
	struct store base;
	struct s3 *s3;
};

static struct store_s3 *from_base(struct store *s)
{
	return (struct store_s3 *)s;
}

static struct object_meta to_meta(const struct s3_object *o)
{
	struct object_meta m = { .size = o->size, .mtime_ns = o->mtime_ns };

	memcpy(m.etag, o->etag, sizeof(m.etag));
	return m;
}

/* ---- head ---- */

struct head_call {
	store_head_fn *done;
	void *arg;
};

static void on_head(void *arg, int err, const char *why, const struct s3_object *object)
{
	struct head_call call = *(struct head_call *)arg;
	struct object_meta meta;

	free(arg);
	if (err) {
		call.done(call.arg, err, why, NULL);
		return;
	}
	meta = to_meta(object);
	call.done(call.arg, 0, NULL, &meta);
}

static void head(struct store *s, const char *key, store_head_fn *done, void *arg)
{
	struct head_call *call = malloc(sizeof(*call));

	if (!call) {
		done(arg, -ENOMEM, "out of memory", NULL);
		return;
	}
	*call = (struct head_call){ done, arg };
	s3_head(from_base(s)->s3, key, on_head, call);
}

/* ---- list ---- */

struct list_call {
	store_list_fn *done;
	void *arg;
};

static void on_list(void *arg, int err, const char *why, const struct s3_page *page)
{
	struct list_call call = *(struct list_call *)arg;
	struct store_entry *entries;
	struct store_page out;

	free(arg);
	if (err) {
		call.done(call.arg, err, why, NULL);
		return;
	}
	entries = calloc(page->n ? page->n : 1, sizeof(*entries));
	if (!entries) {
		call.done(call.arg, -ENOMEM, "out of memory", NULL);
		return;
	}
	for (size_t i = 0; i < page->n; i++) {
		const struct s3_entry *e = &page->entries[i];

		entries[i] = (struct store_entry){ e->name, e->is_prefix, to_meta(&e->object) };
	}
	out = (struct store_page){ .entries = entries, .n = page->n, .next = page->next,
	                             .partial = page->partial };
	call.done(call.arg, 0, NULL, &out);
	free(entries);
}

static void list(struct store *s, const struct store_list *l, store_list_fn *done, void *arg)
{
	const struct s3_listing listing = { l->prefix, l->delimiter, l->token, l->max_keys };
	struct list_call *call = malloc(sizeof(*call));

	if (!call) {
		done(arg, -ENOMEM, "out of memory", NULL);
		return;
	}
	*call = (struct list_call){ done, arg };
	s3_list(from_base(s)->s3, &listing, on_list, call);
}

/* ---- get ---- */

static void get(struct store *s, const char *key, const struct object_meta *version, uint64_t off,
                size_t len, enum store_prio prio, store_get_fn *done, void *arg)
{
	const struct s3_range range = { off, len, prio == STORE_AHEAD };
	struct s3_object object = { .size = version->size, .mtime_ns = version->mtime_ns };

	memcpy(object.etag, version->etag, sizeof(object.etag));
	s3_get(from_base(s)->s3, key, &object, &range, done, arg);
}

/* ---- check ---- */

struct check {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* lock: */
	bool done, empty;
	int err;
	char why[STORE_WHY_MAX];
};

static void on_check(void *arg, int err, const char *why, const struct s3_page *page)
{
	struct check *c = arg;

	pthread_mutex_lock(&c->lock);
	c->done = true;
	c->err = err;
	if (err)
		strcpy(c->why, why);
	else
		c->empty = page->n == 0 && !page->next;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/* One key is enough: whether the bucket is there and whether we may list it
 * shows even where the prefix is empty. */
static int check(struct store *s, char *why)
{
	const struct s3_listing one = { .prefix = "", .max_keys = 1 };
	struct check c = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

	s3_list(from_base(s)->s3, &one, on_check, &c);
	pthread_mutex_lock(&c.lock);
	while (!c.done)
		pthread_cond_wait(&c.changed, &c.lock);
	pthread_mutex_unlock(&c.lock);
	if (c.err)
		strcpy(why, c.why);
	else if (c.empty)
		strcpy(why, "its listing is empty");
	pthread_cond_destroy(&c.changed);
	pthread_mutex_destroy(&c.lock);
	return c.err ? c.err : c.empty;
}

static void cancel(struct store *s)
{
	s3_cancel(from_base(s)->s3);
}

static void free_store(struct store *s)
{
	s3_free(from_base(s)->s3);
	free(s);
}

static const struct store_ops ops = { head, list, get, check, free_store, cancel };

int store_s3_open(const struct s3_options *o, struct stats *stats, char *why, struct store **ret_store)
{
	struct s3_options options = *o;
	struct store_s3 *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		strcpy(why, "out of memory");
		return -ENOMEM;
	}
	s->base.ops = &ops;
	s->base.stats = stats;
	options.stats = stats;
	err = s3_open(&options, why, &s->s3);
	if (err) {
		free(s);
		return err;
	}
	*ret_store = &s->base;
	return 0;
}
