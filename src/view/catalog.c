#include "view/catalog.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/ref.h"
#include "base/stats.h"
#include "base/table.h"
#include "base/text.h"
#include "base/wanted.h"
#include "base/workq.h"
#include "store/meta.h"
#include "store/list_guard.h"
#include "view/catalog_csv.h"
#include "view/catalog_list.h"

#define NO_ROOM "the list of all objects, and index.csv, would not fit into memory="
#define NO_MEMORY "not enough memory"
#define DROPPED "nobody waits for it any more"
#define SHUTDOWN "the filesystem is being unmounted"

struct catalogs {
	struct catalogs_options o;
	struct workq *makers;          /* one thread: sorting and writing takes a while */

	pthread_mutex_t lock;
	/* lock: */
	struct catalog *list;
	struct catalog *turns;         /* who is being listed, and who comes then */
	size_t used;                   /* bytes of all snapshots */
	bool stopping;
	unsigned calls;                /* of the store, being made */
	pthread_cond_t idle;           /* calls is 0 */
};

struct waiter {
	struct waiter *next;
	const struct wanted *wanted;
	catalog_fn *done;
	void *arg;
};

/* A finished catalogue, or one in the making. */
struct snapshot {
	struct snapshot *next;         /* while it is taken away */
	struct ref refs;
	struct catalogs *owner;
	struct catalog_data data;
	struct catalog_rows *rows;     /* data's, owned */
	uint64_t made_ms;
	struct catalog_listing listing; /* until it is finished */
	struct list_guard guard;       /* and its pages' */
	size_t list_bytes, data_bytes; /* counted in used */
};

struct catalog {
	struct catalogs *owner;
	struct catalog_spec spec;

	/* owner's lock: */
	struct catalog *next, *next_turn;
	unsigned refs;                 /* views, and the listing */
	struct snapshot *current;
	bool listing;                  /* it is c's turn, or will be */
	struct waiter *waiters;        /* for the listing; it ends when they have all gone */
	/* The listing's alone: */
	struct snapshot *making;
};

struct catalogs *catalogs_new(const struct catalogs_options *o)
{
	struct catalogs *cs = calloc(1, sizeof(*cs));

	if (!cs)
		return NULL;
	cs->makers = workq_new("catalog", 1);
	if (!cs->makers) {
		free(cs);
		return NULL;
	}
	cs->o = *o;
	pthread_mutex_init(&cs->lock, NULL);
	pthread_cond_init(&cs->idle, NULL);
	return cs;
}

/* ------------------------------------------------------------- snapshots */

static void give_back(struct catalogs *cs, size_t bytes)
{
	pthread_mutex_lock(&cs->lock);
	cs->used -= bytes;
	pthread_mutex_unlock(&cs->lock);
}

/* It is no longer what a catalogue has, or it won't be. Who is reading it just now has
 * a copy on its way, as it were. */
static void uncount(struct snapshot *s)
{
	pthread_mutex_lock(&s->owner->lock);
	s->owner->used -= s->data_bytes;
	s->data_bytes = 0;
	pthread_mutex_unlock(&s->owner->lock);
}

static void list_done(struct snapshot *s)
{
	catalog_list_done(&s->listing.list);
	list_guard_done(&s->guard);
	give_back(s->owner, s->list_bytes);
	s->list_bytes = 0;
}

static void snapshot_unref(struct snapshot *s)
{
	if (!s || !ref_drop(&s->refs))
		return;
	list_done(s);
	blob_unref(s->data.index_csv);
	blob_unref(s->data.classes_txt);
	catalog_rows_free(s->rows);
	uncount(s);
	free(s);
}

/* A snapshot that was the current one; NULL allowed. */
static void retire(struct snapshot *s)
{
	if (!s)
		return;
	uncount(s);
	snapshot_unref(s);
}

/* Counts bytes of c's snapshot in the making, if need be in place of what others,
 * and c itself, have from earlier. 0, or -ENOSPC. */
static int take(struct catalog *c, size_t bytes, size_t *counted)
{
	struct catalogs *cs = c->owner;
	const size_t own = c->making->list_bytes + c->making->data_bytes;
	struct snapshot *retired = NULL;
	struct catalog *old;
	bool fits;

	/* Nobody's room is taken away for what wouldn't fit all the same. */
	if (own > cs->o.max || bytes > cs->o.max - own)
		return -ENOSPC;
	pthread_mutex_lock(&cs->lock);
	fits = bytes <= cs->o.max - cs->used;
	for (old = cs->list; old && !fits; old = old->next) {
		struct snapshot *s = old->current;

		if (!s)
			continue;
		old->current = NULL;
		cs->used -= s->data_bytes;
		s->data_bytes = 0;
		LL_PREPEND(retired, s);
		fits = bytes <= cs->o.max - cs->used;
	}
	if (fits)
		cs->used += bytes;
	pthread_mutex_unlock(&cs->lock);
	while (retired) {
		struct snapshot *s = retired;

		LL_DELETE(retired, s);
		snapshot_unref(s);
	}
	if (!fits)
		return -ENOSPC;
	*counted += bytes;
	return 0;
}

/* ------------------------------------------------------- which there are */

struct catalog *catalogs_find(struct catalogs *cs, const struct catalog_spec *spec)
{
	struct catalog *c, *fresh = calloc(1, sizeof(*fresh));

	if (!fresh || catalog_spec_copy(&fresh->spec, spec) < 0) {
		free(fresh);
		return NULL;
	}
	fresh->owner = cs;
	pthread_mutex_lock(&cs->lock);
	LL_FOREACH(cs->list, c)
		if (catalog_spec_same(&c->spec, spec))
			break;
	if (!c) {
		c = fresh;
		fresh = NULL;
		LL_PREPEND(cs->list, c);
	}
	c->refs++;
	pthread_mutex_unlock(&cs->lock);
	if (fresh) {
		catalog_spec_done(&fresh->spec);
		free(fresh);
	}
	return c;
}

void catalog_unref(struct catalog *c)
{
	struct catalogs *cs;
	bool last;

	if (!c)
		return;
	cs = c->owner;
	pthread_mutex_lock(&cs->lock);
	last = --c->refs == 0;
	if (last)
		LL_DELETE(cs->list, c);
	pthread_mutex_unlock(&cs->lock);
	if (!last)
		return;
	retire(c->current);
	catalog_spec_done(&c->spec);
	free(c);
}

void catalogs_cancel(struct catalogs *cs)
{
	if (!cs)
		return;
	pthread_mutex_lock(&cs->lock);
	cs->stopping = true;
	while (cs->calls > 0)
		pthread_cond_wait(&cs->idle, &cs->lock);
	pthread_mutex_unlock(&cs->lock);
}

void catalogs_stop(struct catalogs *cs)
{
	if (!cs)
		return;
	workq_free(cs->makers);
	cs->makers = NULL;
}

void catalogs_free(struct catalogs *cs)
{
	if (!cs)
		return;
	catalogs_stop(cs);
	pthread_cond_destroy(&cs->idle);
	pthread_mutex_destroy(&cs->lock);
	free(cs);
}

/* ---------------------------------------------------------------- making */

static void start(struct catalog *c);

static void tell(struct waiter *list, int err, const char *why, const struct catalog_data *data)
{
	struct waiter *w, *tmp;

	LL_FOREACH_SAFE(list, w, tmp) {
		w->done(w->arg, err, err ? why : NULL, data);
		free(w);
	}
}

static void take_turn(struct catalog *c);

/* Ends c's turn. Tells who waits, then the next one begins. -ECANCELED: nobody waited; for those
 * who have come since it takes another turn. */
static void finish(struct catalog *c, int err, const char *why)
{
	struct catalogs *cs = c->owner;
	struct snapshot *made = c->making, *old = NULL;
	struct waiter *waiters = NULL;
	struct catalog *next;
	bool again;

	c->making = NULL;
	pthread_mutex_lock(&cs->lock);
	LL_DELETE2(cs->turns, c, next_turn);
	next = cs->turns;
	again = err == -ECANCELED && c->waiters;
	c->listing = again;
	if (!again) {
		waiters = c->waiters;
		c->waiters = NULL;
	}
	if (!err) {
		old = c->current;
		c->current = made;
		ref_take(&made->refs);
	}
	pthread_mutex_unlock(&cs->lock);
	retire(old);
	tell(waiters, err, why, err ? NULL : &made->data);
	snapshot_unref(made);
	if (again)
		take_turn(c);
	catalog_unref(c);  /* the listing's; another turn has its own */
	if (next)
		start(next);
}

/* -ENOSPC: it would not fit; -ENOMEM: malloc failed. Both are the user's ENOMEM. */
static void fail(struct catalog *c, int err)
{
	finish(c, err == -ENOSPC ? -ENOMEM : err, err == -ENOSPC ? NO_ROOM : NO_MEMORY);
}

static int take_rows(void *arg, size_t bytes)
{
	struct catalog *c = arg;

	return take(c, bytes, &c->making->data_bytes);
}

/* From the rows to the two files. */
static int write_files(struct catalog *c, struct snapshot *s)
{
	size_t size, labels = 0;
	int err = catalog_csv_size(s->rows, &size);

	if (err)
		return err;
	for (size_t i = 0; i < catalog_rows_classes(s->rows); i++)
		labels += strlen(catalog_rows_label(s->rows, i)) + 1;
	err = take(c, size + labels, &s->data_bytes);
	if (!err)
		err = catalog_csv_index(s->rows, size, &s->data.index_csv);
	if (err)
		return err;
	s->data.classes_txt = catalog_csv_classes(s->rows);
	return s->data.classes_txt ? 0 : -ENOMEM;
}

static void make(void *arg)
{
	struct catalog *c = arg;
	struct snapshot *s = c->making;
	const struct catalog_source source = catalog_list_source(&s->listing);
	int err;

	catalog_list_sort(&s->listing.list);
	err = catalog_rows_new(&source, take_rows, c, &s->rows);
	if (!err)
		stats_add(c->owner->o.stats, STAT_names_left_out, (int64_t)s->listing.left_out);
	list_done(s);
	if (!err)
		err = write_files(c, s);
	s->made_ms = clock_ms();
	s->data.rows = s->rows;
	s->data.ttl_ms = c->owner->o.ttl_ms;
	if (err)
		fail(c, err);
	else
		finish(c, 0, NULL);
}

static bool is_waited_for(struct catalog *c)
{
	bool waited;

	pthread_mutex_lock(&c->owner->lock);
	waited = c->waiters != NULL;
	pthread_mutex_unlock(&c->owner->lock);
	return waited;
}

static void page_answer(void *arg, int err, const char *why, const struct store_page *page, struct object *const *objects);

static void ask_page(struct catalog *c, const char *token)
{
	const struct store_list list = { .prefix = "", .token = token };
	struct catalogs *cs = c->owner;
	bool stopping;

	pthread_mutex_lock(&cs->lock);
	stopping = cs->stopping;
	cs->calls += !stopping;
	pthread_mutex_unlock(&cs->lock);
	if (stopping) {
		finish(c, -ESHUTDOWN, SHUTDOWN);
		return;
	}
	meta_list(cs->o.meta, &list, page_answer, c);
	pthread_mutex_lock(&cs->lock);
	if (--cs->calls == 0)
		pthread_cond_broadcast(&cs->idle);
	pthread_mutex_unlock(&cs->lock);
}

static int add_page(struct catalog *c, const struct store_page *page)
{
	struct snapshot *s = c->making;
	size_t bytes = 0;
	int err;

	for (size_t i = 0; i < page->n; i++)
		bytes += catalog_item_bytes(page->entries[i].name, &page->entries[i].meta);
	err = take(c, bytes, &s->list_bytes);
	for (size_t i = 0; i < page->n && !err; i++) {
		if (!list_guard_repeats(&s->guard, page->entries[i].name))
			err = catalog_list_add(&s->listing.list, page->entries[i].name, &page->entries[i].meta);
	}
	return err ? err : list_guard_pass(&s->guard, page);
}

static void page_answer(void *arg, int err, const char *why, const struct store_page *page, struct object *const *objects)
{
	struct catalog *c = arg;
	char *token;

	(void)objects;
	if (!err)
		err = list_guard_check(&c->making->guard, page, &why);
	/* That the bucket is gone doesn't mean that there is no such file as index.csv. */
	if (err == -ENOENT)
		err = -ESTALE;
	if (err) {
		finish(c, err, why);
		return;
	}
	if (page->next && !is_waited_for(c)) {
		finish(c, -ECANCELED, DROPPED);
		return;
	}
	err = add_page(c, page);
	if (!err && page->next) {
		token = strdup(page->next);
		if (token) {
			ask_page(c, token);
			free(token);
			return;
		}
		err = -ENOMEM;
	}
	if (!err)
		err = workq_submit(c->owner->makers, make, c);
	if (err)
		fail(c, err);
}

/* c's turn has come. */
static void start(struct catalog *c)
{
	struct snapshot *s;

	if (!is_waited_for(c)) {
		finish(c, -ECANCELED, DROPPED);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		fail(c, -ENOMEM);
		return;
	}
	ref_init(&s->refs);
	s->owner = c->owner;
	s->listing.spec = &c->spec;
	c->making = s;
	ask_page(c, NULL);
}

void catalog_expire(struct catalog *c)
{
	struct snapshot *old;

	pthread_mutex_lock(&c->owner->lock);
	old = c->current;
	c->current = NULL;
	pthread_mutex_unlock(&c->owner->lock);
	retire(old);
}

/* The present one if it still holds, with a reference; else NULL, and then w waits, unless it has been
 * dropped: *ret_first tells whether a listing has to be begun. Takes w in that case. */
static struct snapshot *current_or_wait(struct catalog *c, struct waiter *w, uint64_t ttl, bool *ret_first)
{
	struct snapshot *s;
	bool dropped;

	pthread_mutex_lock(&c->owner->lock);
	s = c->current;
	/* Dropped before it came here: catalogs_drop won't find it. */
	dropped = !is_wanted(w->wanted);
	if (s && !c->listing && (ttl == META_FOREVER || clock_ms() - s->made_ms < ttl)) {
		ref_take(&s->refs);
	} else if (dropped) {
		s = NULL;
		*ret_first = false;
	} else {
		s = NULL;
		*ret_first = !c->listing;
		c->listing = true;
		LL_APPEND(c->waiters, w);
	}
	pthread_mutex_unlock(&c->owner->lock);
	if (!s && dropped)
		tell(w, -ECANCELED, DROPPED, NULL);
	return s;
}

static void take_turn(struct catalog *c)
{
	struct catalogs *cs = c->owner;
	bool first;

	pthread_mutex_lock(&cs->lock);
	first = !cs->turns;
	c->refs++;                     /* the listing's */
	LL_APPEND2(cs->turns, c, next_turn);
	pthread_mutex_unlock(&cs->lock);
	if (first)
		start(c);
}

void catalogs_drop(struct catalogs *cs)
{
	struct waiter *gone = NULL, *w, *tmp;
	struct catalog *c;

	pthread_mutex_lock(&cs->lock);
	LL_FOREACH(cs->list, c) {
		LL_FOREACH_SAFE(c->waiters, w, tmp) {
			if (is_wanted(w->wanted))
				continue;
			LL_DELETE(c->waiters, w);
			LL_PREPEND(gone, w);
		}
	}
	pthread_mutex_unlock(&cs->lock);
	tell(gone, -ECANCELED, DROPPED, NULL);
}

void catalog_get(struct catalog *c, const struct wanted *wanted, catalog_fn *done, void *arg)
{
	const uint64_t ttl = c->owner->o.ttl_ms;
	struct waiter *w = calloc(1, sizeof(*w));
	struct snapshot *s;
	bool first;

	if (!w) {
		done(arg, -ENOMEM, NO_MEMORY, NULL);
		return;
	}
	*w = (struct waiter){ .wanted = wanted, .done = done, .arg = arg };
	s = current_or_wait(c, w, ttl, &first);
	if (s) {
		struct catalog_data data = s->data;
		uint64_t age = clock_ms() - s->made_ms;

		if (ttl != META_FOREVER)
			data.ttl_ms = age < ttl ? ttl - age : 0;
		done(arg, 0, NULL, &data);
		snapshot_unref(s);
		free(w);
		return;
	}
	if (first)
		take_turn(c);
}
