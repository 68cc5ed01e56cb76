#include "s3/signer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/workq.h"
#include "aws/shared.h"

TAILQ_HEAD(wait_list, signer_wait);

struct signer {
	struct creds_options options;
	struct http *net;
	struct workq *q;
	pthread_mutex_t lock;
	/* lock: */
	struct creds *creds;
	char region[ENDPOINT_REGION_SIZE];
	int64_t clock_offset_s;       /* the store's clock minus ours */
	struct wait_list waiting;     /* not empty: a refresh is under way */
	bool stopped;
};

int signer_new(const struct signer_options *o, struct signer **ret_signer)
{
	struct signer *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	TAILQ_INIT(&s->waiting);
	pthread_mutex_init(&s->lock, NULL);
	strcpy(s->region, o->region);
	s->net = o->net;
	s->q = workq_new("creds", 1);
	if (!s->q || creds_options_copy(&o->creds, &s->options) < 0) {
		int err = s->q ? -ENOMEM : -EAGAIN;

		signer_finish(s);
		signer_free(s);
		return err;
	}
	s->creds = o->first;
	*ret_signer = s;
	return 0;
}

void signer_stop(struct signer *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopped = true;
	pthread_mutex_unlock(&s->lock);
}

void signer_finish(struct signer *s)
{
	signer_stop(s);
	workq_free(s->q);
	s->q = NULL;
}

void signer_free(struct signer *s)
{
	if (!s)
		return;
	creds_unref(s->creds);
	creds_options_done(&s->options);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void signer_get(struct signer *s, struct signer_state *ret_state)
{
	int64_t now = time(NULL);

	pthread_mutex_lock(&s->lock);
	ret_state->creds = s->creds ? creds_ref(s->creds) : NULL;
	memcpy(ret_state->region, s->region, sizeof(s->region));
	now += s->clock_offset_s;
	pthread_mutex_unlock(&s->lock);
	date_format_amz(now, ret_state->date);
}

bool signer_correct_region(struct signer *s, const char *used, const char *told)
{
	if (!endpoint_any_region(told) || strcmp(used, told) == 0)
		return false;
	log_debug("s3: the bucket is in region %s, not %s", told, used);
	pthread_mutex_lock(&s->lock);
	strcpy(s->region, told);
	pthread_mutex_unlock(&s->lock);
	return true;
}

bool signer_correct_clock(struct signer *s, const char *date)
{
	int64_t theirs;
	int64_t offset;

	if (date_parse_http(date, &theirs) < 0)
		return false;
	offset = theirs - (int64_t)time(NULL);
	log_debug("s3: the store's clock is ahead of ours by %lld s", (long long)offset);
	pthread_mutex_lock(&s->lock);
	s->clock_offset_s = offset;
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* ---- refreshing ---- */

/* On the workq's thread: reads files, and may wait for a service. */
static int ask_chain(struct signer *s, struct creds **ret_creds)
{
	struct shared shared;
	char why[AWS_WHY_MAX];
	int err = shared_open(s->options.profile, s->options.cwd, why, &shared);

	if (!err) {
		err = creds_load(&s->options, &shared, s->net, why, ret_creds);
		shared_done(&shared);
	}
	if (err)
		log_debug("s3: no new credentials: %s", why);
	return err;
}

static void refresh(void *arg)
{
	struct signer *s = arg;
	struct wait_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
	struct creds *fresh = NULL;
	struct signer_wait *w;
	int err = ask_chain(s, &fresh) < 0 ? -EACCES : 0;

	pthread_mutex_lock(&s->lock);
	if (!err && creds_equal(fresh, s->creds)) {
		err = -EACCES;
	} else if (!err) {
		struct creds *old = s->creds;

		s->creds = fresh;
		fresh = old;
	}
	TAILQ_CONCAT(&waiting, &s->waiting, link);
	pthread_mutex_unlock(&s->lock);
	creds_unref(fresh);
	while ((w = TAILQ_FIRST(&waiting))) {
		TAILQ_REMOVE(&waiting, w, link);
		w->done(w, err);
	}
}

/* Returns 1 if w waits now, else what to tell it. */
static int join_refresh_locked(struct signer *s, const struct creds *used, struct signer_wait *w)
{
	bool first = TAILQ_EMPTY(&s->waiting);

	if (s->stopped)
		return -ECANCELED;
	if (s->creds != used)
		return 0;
	if (first && workq_submit(s->q, refresh, s) < 0)
		return -EACCES;
	TAILQ_INSERT_TAIL(&s->waiting, w, link);
	return 1;
}

void signer_refresh(struct signer *s, const struct creds *used, struct signer_wait *w)
{
	int err;

	pthread_mutex_lock(&s->lock);
	err = join_refresh_locked(s, used, w);
	pthread_mutex_unlock(&s->lock);
	if (err <= 0)
		w->done(w, err);
}
