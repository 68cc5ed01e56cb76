#include "data/loader.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "data/loader_batch.h"
#include "data/order.h"
#include "data/samples.h"
#include "data/template.h"
#include "util/why.h"

/* A place in the ring of batches. Its batch belongs to the readers from when it is opened
 * until done == batch.n, then to the consumer until it is given back. */
struct slot {
	struct batch batch;
	char *folder;           /* this epoch's */
	/* loader.lock: */
	size_t claimed, done;   /* samples that readers took, and finished with */
	int err;                /* of a file, not its own fault */
	struct why why;
};

struct loader {
	struct loader_config config; /* folder is ours */
	struct slot *slot;
	pthread_t *thread;
	unsigned n_threads;

	pthread_mutex_t lock;
	pthread_cond_t work;    /* there may be a sample to claim, or stop */
	pthread_cond_t ready;   /* a batch may be complete, or interrupted */
	/* lock: */
	struct plan_cursor cursor; /* of the next slot to open */
	uint32_t *order;        /* of the training samples in order_epoch */
	uint32_t order_epoch;
	bool order_valid;
	uint64_t opened, taken; /* slots, ever; slot i is in place i % queue */
	uint64_t reading;       /* slot that readers claim from; <= opened */
	bool planned;           /* the plan has ended */
	bool stop, interrupted;
	int err;                /* a slot couldn't be opened */
	struct why why;
};

static struct slot *slot_of(struct loader *l, uint64_t i)
{
	return &l->slot[i % l->config.queue];
}

/* ---- opening slots ------------------------------------------------------------------- */

static int make_order_locked(struct loader *l, uint32_t epoch)
{
	const struct samples *s = l->config.samples;

	if (l->order_valid && l->order_epoch == epoch)
		return 0;
	memcpy(l->order, s->train, s->n_train * sizeof(*l->order));
	if (order_sort(l->config.seed, PHILOX_ORDER, epoch, l->order, s->n_train))
		return -ENOMEM;
	l->order_epoch = epoch;
	l->order_valid = true;
	return 0;
}

/* Which samples stand in this rank's part of the batch: nothing is read here. */
static void fill_numbers_locked(struct loader *l, struct batch *b)
{
	const struct loader_config *c = &l->config;
	const struct samples *s = c->samples;
	const uint32_t *list = b->plan.training ? l->order : s->val;
	size_t begin = c->rank * b->places;
	size_t end = begin + b->places < b->plan.n ? begin + b->places : b->plan.n;
	size_t n = end > begin ? end - begin : 0;

	batch_reset(b, c, n);
	for (size_t i = 0; i < n; i++) {
		uint32_t sample = list[b->plan.first + begin + i];

		b->samples[i] = sample;
		b->labels[i] = (int32_t)s->sample[sample].class;
		b->weights[i] = 1;
		if (!c->spec.video)
			continue;
		b->crops[i] = b->plan.training ?
			order_crop(c->seed, b->plan.epoch, sample, &c->spec, c->crop_h, c->crop_w, c->flip) :
			order_centre(&c->spec, c->crop_h, c->crop_w);
	}
}

static void open_slot_locked(struct loader *l)
{
	struct slot *s = slot_of(l, l->opened);
	struct batch *b = &s->batch;

	if (!plan_next(&l->config.plan, &l->cursor, &b->plan)) {
		l->planned = true;
		return;
	}
	b->after = l->cursor;
	free(s->folder);
	s->folder = template_expand(l->config.folder, b->plan.epoch, l->config.seed, &l->why);
	if (!s->folder || make_order_locked(l, b->plan.epoch)) {
		l->err = s->folder ? why_no_memory(&l->why) : -EINVAL;
		return;
	}
	fill_numbers_locked(l, b);
	s->claimed = 0;
	s->done = 0;
	s->err = 0;
	l->opened++;
	if (b->n == 0)
		pthread_cond_signal(&l->ready);
}

/* The slot with the next sample that nobody has taken; NULL if all that are open have
 * been taken and none can be opened now. */
static struct slot *claimable_locked(struct loader *l)
{
	for (;;) {
		if (l->reading < l->opened) {
			struct slot *s = slot_of(l, l->reading);

			if (s->claimed < s->batch.n)
				return s;
			l->reading++;
		} else if (l->opened - l->taken < l->config.queue && !l->planned && !l->err) {
			open_slot_locked(l);
		} else {
			return NULL;
		}
	}
}

/* ---- readers ------------------------------------------------------------------------- */

static void read_place(struct loader *l, struct slot *s, size_t place)
{
	const struct loader_config *c = &l->config;
	struct batch *b = &s->batch;
	struct why why;
	int err;

	err = clip_read(s->folder, c->samples->sample[b->samples[place]].path, &c->spec,
	                b->frames ? b->frames + place * clip_frames_bytes(&c->spec) : NULL,
	                b->mfcc ? b->mfcc + place * clip_mfcc_floats(&c->spec) : NULL, &why);
	pthread_mutex_lock(&l->lock);
	if (err == CLIP_BAD && batch_mark_bad(b, c, place, why.text))
		err = why_no_memory(&why);
	if (err < 0 && !s->err) {
		s->err = err;
		s->why = why;
	}
	if (++s->done == b->n) {
		batch_sort_bad(b);
		pthread_cond_signal(&l->ready);
	}
	pthread_mutex_unlock(&l->lock);
}

static void *reader_main(void *arg)
{
	struct loader *l = arg;

	for (;;) {
		struct slot *s = NULL;
		size_t place = 0;

		pthread_mutex_lock(&l->lock);
		while (!l->stop && !(s = claimable_locked(l))) {
			/* The consumer may be waiting for the end, or an error. */
			pthread_cond_signal(&l->ready);
			pthread_cond_wait(&l->work, &l->lock);
		}
		if (!l->stop)
			place = s->claimed++;
		else
			s = NULL;
		pthread_mutex_unlock(&l->lock);
		if (!s)
			return NULL;
		read_place(l, s, place);
	}
}

/* ---- the consumer -------------------------------------------------------------------- */

int loader_next(struct loader *l, struct batch **ret, struct why *why)
{
	struct slot *s;
	int err = 0;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		s = slot_of(l, l->taken);
		if (l->interrupted)
			err = -EINTR;
		else if (l->taken < l->opened && s->done == s->batch.n)
			err = s->err;
		else if (l->taken == l->opened && l->err)
			err = l->err;
		else if (l->taken == l->opened && l->planned)
			err = 1;
		else {
			pthread_cond_wait(&l->ready, &l->lock);
			continue;
		}
		break;
	}
	if (err < 0 && err != -EINTR)
		*why = l->taken < l->opened ? s->why : l->why;
	pthread_mutex_unlock(&l->lock);
	if (!err)
		*ret = &s->batch;
	return err;
}

void loader_give_back(struct loader *l, struct batch *b)
{
	pthread_mutex_lock(&l->lock);
	l->taken++;
	pthread_cond_broadcast(&l->work);
	pthread_mutex_unlock(&l->lock);
	(void)b;
}

void loader_interrupt(struct loader *l)
{
	pthread_mutex_lock(&l->lock);
	l->interrupted = true;
	pthread_cond_broadcast(&l->ready);
	pthread_mutex_unlock(&l->lock);
}

/* ---- life ---------------------------------------------------------------------------- */

size_t loader_memory(const struct loader_config *config)
{
	size_t sample = clip_frames_bytes(&config->spec) +
	                clip_mfcc_floats(&config->spec) * sizeof(float);

	return config->queue * (config->plan.batch / config->ranks) * sample;
}

static int start_threads(struct loader *l)
{
	int err = 0;

	while (l->n_threads < l->config.readers && !err) {
		err = thread_start(&l->thread[l->n_threads], "reader", 0, reader_main, l);
		l->n_threads += !err;
	}
	return err;
}

void loader_free(struct loader *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->work);
	pthread_mutex_unlock(&l->lock);
	for (unsigned i = 0; i < l->n_threads; i++)
		pthread_join(l->thread[i], NULL);
	for (unsigned i = 0; i < l->config.queue && l->slot; i++) {
		batch_done(&l->slot[i].batch, &l->config);
		free(l->slot[i].folder);
	}
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->work);
	pthread_cond_destroy(&l->ready);
	free((char *)l->config.folder);
	free(l->slot);
	free(l->thread);
	free(l->order);
	free(l);
}

static int allocate(struct loader *l)
{
	const struct loader_config *c = &l->config;
	int err = 0;

	l->slot = calloc(c->queue, sizeof(*l->slot));
	l->thread = calloc(c->readers, sizeof(*l->thread));
	l->order = calloc(c->samples->n_train + 1, sizeof(*l->order));
	if (!c->folder || !l->slot || !l->thread || !l->order)
		return -ENOMEM;
	for (unsigned i = 0; i < c->queue && !err; i++)
		err = batch_init(&l->slot[i].batch, c);
	return err;
}

static int no_room(const struct loader_config *config, int err, struct why *why)
{
	const char *kind = config->allocator.kind;

	if (err != -ENOMEM)
		return why_set(why, err, "there is no %s for batches: %s", kind ? kind : "memory",
		               strerror(-err));
	return why_set(why, err, "out of memory: %u batches need %zu MiB%s%s; a smaller batch or queue "
	               "needs less", config->queue, loader_memory(config) >> 20, kind ? " of " : "",
	               kind ? kind : "");
}

int loader_new(const struct loader_config *config, struct loader **ret, struct why *why)
{
	struct loader *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return why_no_memory(why);
	l->config = *config;
	l->config.folder = strdup(config->folder);
	l->cursor = config->start;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->work, NULL);
	pthread_cond_init(&l->ready, NULL);
	err = allocate(l);
	if (err)
		no_room(config, err, why);
	if (!err) {
		err = start_threads(l);
		if (err)
			why_set(why, err, "threads can't be started: %s", strerror(-err));
	}
	if (err) {
		loader_free(l);
		return err;
	}
	*ret = l;
	return 0;
}
