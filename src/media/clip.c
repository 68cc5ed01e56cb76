/* clip.c - one object under one frames_spec: which rows are in memory, who
 * waits for which. The decoding is clip_job.c's; the idea is told in clip_priv.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "media/clip_priv.h"
#include "media/geometry.h"
#include "store/object.h"

/* ------------------------------------------------------------------ rows */

static void row_free_locked(struct samples *s, struct row *r)
{
	value_done(&s->values, &r->value);
	r->clip->rows[r->number] = NULL;
	free(r);
}

static bool row_evict_locked(struct values *vs, struct value *v)
{
	row_free_locked(samples_of_values(vs), (struct row *)v);
	return true;
}

/* Remembers a row's value or its lasting failure. Out of memory: doesn't. */
void clip_keep_locked(struct clip *c, uint32_t number, struct blob *value, int err, const char *why)
{
	struct row *r;

	if (c->rows[number])
		return;
	r = calloc(1, sizeof(*r));
	if (!r)
		return;
	r->clip = c;
	r->number = number;
	r->value.evict = row_evict_locked;
	c->rows[number] = r;
	value_set(&c->samples->values, &r->value, err, why, value, sizeof(*r));
}

/* -------------------------------------------------------------- requests */

static void request_free(struct request *q)
{
	for (uint32_t i = 0; i < q->count; i++)
		blob_unref(q->rows[i]);
	free(q);
}

/* Calls back everybody on the list, without the lock. The clip is kept by
 * `users` while anybody looks at it. */
static void requests_answer(struct clip *c, struct request *list)
{
	struct request *q, *tmp;

	DL_FOREACH_SAFE(list, q, tmp) {
		if (q->clip_done) {
			struct samples_clip view = { 0 };
			if (!q->err)
				view = (struct samples_clip){ clip_table(c), c->plan, c->row_height, c->row_width };
			q->clip_done(q->arg, q->err, q->err ? q->why : NULL, q->err ? NULL : &view);
		} else {
			q->rows_done(q->arg, q->err, q->err ? q->why : NULL, q->err ? NULL : q->rows);
		}
		request_free(q);
	}
}

void clip_fail_request_locked(struct clip *c, struct request *q, int err, const char *why, struct request **finished)
{
	q->err = err;
	snprintf(q->why, sizeof(q->why), "%s", why);
	DL_DELETE(c->requests, q);
	DL_APPEND(*finished, q);
}

/* Row `number` (a first row) is there or has failed: fills it into whoever waits. */
void clip_offer_locked(struct clip *c, uint32_t number, struct blob *value, int err, const char *why,
                                  struct request **finished)
{
	struct request *q, *tmp;

	DL_FOREACH_SAFE(c->requests, q, tmp) {
		bool wants = false;

		for (uint32_t i = request_place(c, q, number);
		     i < q->count && c->plan->rows[q->first + i].first == number; i++) {
			if (q->rows[i])
				continue;
			wants = true;
			if (value) {
				q->rows[i] = blob_ref(value);
				q->missing--;
			}
		}
		if (wants && err)
			clip_fail_request_locked(c, q, err, why, finished);
		else if (wants && q->missing == 0) {
			DL_DELETE(c->requests, q);
			DL_APPEND(*finished, q);
		}
	}
}

/* Fills in what is in memory. Returns true when the request is finished. */
static bool request_fill_locked(struct clip *c, struct request *q)
{
	struct stats *stats = c->samples->stats;

	q->missing = 0;
	for (uint32_t i = 0; i < q->count; i++) {
		struct row *r = c->rows[c->plan->rows[q->first + i].first];

		if (!r)
			q->missing++;
		else if ((q->err = value_get(&c->samples->values, &r->value, q->why, &q->rows[i])) != 0)
			return true;
	}
	stats_add(stats, STAT_row_hits, q->count - q->missing);
	stats_add(stats, STAT_row_misses, q->missing);
	return q->missing == 0;
}

/* Ends a section that changed the clip: gives up the lock, answers, starts. The
 * caller counted itself in c->users. */
void clip_settle(struct clip *c, struct request *finished)
{
	struct samples *s = c->samples;

	pthread_mutex_unlock(&s->lock);
	requests_answer(c, finished);
	clip_start_jobs(c);
	pthread_mutex_lock(&s->lock);
	c->users--;
	pthread_mutex_unlock(&s->lock);
}

/* ------------------------------------------------------------------ clip */

void clip_free_locked(struct samples *s, struct clip *c)
{
	struct request *q, *tmp;

	HASH_DEL(s->clips, c);
	value_done(&s->values, &c->place);
	for (uint32_t i = 0; c->rows && i < c->plan->n_rows; i++)
		if (c->rows[i])
			row_free_locked(s, c->rows[i]);
	DL_FOREACH_SAFE(c->requests, q, tmp)
		request_free(q);
	product_unpin_locked(c->table_of);
	free(c->rows);
	free(c->plan);
	blob_unref(c->table);
	object_unref(c->obj);
	free(c);
}

static bool clip_evict_locked(struct values *vs, struct value *v)
{
	struct clip *c = (struct clip *)((char *)v - offsetof(struct clip, place));

	if (c->requests || c->jobs || c->users)
		return false;
	clip_free_locked(samples_of_values(vs), c);
	return true;
}

/* Plan, geometry and the array of rows, from the table. */
static int clip_prepare(struct clip *c, struct blob *table, char *why)
{
	const struct table_head *t = (const struct table_head *)(const void *)blob_data(table);
	struct geometry g;
	int err = plan_make(t, &c->key.spec.frames, why, &c->plan);

	if (err < 0)
		return err;
	err = geometry_make(t->height, t->width, &c->key.spec.frames, &g);
	if (err < 0) {
		snprintf(why, SAMPLES_WHY_MAX, "its frames of %ux%u pixels can't be brought to the wanted size",
		         t->width, t->height);
		return -EBADMSG;
	}
	c->row_height = g.row_height;
	c->row_width = g.row_width;
	c->row_bytes = (size_t)spec_frames_array(&c->key.spec.frames, 1, g.row_height, g.row_width).row_bytes;
	c->rows = calloc(c->plan->n_rows, sizeof(*c->rows));
	if (!c->rows) {
		snprintf(why, SAMPLES_WHY_MAX, "not enough memory for %u rows", c->plan->n_rows);
		return -ENOMEM;
	}
	c->table = blob_ref(table);
	return 0;
}

static void clip_loaded(void *arg, int err, const char *table_why, struct blob *table)
{
	struct clip *c = arg;
	struct samples *s = c->samples;
	struct request *finished = NULL, *q, *tmp;
	char why[SAMPLES_WHY_MAX];

	snprintf(why, sizeof(why), "%s", table_why ? table_why : "");
	/* Nobody else touches a loading clip's plan and rows. */
	if (!err)
		err = clip_prepare(c, table, why);

	pthread_mutex_lock(&s->lock);
	if (err == -ECANCELED && c->requests) {
		/* Given up because nobody waited; somebody has come since. */
		c->table_wanted = (struct wanted){ 0 };
		pthread_mutex_unlock(&s->lock);
		samples_table(s, c->obj, &c->table_wanted, clip_loaded, c);
		return;
	}
	c->users++;
	c->loading = false;
	DL_FOREACH_SAFE(c->requests, q, tmp) {
		if (!err && !q->clip_done && (q->first >= c->plan->n_rows || q->count > c->plan->n_rows - q->first))
			clip_fail_request_locked(c, q, -EINVAL, "the array has fewer rows", &finished);
		else if (err)
			clip_fail_request_locked(c, q, err, why, &finished);
		else if (q->clip_done || request_fill_locked(c, q)) {
			DL_DELETE(c->requests, q);
			DL_APPEND(finished, q);
		}
	}
	if (err) {
		/* The table remembers lasting failures; the clip starts anew next time. */
		c->users--;
		HASH_DEL(s->clips, c);
		pthread_mutex_unlock(&s->lock);
		requests_answer(c, finished);
		free(c->rows);
		free(c->plan);
		blob_unref(c->table);
		object_unref(c->obj);
		free(c);
		return;
	}
	c->table_of = product_pin_table_locked(s, c->obj, c->table);
	c->place.evict = clip_evict_locked;
	value_count(&s->values, &c->place, sizeof(*c) + (c->table_of ? 0 : blob_len(c->table)) +
	            c->plan->n_rows * (sizeof(c->plan->rows[0]) + sizeof(c->rows[0])));
	clip_schedule_locked(c, &finished);
	clip_settle(c, finished);
}

/* Answers a request that has no clip. Takes q. */
static void request_refuse(struct request *q, int err, const char *why)
{
	struct request *list = NULL;

	q->err = err;
	snprintf(q->why, sizeof(q->why), "%s", why);
	DL_APPEND(list, q);
	requests_answer(NULL, list);
}

/* A clip that is loading. NULL: out of memory. */
static struct clip *clip_new_locked(struct samples *s, struct object *obj, const struct clip_key *key)
{
	struct clip *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->key = *key;
	c->samples = s;
	c->loading = true;
	c->damaged_run = -1;
	HASH_ADD(hh, s->clips, key, sizeof(c->key), c);
	if (!table_added(c)) {
		free(c);
		return NULL;
	}
	c->obj = object_ref(obj);
	return c;
}

/* Hands a new request to its clip, made if need be. Takes q. */
static void clip_join(struct samples *s, struct object *obj, const struct frames_spec *spec, struct request *q)
{
	struct clip_key key = { .object = obj->id, .spec = spec_frames(spec) };
	struct request *finished = NULL;
	struct clip *c;

	pthread_mutex_lock(&s->lock);
	if (!is_wanted(q->wanted)) {
		/* Dropped before it came here: samples_drop won't find it. */
		pthread_mutex_unlock(&s->lock);
		request_refuse(q, -ECANCELED, POOL_DROPPED_WHY);
		return;
	}
	HASH_FIND(hh, s->clips, &key, sizeof(key), c);
	if (!c) {
		c = clip_new_locked(s, obj, &key);
		if (!c) {
			pthread_mutex_unlock(&s->lock);
			request_refuse(q, -ENOMEM, "not enough memory");
			return;
		}
		DL_APPEND(c->requests, q);
		pthread_mutex_unlock(&s->lock);
		samples_table(s, obj, &c->table_wanted, clip_loaded, c);
		return;
	}
	if (c->loading) {
		DL_APPEND(c->requests, q);
		pthread_mutex_unlock(&s->lock);
		return;
	}
	c->users++;
	value_touch(&s->values, &c->place);
	if (!q->clip_done && (q->first >= c->plan->n_rows || q->count > c->plan->n_rows - q->first)) {
		q->err = -EINVAL;
		snprintf(q->why, sizeof(q->why), "the array has fewer rows");
		DL_APPEND(finished, q);
	} else if (q->clip_done || request_fill_locked(c, q)) {
		DL_APPEND(finished, q);
	} else {
		if (c->jobs)
			stats_add(s->stats, STAT_row_joins, 1);
		DL_APPEND(c->requests, q);
		clip_schedule_locked(c, &finished);
	}
	clip_settle(c, finished);
}

static void clip_request(struct samples *s, struct object *obj, const struct frames_spec *spec, struct request *q)
{
	if (!samples_enter(s)) {
		request_refuse(q, -ESHUTDOWN, "the filesystem is being unmounted");
		return;
	}
	clip_join(s, obj, spec, q);
	samples_leave(s);
}

/* The clip's part of clips_drop: moves the requests that nobody wants to *gone. A
 * job that hands nothing to a reader may be a step ahead of one, so jobs end only
 * where a reader has gone. */
static void clip_drop_locked(struct clip *c, struct request **gone)
{
	struct request *q, *tmp;
	struct frame_job *j;
	bool any = false;

	DL_FOREACH_SAFE(c->requests, q, tmp) {
		if (is_wanted(q->wanted))
			continue;
		clip_fail_request_locked(c, q, -ECANCELED, POOL_DROPPED_WHY, gone);
		any = true;
	}
	if (any && c->loading && !c->requests)
		wanted_drop(&c->table_wanted);
	if (!any || c->loading)
		return;
	DL_FOREACH(c->jobs, j)
		if (!clip_job_wanted_locked(j))
			atomic_store(&j->job.dropped, true);
}

void clips_drop(struct samples *s)
{
	struct request *gone = NULL;
	struct clip *c, *next;

	pthread_mutex_lock(&s->lock);
	HASH_ITER(hh, s->clips, c, next)
		clip_drop_locked(c, &gone);
	pthread_mutex_unlock(&s->lock);
	requests_answer(NULL, gone);
}

void samples_clip(struct samples *s, struct object *obj, const struct frames_spec *spec,
                  const struct wanted *wanted, samples_clip_fn *done, void *arg)
{
	struct request *q = calloc(1, sizeof(*q));

	if (!q) {
		done(arg, -ENOMEM, "not enough memory", NULL);
		return;
	}
	q->wanted = wanted;
	q->clip_done = done;
	q->arg = arg;
	clip_request(s, obj, spec, q);
}

void samples_rows(struct samples *s, struct object *obj, const struct frames_spec *spec, uint32_t first, uint32_t count,
                  bool sequential, const struct wanted *wanted, samples_rows_fn *done, void *arg)
{
	struct request *q = calloc(1, sizeof(*q) + (size_t)count * sizeof(q->rows[0]));

	if (!q) {
		done(arg, -ENOMEM, "not enough memory", NULL);
		return;
	}
	q->first = first;
	q->count = count;
	q->sequential = sequential;
	q->wanted = wanted;
	q->rows_done = done;
	q->arg = arg;
	clip_request(s, obj, spec, q);
}

static bool clip_has_locked(const struct clip *c, uint32_t first, uint32_t count)
{
	if (first >= c->plan->n_rows || count > c->plan->n_rows - first)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const struct row *r = c->rows[c->plan->rows[first + i].first];

		if (!r || r->value.err)
			return false;
	}
	return true;
}

bool samples_rows_now(struct samples *s, const struct object *obj, const struct frames_spec *spec, uint32_t first,
                      uint32_t count, struct blob **ret_rows)
{
	const struct clip_key key = { .object = obj->id, .spec = spec_frames(spec) };
	struct clip *c;
	bool found;

	pthread_mutex_lock(&s->lock);
	HASH_FIND(hh, s->clips, &key, sizeof(key), c);
	found = c && !c->loading && clip_has_locked(c, first, count);
	if (found) {
		value_touch(&s->values, &c->place);
		for (uint32_t i = 0; i < count; i++) {
			struct row *r = c->rows[c->plan->rows[first + i].first];

			ret_rows[i] = blob_ref(r->value.blob);
			value_touch(&s->values, &r->value);
		}
	}
	pthread_mutex_unlock(&s->lock);
	if (found)
		stats_add(s->stats, STAT_row_hits, count);
	return found;
}
