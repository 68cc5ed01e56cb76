#include "media/pool.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <utlist.h>

#include "base/log.h"
#include "base/stats.h"
#include "base/text.h"
#include "base/thread.h"
#include "media/fetch.h"
#include "media/pool_queue.h"
#include "media/pool_worker.h"

#define WHY_MAX 256
#define EVENTS_AT_ONCE 64
#define SHUTDOWN_WHY "the filesystem is being unmounted"
#define TIMEOUT_MAX_MS INT32_MAX  /* 24 days; its nanoseconds can be added to a clock */
#define EVENT_BOX UINT64_MAX      /* data.u64 of the fetch box's descriptor */

/* Processes that end at their start point to a broken program: from the first on they are
 * tried one at a time, until one has shown that it works. After BROKEN_STARTS more than
 * there are workers, in a row, jobs aren't kept waiting for a good one; new ones are tried
 * at growing intervals. */
#define BROKEN_STARTS 5u
#define START_MAX_S 60u           /* until the first says that it is ready, also on a machine that swaps */
#define RETRY_MIN_NS 10000000u    /* doubled from the first start that fails beyond one a worker */
#define RETRY_MAX_NS 10000000000u

struct pool {
	/* constant once the thread runs */
	struct pool_options options;
	char *binary;
	struct fetch_box *box;          /* answers of the block cache; also what wakes the thread */
	int epoll;
	pthread_t thread;
	_Atomic bool any_dropped;       /* since the thread last looked */

	pthread_mutex_t lock;

	/* under lock */
	struct pool_job *submitted;     /* not seen by the thread yet */
	bool stopping;

	/* the thread's */
	struct pool_queue queue;
	uint64_t last_id;
	unsigned failed_starts;         /* in a row */
	uint64_t failed_ns;             /* when the last start failed */
	uint64_t retry_ns;              /* no process is started before */
	uint64_t wake_ns;               /* a turn ends then at the latest; 0: whenever */
	char start_why[WHY_MAX];        /* of the last failed start */
	bool told_missing;              /* what the workers' sandboxes lack */

	/* pool_new's, until the thread has posted */
	sem_t started;
	int start_err;

	struct pool_worker workers[];   /* the thread's */
};

/* -- starting processes -- */

static void note_failed_start(struct pool *p, const char *why)
{
	uint64_t delay_ns = 0;
	unsigned beyond;

	p->failed_starts++;
	snprintf(p->start_why, sizeof(p->start_why), "%s", why);
	if (p->failed_starts > p->options.workers) {
		beyond = p->failed_starts - p->options.workers - 1;
		delay_ns = beyond < 10 ? (uint64_t)RETRY_MIN_NS << beyond : RETRY_MAX_NS;
	}
	p->failed_ns = clock_ns();
	p->retry_ns = p->failed_ns + delay_ns;
	if (p->failed_starts == p->options.workers + BROKEN_STARTS)
		log_error("decoder processes don't start: %s", p->start_why);
}

static bool is_broken(const struct pool *p)
{
	return p->failed_starts >= p->options.workers + BROKEN_STARTS;
}

/* Is there a process, started since the last one that failed, of which it isn't known yet
 * whether it works? */
static bool is_one_on_trial(const struct pool *p)
{
	for (unsigned i = 0; p->failed_starts && i < p->options.workers; i++) {
		const struct pool_worker *w = &p->workers[i];

		if (w->state != POOL_WORKER_NONE && !w->has_spoken && !w->has_started &&
		    w->started_ns > p->failed_ns)
			return true;
	}
	return false;
}

static void start_missing(struct pool *p)
{
	char why[WORKER_PROC_WHY_MAX];

	for (unsigned i = 0; i < p->options.workers; i++) {
		if (p->workers[i].state != POOL_WORKER_NONE)
			continue;
		if (is_one_on_trial(p) || clock_ns() < p->retry_ns)
			return;
		if (pool_worker_start(&p->workers[i], why) < 0)
			note_failed_start(p, why);
	}
}

/* -- handing out jobs -- */

static bool continues(const struct pool_worker *w, const struct pool_job *job)
{
	return job->session && w->session == job->session && w->fed >= job->first_packet;
}

/* Is worker a a better choice for job than b? The youngest, which has the least memory, if
 * the job's last one was killed. Else one that can go on with its open decoder, and among
 * those the one least far; else one with no open decoder to lose; else the one idle for
 * longest. */
static bool is_better(const struct pool_worker *a, const struct pool_worker *b,
                      const struct pool_job *job)
{
	bool a_goes_on = continues(a, job), b_goes_on = continues(b, job);

	if (job->alone)
		return a->started_ns > b->started_ns;
	if (a_goes_on != b_goes_on)
		return a_goes_on;
	if (a_goes_on)
		return a->fed < b->fed;
	if (!a->session != !b->session)
		return !a->session;
	return a->idle_since_ns < b->idle_since_ns;
}

static struct pool_worker *choose_worker(struct pool *p, const struct pool_job *job)
{
	struct pool_worker *best = NULL;

	for (unsigned i = 0; i < p->options.workers; i++) {
		struct pool_worker *w = &p->workers[i];

		if (w->state == POOL_WORKER_IDLE && (!best || is_better(w, best, job)))
			best = w;
	}
	return best;
}

/* May the job run beside those that do? One that has to be alone may not, and nobody may beside it. */
static bool may_join(const struct pool *p, const struct pool_job *job)
{
	for (unsigned i = 0; i < p->options.workers; i++) {
		const struct pool_job *running = p->workers[i].run.job;

		if (running && (job->alone || running->alone))
			return false;
	}
	return true;
}

/* Notes for each job that others run beside it, if there are any. */
static void note_shared(struct pool *p)
{
	unsigned running = 0;

	for (unsigned i = 0; i < p->options.workers; i++)
		running += p->workers[i].run.job != NULL;
	for (unsigned i = 0; i < p->options.workers; i++)
		p->workers[i].run.shared |= running > 1;
}

static void hand_out(struct pool *p)
{
	struct pool_worker *w;
	struct pool_job *job;

	while ((job = pool_queue_first(&p->queue)) && may_join(p, job) && (w = choose_worker(p, job))) {
		pool_queue_remove(&p->queue, job);
		pool_worker_give(w, job, ++p->last_id);
		note_shared(p);
	}
}

static void end_job(struct pool *p, struct pool_job *job, int err, const char *why)
{
	struct pool_result result = { .err = err, .why = why };

	pool_count_error(p->options.stats, err);
	free(job->told);
	job->told = NULL;
	job->done(job, &result);
}

/* What nobody waits for any more. A job may also have been dropped before it came. */
static void end_dropped(struct pool *p)
{
	struct pool_job *job, *next;

	DL_FOREACH_SAFE(p->queue.jobs, job, next) {
		if (!atomic_load(&job->dropped))
			continue;
		pool_queue_remove(&p->queue, job);
		end_job(p, job, -ECANCELED, POOL_DROPPED_WHY);
	}
	for (unsigned i = 0; i < p->options.workers; i++)
		pool_worker_drop(&p->workers[i]);
}

static void end_queue(struct pool *p, int err, const char *why)
{
	struct pool_job *job;

	while ((job = p->queue.jobs)) {
		pool_queue_remove(&p->queue, job);
		end_job(p, job, err, why);
	}
}

/* Nobody waits for a program that doesn't run. */
static void end_queue_if_broken(struct pool *p)
{
	char why[WHY_MAX + 64];

	if (!p->queue.jobs || !is_broken(p))
		return;
	for (unsigned i = 0; i < p->options.workers; i++) {
		if (p->workers[i].state != POOL_WORKER_NONE)
			return;
	}
	snprintf(why, sizeof(why), "decoder processes don't start: %s", p->start_why);
	end_queue(p, -EIO, why);
}

/* -- the thread -- */

static void take_submitted(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	pool_queue_add(&p->queue, p->submitted);
	p->submitted = NULL;
	pthread_mutex_unlock(&p->lock);
}

static void take_bytes(struct pool *p)
{
	struct fetch *list = fetch_box_take(p->box), *f, *tmp;
	struct pool_job *failed;

	DL_FOREACH_SAFE(list, f, tmp) {
		if (f->worker != FETCH_AHEAD) {
			pool_worker_bytes(&p->workers[f->worker], f);
			continue;
		}
		failed = pool_queue_landed(&p->queue, f);
		if (failed)
			end_job(p, failed, f->err, f->why);
		fetch_free(f);
	}
}

/* What a worker has left for us: a job that needs another one, news of its end. */
static void collect(struct pool *p, struct pool_worker *w)
{
	char why[WHY_MAX];

	if (w->back) {
		pool_queue_add_again(&p->queue, w->back);
		w->back = NULL;
	}
	if (w->stillborn) {
		w->stillborn = false;
		if (w->refusal[0])
			snprintf(why, sizeof(why), "%.250s", w->refusal);
		else
			snprintf(why, sizeof(why), "%.150s %.90s", p->binary, w->how);
		note_failed_start(p, why);
	}
	if (w->missing[0] && !p->told_missing) {
		p->told_missing = true;
		log_warn("decoder processes lack a part of their sandbox: %s (sandbox=require would "
		         "refuse that)", w->missing);
	}
	/* Only a process that is new tells that the program still starts. */
	if (w->is_new) {
		w->is_new = false;
		p->failed_starts = 0;
	}
}

static void handle(struct pool *p, const struct epoll_event *ev)
{
	struct pool_worker *w;

	if (ev->data.u64 == EVENT_BOX) {
		take_bytes(p);
		return;
	}
	w = &p->workers[ev->data.u64 >> 1];
	if (ev->data.u64 & 1)
		pool_worker_reap(w);
	else
		pool_worker_receive(w);
}

/* Milliseconds until a deadline or a patience ends or a process may be started; -1: never. */
static int wait_ms(const struct pool *p)
{
	uint64_t next = pool_queue_next_ns(&p->queue), now = clock_ns();
	bool may_start = !is_one_on_trial(p);

	for (unsigned i = 0; i < p->options.workers; i++) {
		const struct pool_worker *w = &p->workers[i];

		if (w->run.job && w->run.deadline_ns < next)
			next = w->run.deadline_ns;
		if (w->state == POOL_WORKER_NONE && may_start && p->retry_ns < next)
			next = p->retry_ns;
	}
	if (p->wake_ns && p->wake_ns < next)
		next = p->wake_ns;
	if (next == UINT64_MAX)
		return -1;
	if (next <= now)
		return 0;
	return (next - now) / 1000000 < INT32_MAX ? (int)((next - now) / 1000000) + 1 : INT32_MAX;
}

static void turn(struct pool *p)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(p->epoll, events, EVENTS_AT_ONCE, wait_ms(p));
	uint64_t now;
	bool any_dropped;

	for (int i = 0; i < n; i++)
		handle(p, &events[i]);
	now = clock_ns();
	for (unsigned i = 0; i < p->options.workers; i++) {
		pool_worker_expire(&p->workers[i], now);
		collect(p, &p->workers[i]);
	}
	/* In this order: whoever says that a job is dropped has submitted it before. */
	any_dropped = atomic_exchange(&p->any_dropped, false);
	take_submitted(p);
	if (any_dropped)
		end_dropped(p);
	start_missing(p);
	pool_queue_turn(&p->queue, now);
	hand_out(p);
	/* Those have left room for others' bytes; who can't have them goes without. */
	pool_queue_turn(&p->queue, now);
	hand_out(p);
	end_queue_if_broken(p);
}

static bool is_stopping(struct pool *p)
{
	bool stopping;

	pthread_mutex_lock(&p->lock);
	stopping = p->stopping;
	pthread_mutex_unlock(&p->lock);
	return stopping;
}

static void stop(struct pool *p)
{
	for (unsigned i = 0; i < p->options.workers; i++) {
		pool_worker_stop(&p->workers[i]);
		collect(p, &p->workers[i]);
	}
	take_submitted(p); /* nothing comes after stopping */
	end_queue(p, -ESHUTDOWN, SHUTDOWN_WHY);
}

static int start_all(struct pool *p)
{
	int err = 0;

	for (unsigned i = 0; i < p->options.workers && !err; i++)
		err = pool_worker_start(&p->workers[i], p->start_why);
	return err;
}

/* What keeps any worker from serving; NULL: nothing yet. */
static const char *find_hindrance(struct pool *p, uint64_t end_ns)
{
	for (unsigned i = 0; i < p->options.workers; i++)
		if (p->workers[i].refusal[0])
			return p->workers[i].refusal;
	if (is_broken(p))
		return p->start_why;
	if (clock_ns() < end_ns && !is_stopping(p))
		return NULL;
	snprintf(p->start_why, sizeof(p->start_why), "%.150s doesn't say that it is ready within %u s", p->binary,
	         START_MAX_S);
	return p->start_why;
}

/* Until one worker is ready: whether there can be one is told before the mount. */
static int await_start(struct pool *p)
{
	const uint64_t end_ns = clock_ns() + START_MAX_S * UINT64_C(1000000000);
	const char *hindrance;

	for (;;) {
		for (unsigned i = 0; i < p->options.workers; i++) {
			const struct pool_worker *w = &p->workers[i];

			if (w->state == POOL_WORKER_IDLE && w->has_started && !w->refusal[0])
				return 0;
		}
		hindrance = find_hindrance(p, end_ns);
		if (hindrance) {
			if (hindrance != p->start_why)
				snprintf(p->start_why, sizeof(p->start_why), "%s", hindrance);
			return -EIO;
		}
		p->wake_ns = end_ns;
		turn(p);
	}
}

static void *thread_main(void *arg)
{
	struct pool *p = arg;
	int err = start_all(p);

	if (!err)
		err = await_start(p);
	p->wake_ns = 0;
	p->start_err = err;
	sem_post(&p->started);
	while (!err && !is_stopping(p))
		turn(p);
	stop(p);
	return NULL;
}

/* -- for everybody -- */

/* Starts the thread and hears from it how the workers' start went. */
static int start(struct pool *p, char *why)
{
	int err = thread_start(&p->thread, "pool", 0, thread_main, p);

	if (err) {
		snprintf(why, WHY_MAX, "can't start the decoders' thread: %s", strerror(-err));
		return err;
	}
	while (sem_wait(&p->started) < 0)
		continue; /* EINTR */
	if (p->start_err) {
		pthread_join(p->thread, NULL);
		snprintf(why, WHY_MAX, "%s", p->start_why);
	}
	return p->start_err;
}

static int open_descriptors(struct pool *p)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = EVENT_BOX };
	int err = fetch_box_new(&p->box);

	if (err)
		return err;
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, fetch_box_fd(p->box), &ev) < 0)
		return -errno;
	return 0;
}

static void destroy(struct pool *p)
{
	fetch_box_close(p->box);
	if (p->epoll >= 0)
		close(p->epoll);
	sem_destroy(&p->started);
	pthread_mutex_destroy(&p->lock);
	free(p->binary);
	free(p);
}

int pool_new(const struct pool_options *o, char *why, struct pool **ret_pool)
{
	struct pool *p = calloc(1, sizeof(*p) + o->workers * sizeof(p->workers[0]));
	int err;

	if (!p) {
		snprintf(why, WHY_MAX, "no memory for the decoder processes");
		return -ENOMEM;
	}
	p->options = *o;
	if (p->options.timeout_ms > TIMEOUT_MAX_MS)
		p->options.timeout_ms = TIMEOUT_MAX_MS;
	p->epoll = -1;
	pthread_mutex_init(&p->lock, NULL);
	sem_init(&p->started, 0, 0);
	p->binary = realpath(o->binary, NULL); /* the workers' folder is "/" */
	if (!p->binary) {
		err = -errno;
		snprintf(why, WHY_MAX, "can't find the decoder program %s: %s", o->binary,
		         strerror(-err));
		goto destroy_pool;
	}
	p->options.binary = p->binary;
	err = open_descriptors(p);
	if (err) {
		snprintf(why, WHY_MAX, "no descriptors for decoder processes: %s", strerror(-err));
		goto destroy_pool;
	}
	p->queue = (struct pool_queue){
		.box = p->box, .blocks = o->blocks, .max = o->fetch_max,
		/* Then its worker joins the GET under way, and still hears how that ends. */
		.patience_ns = p->options.timeout_ms * 1000000 / 2,
	};
	for (unsigned i = 0; i < o->workers; i++)
		pool_worker_init(&p->workers[i], &p->options, p->box, p->epoll, i);
	err = start(p, why);
	if (err)
		goto destroy_pool;
	*ret_pool = p;
	return 0;
destroy_pool:
	destroy(p);
	return err;
}

void pool_submit(struct pool *p, struct pool_job *job)
{
	bool stopping;

	job->id = 0;
	job->tried = job->alone = false;
	job->killed_alone = 0;
	job->told = NULL;
	job->state = POOL_JOB_NEW;
	pthread_mutex_lock(&p->lock);
	stopping = p->stopping;
	if (!stopping) {
		DL_APPEND(p->submitted, job);
		/* Now: once the lock is given up, the job may be over. */
		if (atomic_load(&job->dropped))
			atomic_store(&p->any_dropped, true);
	}
	pthread_mutex_unlock(&p->lock);
	if (stopping)
		end_job(p, job, -ESHUTDOWN, SHUTDOWN_WHY);
	else
		fetch_box_wake(p->box);
}

void pool_end_dropped(struct pool *p)
{
	atomic_store(&p->any_dropped, true);
	fetch_box_wake(p->box);
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_mutex_unlock(&p->lock);
	fetch_box_wake(p->box);
	pthread_join(p->thread, NULL);
	destroy(p);
}
