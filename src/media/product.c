/* product.c - values that are made by one job as a whole: packet tables, MFCC
 * arrays, and what the sound is. Single-flight by (kind, object, spec). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/blob.h"
#include "base/budget.h"
#include "base/stats.h"
#include "base/text.h"
#include "media/need.h"
#include "media/samples_priv.h"
#include "store/object.h"

#define TABLE_GUESS_MIN ((uint64_t)256 << 10)

struct product_key {
	uint64_t kind;              /* enum proto_kind; 64 bit: no padding to hash */
	uint64_t object;
	struct spec spec;           /* MFCC; zero for others */
};

struct product {
	UT_hash_handle hh;
	struct product_key key;
	struct samples *samples;
	struct object *obj;

	/* samples->lock: */
	struct value value;         /* pinned by clips whose table it is */
	bool lasting;               /* the decoder said how it failed */

	/* The running job: touched by one thread at a time, in turn; but for job.dropped. */
	struct pool_job job;
	struct budget_wait reserved;
};

void product_free_locked(struct samples *s, struct product *p)
{
	struct value_waiter *w, *tmp;

	HASH_DEL(s->products, p);
	value_done(&s->values, &p->value);
	LL_FOREACH_SAFE(p->value.waiters, w, tmp)
		free(w);
	object_unref(p->obj);
	free(p);
}

static bool product_evict_locked(struct values *vs, struct value *v)
{
	product_free_locked(samples_of_values(vs), (struct product *)((char *)v - offsetof(struct product, value)));
	return true;
}

struct product *product_pin_table_locked(struct samples *s, const struct object *obj, const struct blob *table)
{
	const struct product_key key = { .kind = PROTO_PROBE, .object = obj->id };
	struct product *p;

	HASH_FIND(hh, s->products, &key, sizeof(key), p);
	if (!p || p->value.blob != table)
		return NULL;
	value_pin(&s->values, &p->value);
	return p;
}

void product_unpin_locked(struct product *p)
{
	if (p)
		value_unpin(&p->samples->values, &p->value);
}

static void product_reserve(struct product *p, size_t out_size);

/* The job is over: tells everybody, keeps what is worth keeping. Takes the
 * caller's reference to value. */
static void product_finish(struct product *p, int err, const char *why, struct blob *value)
{
	struct samples *s = p->samples;
	struct value_waiter *waiters;
	char text[SAMPLES_WHY_MAX];

	snprintf(text, sizeof(text), "%s", why ? why : "");
	pthread_mutex_lock(&s->lock);
	if (err == -ECANCELED && atomic_load(&p->job.dropped) && p->value.waiters) {
		/* Ended because nobody waited; somebody has come since. */
		atomic_store(&p->job.dropped, false);
		pthread_mutex_unlock(&s->lock);
		product_reserve(p, p->job.out_size);
		return;
	}
	waiters = p->value.waiters;
	p->value.waiters = NULL;
	if (!err || error_is_lasting(err) || p->lasting)
		value_set(&s->values, &p->value, err, text, value, sizeof(*p));
	else
		product_free_locked(s, p);
	pthread_mutex_unlock(&s->lock);
	value_tell(waiters, err, text, value);
	blob_unref(value);
}


/* What is particular to a kind of product. */
struct product_kind {
	size_t max;                      /* bytes of the largest result; 0: as there is room */
	int no_room;                     /* what its worker says if the result was larger than guessed */
	enum stat_id made;
	/* Believes nothing. 0, or -errno with why[SAMPLES_WHY_MAX]. */
	int (*check)(const struct product *p, struct blob *value, char *why);
};

static int check_table(const struct product *p, struct blob *value, char *why)
{
	return table_check(blob_data(value), blob_len(value), p->obj->meta.size, why);
}

static int check_mfcc(const struct product *p, struct blob *value, char *why)
{
	const struct mfcc_spec *spec = &p->job.spec.mfcc;
	uint64_t columns = spec_mfcc_columns_of(spec, blob_len(value));
	bool is_fixed = spec->duration > 0;

	if (columns && (!is_fixed || columns == mfcc_columns(spec, mfcc_fixed_samples(spec))))
		return 0;
	snprintf(why, SAMPLES_WHY_MAX, "the decoder gave an array of the wrong size");
	return -EBADMSG;
}

static int check_sound(const struct product *p, struct blob *value, char *why)
{
	(void)p;
	if (blob_len(value) == sizeof(struct proto_sound))
		return 0;
	snprintf(why, SAMPLES_WHY_MAX, "the decoder gave no description of the sound");
	return -EBADMSG;
}

static const struct product_kind kinds[] = {
	[PROTO_PROBE] = { PROTO_TABLE_MAX, -ENOSPC, STAT_probes, check_table },
	[PROTO_MFCC] = { 0, -ENOMEM, STAT_mfcc_computed, check_mfcc },
	[PROTO_SOUND] = { sizeof(struct proto_sound), 0, STAT_probes, check_sound },
};

/* The largest result of this kind that there is room for. */
static size_t result_max(const struct samples *s, enum proto_kind kind)
{
	size_t total = budget_total(s->budget) / 2, max = kinds[kind].max;

	return max && total > max ? max : total;
}

/* Was what went wrong that the guess of its size was too small? */
static bool is_larger_than_guessed(const struct product *p, const struct pool_result *r)
{
	const struct pool_job *job = &p->job;
	bool is_guess = job->kind != PROTO_MFCC || job->spec.mfcc.duration <= 0;

	return r->err && r->by_decoder && is_guess && r->err == kinds[job->kind].no_room &&
	       job->out_size < result_max(p->samples, job->kind);
}

static void product_done(struct pool_job *job, const struct pool_result *r)
{
	struct product *p = (struct product *)((char *)job - offsetof(struct product, job));
	struct samples *s = p->samples;
	struct blob *value = NULL;
	char why[SAMPLES_WHY_MAX];
	int err = r->err;

	p->lasting = r->by_decoder;
	snprintf(why, sizeof(why), "%s", r->why ? r->why : "");
	if (err == 0) {
		value = blob_copy(r->out, r->out_len);
		if (!value) {
			err = -ENOMEM;
			snprintf(why, sizeof(why), "not enough memory for the result");
		}
	}
	budget_release(s->budget, p->reserved.bytes);
	if (r->killed) {
		pthread_mutex_lock(&s->lock);
		killed_note(&s->killed, p->key.object, job->kind, clock_ms(), s->killed_ttl_ms, why);
		pthread_mutex_unlock(&s->lock);
	}
	if (is_larger_than_guessed(p, r)) {
		product_reserve(p, result_max(s, job->kind));
		return;
	}
	if (value)
		err = kinds[job->kind].check(p, value, why);
	if (err && value) {
		blob_unref(value);
		value = NULL;
	}
	if (!err)
		stats_add(s->stats, kinds[job->kind].made, 1);
	product_finish(p, err == -ENOSPC ? -ENOMEM : err, why, value);
}

static void product_granted(struct budget_wait *w)
{
	struct product *p = (struct product *)((char *)w - offsetof(struct product, reserved));

	pool_submit(p->samples->pool, &p->job);
}

static void product_reserve(struct product *p, size_t out_size)
{
	struct samples *s = p->samples;
	int granted;

	p->job.out_size = out_size;
	/* The output, and the copy that is kept of it. */
	p->reserved.bytes = 2 * out_size;
	p->reserved.granted = product_granted;
	granted = budget_reserve(s->budget, &p->reserved);
	if (granted < 0) {
		char why[SAMPLES_WHY_MAX];

		snprintf(why, sizeof(why), "the result takes %zu MB; memory= leaves %zu MB for running jobs",
		         (p->reserved.bytes >> 20) + 1, budget_total(s->budget) >> 20);
		product_finish(p, -ENOMEM, why, NULL);
	} else if (granted) {
		product_granted(&p->reserved);
	}
}

/* Joins the product under key, or starts it. out_size: of its job. */
static void product_join(struct samples *s, struct object *obj, const struct product_key *key, size_t out_size,
                         const struct wanted *wanted, samples_blob_fn *done, void *arg)
{
	struct product *p;
	struct value_waiter *w = calloc(1, sizeof(*w));
	const char *killed;

	if (!w) {
		done(arg, -ENOMEM, "not enough memory", NULL);
		return;
	}
	w->wanted = wanted;
	w->done = done;
	w->arg = arg;

	pthread_mutex_lock(&s->lock);
	if (!is_wanted(wanted)) {
		/* Dropped before it came here: samples_drop won't find it. */
		pthread_mutex_unlock(&s->lock);
		value_tell(w, -ECANCELED, POOL_DROPPED_WHY, NULL);
		return;
	}
	HASH_FIND(hh, s->products, key, sizeof(*key), p);
	if (p && p->value.ready) {
		char why[SAMPLES_WHY_MAX];
		struct blob *value;
		int err = value_get(&s->values, &p->value, why, &value);

		pthread_mutex_unlock(&s->lock);
		value_tell(w, err, why, value);
		blob_unref(value);
		return;
	}
	if (p) {
		LL_APPEND(p->value.waiters, w);
		pthread_mutex_unlock(&s->lock);
		stats_add(s->stats, STAT_row_joins, 1);
		return;
	}
	killed = killed_why(&s->killed, key->object, key->kind, clock_ms());
	if (killed) {
		char why[SAMPLES_WHY_MAX];

		snprintf(why, sizeof(why), "%s", killed);
		pthread_mutex_unlock(&s->lock);
		value_tell(w, -ENOMEM, why, NULL);
		return;
	}
	p = calloc(1, sizeof(*p));
	if (!p) {
		pthread_mutex_unlock(&s->lock);
		value_tell(w, -ENOMEM, "not enough memory", NULL);
		return;
	}
	p->key = *key;
	p->samples = s;
	p->obj = object_ref(obj);
	p->value.waiters = w;
	p->value.evict = product_evict_locked;
	p->job.kind = (enum proto_kind)key->kind;
	p->job.obj = p->obj;
	/* Where containers begin. */
	p->job.need_len = (size_t)need_container(obj->meta.size).len;
	p->job.spec = key->spec;
	p->job.done = product_done;
	HASH_ADD(hh, s->products, key, sizeof(p->key), p);
	if (!table_added(p)) {
		pthread_mutex_unlock(&s->lock);
		object_unref(p->obj);
		free(p);
		value_tell(w, -ENOMEM, "not enough memory", NULL);
		return;
	}
	pthread_mutex_unlock(&s->lock);
	product_reserve(p, out_size);
}

static void product_get(struct samples *s, struct object *obj, const struct product_key *key, size_t out_size,
                        const struct wanted *wanted, samples_blob_fn *done, void *arg)
{
	if (!samples_enter(s)) {
		done(arg, -ESHUTDOWN, "the filesystem is being unmounted", NULL);
		return;
	}
	product_join(s, obj, key, out_size, wanted, done, arg);
	samples_leave(s);
}

void products_drop(struct samples *s)
{
	struct value_waiter *gone = NULL;
	struct product *p, *next;

	pthread_mutex_lock(&s->lock);
	HASH_ITER(hh, s->products, p, next) {
		if (p->value.ready)
			continue;
		value_drop_waiters(&p->value, &gone);
		if (!p->value.waiters)
			atomic_store(&p->job.dropped, true);
	}
	pthread_mutex_unlock(&s->lock);
	value_tell(gone, -ECANCELED, POOL_DROPPED_WHY, NULL);
}

void samples_table(struct samples *s, struct object *obj, const struct wanted *wanted, samples_blob_fn *done,
                   void *arg)
{
	struct product_key key = { .kind = PROTO_PROBE, .object = obj->id };
	/* Room for packets of 1280 bytes in the mean, and for four minutes of any; a
	 * table that needs more says so and is made again. */
	size_t max = result_max(s, PROTO_PROBE);
	uint64_t guess = sizeof(struct table_head) + TABLE_PARAMS_MAX + TABLE_GUESS_MIN + obj->meta.size / 32;

	product_get(s, obj, &key, guess < max ? (size_t)guess : max, wanted, done, arg);
}

void samples_sound(struct samples *s, struct object *obj, const struct wanted *wanted, samples_blob_fn *done,
                   void *arg)
{
	struct product_key key = { .kind = PROTO_SOUND, .object = obj->id };

	product_get(s, obj, &key, sizeof(struct proto_sound), wanted, done, arg);
}

/* Bytes of a second of sound at least, nearly always: telephone's ADPCM where samples
 * are mostly stored as they are, else less than any codec here makes of speech. */
static uint64_t least_byte_rate(const char *key)
{
	static const char *const plain[] = { ".wav", ".aif", ".aiff", ".au" };
	const char *dot = strrchr(key, '.');

	for (size_t i = 0; dot && i < sizeof(plain) / sizeof(plain[0]); i++)
		if (strcasecmp(dot, plain[i]) == 0)
			return 4000;
	return 500;
}

/* Bytes the MFCC can take: exact for a fixed duration, guessed for a full one. A longer
 * one doesn't fit, says so, and is made again. */
static size_t mfcc_out_size(const struct object *obj, const struct mfcc_spec *spec, size_t limit)
{
	uint64_t seconds, bytes;

	if (spec->duration > 0)
		return (size_t)spec_mfcc_array(spec, mfcc_columns(spec, mfcc_fixed_samples(spec))).bytes;
	seconds = obj->meta.size / least_byte_rate(obj->key) + 60;
	bytes = spec_mfcc_array(spec, mfcc_columns(spec, seconds * spec->sr)).bytes;
	return bytes < limit ? (size_t)bytes : limit;
}

void samples_mfcc(struct samples *s, struct object *obj, const struct mfcc_spec *spec,
                  const struct wanted *wanted, samples_blob_fn *done, void *arg)
{
	struct product_key key = { .kind = PROTO_MFCC, .object = obj->id, .spec = spec_mfcc(spec) };

	product_get(s, obj, &key, mfcc_out_size(obj, spec, result_max(s, PROTO_MFCC)), wanted, done, arg);
}

struct blob *samples_mfcc_now(struct samples *s, const struct object *obj, const struct mfcc_spec *spec)
{
	const struct product_key key = { .kind = PROTO_MFCC, .object = obj->id, .spec = spec_mfcc(spec) };
	struct blob *value = NULL;
	struct product *p;

	pthread_mutex_lock(&s->lock);
	HASH_FIND(hh, s->products, &key, sizeof(key), p);
	if (p && p->value.blob) {
		value = blob_ref(p->value.blob);
		value_touch(&s->values, &p->value);
	}
	pthread_mutex_unlock(&s->lock);
	return value;
}
