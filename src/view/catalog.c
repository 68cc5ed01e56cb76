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
#include "view/catalog_list.h"
#include "view/view_priv.h"

#define NO_ROOM "the list of all objects, and index.csv, would not fit into memory="
#define NO_MEMORY "not enough memory"
#define DROPPED "nobody waits for it any more"
#define SHUTDOWN "the filesystem is being unmounted"

struct catalogs {
	size_t max;
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
	struct ref refs;
	struct catalogs *owner;
	struct catalog_data data;
	uint64_t made_ms;
	struct catalog_list list;      /* until it is finished */
	struct list_guard guard;       /* and its pages' */
	size_t list_bytes, data_bytes; /* counted in used */
};

struct catalog {
	struct catalog *next, *next_turn;
	struct catalogs *owner;
	struct view *view;             /* the first that needed it; what counts is the same in all */

	pthread_mutex_t lock;
	/* lock: */
	struct snapshot *current;
	bool listing;                  /* it is c's turn, or will be */
	struct waiter *waiters;        /* for the listing; it ends when they have all gone */
	/* The listing's alone: */
	struct snapshot *making;
};

struct catalogs *catalogs_new(size_t max)
{
	struct catalogs *cs = calloc(1, sizeof(*cs));

	if (!cs)
		return NULL;
	cs->makers = workq_new("catalog", 1);
	if (!cs->makers) {
		free(cs);
		return NULL;
	}
	cs->max = max;
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
	catalog_list_done(&s->list);
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
	for (size_t i = 0; i < s->data.n_labels; i++)
		free((char *)(uintptr_t)s->data.labels[i]);
	free((void *)(uintptr_t)s->data.labels);
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

static bool take_once(struct catalogs *cs, size_t bytes)
{
	bool fits;

	pthread_mutex_lock(&cs->lock);
	fits = bytes <= cs->max - cs->used;
	if (fits)
		cs->used += bytes;
	pthread_mutex_unlock(&cs->lock);
	return fits;
}

/* Counts bytes of c's snapshot in the making, if need be in place of what others,
 * and c itself, have from earlier. 0, or -ENOSPC. */
static int take(struct catalog *c, size_t bytes, size_t *counted)
{
	struct catalogs *cs = c->owner;
	const size_t own = c->making->list_bytes + c->making->data_bytes;
	bool fits = take_once(cs, bytes);
	struct catalog *old;

	/* Nobody's room is taken away for what wouldn't fit all the same. */
	if (!fits && bytes > cs->max - own)
		return -ENOSPC;
	pthread_mutex_lock(&cs->lock);
	old = cs->list;                /* from here on nothing changes */
	pthread_mutex_unlock(&cs->lock);
	for (; old && !fits; old = old->next) {
		catalog_expire(old);
		fits = take_once(cs, bytes);
	}
	if (!fits)
		return -ENOSPC;
	*counted += bytes;
	return 0;
}

/* ------------------------------------------------------- which there are */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_list(char **a, char **b)
{
	while (*a && *b && strcmp(*a, *b) == 0)
		a++, b++;
	return !*a && !*b;
}

/* Do both list the same samples, with the same labels and sounds? */
static bool list_the_same(const struct view *a, const struct view *b)
{
	return same_list(a->cfg.match, b->cfg.match) && same_text(a->cfg.path, b->cfg.path) &&
	       same_text(a->cfg.audio, b->cfg.audio) && same_list(a->cfg.split_names, b->cfg.split_names) &&
	       same_list(a->mfcc->cfg.match, b->mfcc->cfg.match);
}

struct catalog *catalogs_find(struct catalogs *cs, struct view *v)
{
	struct catalog *c;

	/* Only this function changes the list, at its head, and nobody else calls it now. */
	LL_FOREACH(cs->list, c)
		if (list_the_same(c->view, v))
			return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->owner = cs;
	c->view = v;
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_lock(&cs->lock);
	LL_PREPEND(cs->list, c);
	pthread_mutex_unlock(&cs->lock);
	return c;
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
	struct catalog *c, *next;

	if (!cs)
		return;
	catalogs_stop(cs);
	LL_FOREACH_SAFE(cs->list, c, next) {
		snapshot_unref(c->current);
		pthread_mutex_destroy(&c->lock);
		free(c);
	}
	pthread_cond_destroy(&cs->idle);
	pthread_mutex_destroy(&cs->lock);
	free(cs);
}

/* Text with a length against a label. */
struct label_key {
	const char *text;
	size_t len;
};

static int compare_label(const void *key, const void *element)
{
	const struct label_key *k = key;
	const char *label = *(const char *const *)element;
	int order = strncmp(k->text, label, k->len);

	return order ? order : -(label[k->len] != '\0');
}

int64_t catalog_class(const struct catalog_data *d, const char *label, size_t len)
{
	const struct label_key key = { label, len };
	const char *const *found = NULL;

	if (d->n_labels > 0)
		found = bsearch(&key, d->labels, d->n_labels, sizeof(*d->labels), compare_label);
	return found ? found - d->labels : -1;
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
	pthread_mutex_unlock(&cs->lock);
	pthread_mutex_lock(&c->lock);
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
	pthread_mutex_unlock(&c->lock);
	retire(old);
	tell(waiters, err, why, err ? NULL : &made->data);
	snapshot_unref(made);
	if (again)
		take_turn(c);
	if (next)
		start(next);
}

/* -ENOSPC: it would not fit; -ENOMEM: malloc failed. Both are the user's ENOMEM. */
static void fail(struct catalog *c, int err)
{
	finish(c, err == -ENOSPC ? -ENOMEM : err, err == -ENOSPC ? NO_ROOM : NO_MEMORY);
}

/* From the list of all keys to the two files. */
static int write_files(struct catalog *c, struct snapshot *s)
{
	size_t size, labels = 0, left_out;
	int err;

	catalog_list_sort(&s->list);
	err = catalog_list_labels(&s->list, c->view, &s->data, &left_out);

	if (!err)
		stats_add(c->view->env.stats, STAT_names_left_out, (int64_t)left_out);
	if (!err)
		err = catalog_list_index_size(&s->list, c->view, &s->data, &size);
	if (err)
		return err;
	for (size_t i = 0; i < s->data.n_labels; i++)
		labels += sizeof(char *) + 2 * (strlen(s->data.labels[i]) + 1);  /* in classes.txt, too */
	err = take(c, size + labels, &s->data_bytes);
	if (!err)
		err = catalog_list_index(&s->list, c->view, &s->data, size, &s->data.index_csv);
	if (err)
		return err;
	s->data.classes_txt = catalog_classes(&s->data);
	return s->data.classes_txt ? 0 : -ENOMEM;
}

static void make(void *arg)
{
	struct catalog *c = arg;
	struct snapshot *s = c->making;
	int err = write_files(c, s);

	list_done(s);
	s->made_ms = clock_ms();
	s->data.ttl_ms = c->view->env.metadata_ttl_ms;
	if (err)
		fail(c, err);
	else
		finish(c, 0, NULL);
}

static bool is_waited_for(struct catalog *c)
{
	bool waited;

	pthread_mutex_lock(&c->lock);
	waited = c->waiters != NULL;
	pthread_mutex_unlock(&c->lock);
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
	meta_list(c->view->env.meta, &list, page_answer, c);
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
			err = catalog_list_add(&s->list, page->entries[i].name, &page->entries[i].meta);
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
	c->making = s;
	ask_page(c, NULL);
}

void catalog_expire(struct catalog *c)
{
	struct snapshot *old;

	pthread_mutex_lock(&c->lock);
	old = c->current;
	c->current = NULL;
	pthread_mutex_unlock(&c->lock);
	retire(old);
}

/* The present one if it still holds, with a reference; else NULL, and then w waits, unless it has been
 * dropped: *ret_first tells whether a listing has to be begun. Takes w in that case. */
static struct snapshot *current_or_wait(struct catalog *c, struct waiter *w, uint64_t ttl, bool *ret_first)
{
	struct snapshot *s;
	bool dropped;

	pthread_mutex_lock(&c->lock);
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
	pthread_mutex_unlock(&c->lock);
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
	c = cs->list;                  /* from here on nothing changes */
	pthread_mutex_unlock(&cs->lock);
	for (; c; c = c->next) {
		pthread_mutex_lock(&c->lock);
		LL_FOREACH_SAFE(c->waiters, w, tmp) {
			if (is_wanted(w->wanted))
				continue;
			LL_DELETE(c->waiters, w);
			LL_PREPEND(gone, w);
		}
		pthread_mutex_unlock(&c->lock);
	}
	tell(gone, -ECANCELED, DROPPED, NULL);
}

void catalog_get(struct catalog *c, const struct wanted *wanted, catalog_fn *done, void *arg)
{
	const uint64_t ttl = c->view->env.metadata_ttl_ms;
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
