#include "net/http.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/thread.h"
#include "net/breaker.h"
#include "net/resolve.h"
#include "net/transfer.h"

#define AHEAD_WAIT_MS 200u  /* after which a request ahead passes those on demand */
#define CONNECTIONS_MAX 1024u
#define PROBE_WAIT_MS 1000u /* for which a request waits to see whether the server is still down */
#define STOOD_STILL_MS 1000u /* by which a turn is late when we ourselves were stopped */
#define TICK_MS 1000u       /* sleep while something is timed, so that this is seen */
#define WAIT_MAX_MS 60000u  /* sleep while nothing is; submissions wake us */

TAILQ_HEAD(request_list, http_request);

struct http {
	struct transfers *transfers;
	struct resolve *resolve;
	pthread_t thread;
	uint64_t timeout_ms;
	uint64_t stall_ms;
	unsigned ahead_max;        /* transfers that HTTP_AHEAD may hold */

	pthread_mutex_t lock;
	/* lock: */
	struct request_list inbox;
	bool stop;

	/* The thread's own: */
	struct timers timers;      /* of every request that is delayed or has been served */
	struct request_list queue[2];
	struct request_list resolving;
	struct request_list running;
	struct breaker breaker;
	struct http_request *probe; /* breaker.probing; NULL: none is under way */
	uint64_t answered_ms;      /* when a request was last answered; 0: never yet */
	const char *failure;       /* the last, for a sentence */
	const char *failed_proxy;  /* whose it was; NULL: the server's */
	bool turn_away;            /* all who wait in line */
	uint64_t looked_ms;        /* at the clock, to see whether we stood still */
	unsigned ahead;            /* transfers held by HTTP_AHEAD */
};

uint64_t http_stall_ms(uint64_t timeout_ms)
{
	uint64_t ms = timeout_ms / 4;

	return ms < 1000 ? 1000 : ms > 20000 ? 20000 : ms;
}

const char *http_result_text(enum http_result result)
{
	static const char *const texts[] = {
		[HTTP_OK] = "answered",
		[HTTP_RESOLVE] = "its name cannot be looked up now",
		[HTTP_NO_HOST] = "there is no host of this name",
		[HTTP_CONNECT] = "cannot connect",
		[HTTP_PROXY] = "it refused to connect",
		[HTTP_TLS] = "the TLS handshake failed",
		[HTTP_CERT] = "its certificate cannot be trusted",
		[HTTP_RESET] = "the connection broke",
		[HTTP_STALL] = "the transfer stalled",
		[HTTP_SHORT] = "the body was cut short",
		[HTTP_EXCESS] = "the body was longer than promised",
		[HTTP_TOO_LONG] = "the reply was longer than it may be",
		[HTTP_REFUSED] = "the reply was not what was asked for",
		[HTTP_GARBLED] = "the reply was not HTTP",
		[HTTP_DEADLINE] = "the deadline passed",
		[HTTP_DOWN] = "no answer",
		[HTTP_NOMEM] = "out of memory",
		[HTTP_CANCELED] = "canceled",
	};

	return texts[result];
}

/* The list r stands in, NULL if in none. */
static struct request_list *list_of(struct http *h, const struct http_request *r)
{
	switch (r->state) {
	case HTTP_QUEUED:
		return &h->queue[r->prio];
	case HTTP_RESOLVING:
		return &h->resolving;
	case HTTP_RUNNING:
		return &h->running;
	default:
		return NULL;
	}
}

/* A gateway that can't reach the server is as good as no answer; one that limits our rate is
 * alive. */
static bool is_answer(const struct http_reply *reply)
{
	return reply->status > 0 && reply->status != 502 && reply->status != 504;
}

static void end_probe(struct http *h)
{
	h->probe = NULL;
	h->breaker.probing = false;
}

/* A probe's headers are answer enough: its body may be long. */
static void hear_probe(struct http *h)
{
	if (h->probe && h->probe->state == HTTP_RUNNING && transfer_has_headers(h->probe->transfer) &&
	    is_answer(&h->probe->reply)) {
		breaker_answered(&h->breaker, clock_ms());
		end_probe(h);
	}
}

static void note_failure(struct http *h, const struct http_request *r, enum http_result result)
{
	const bool unreached = result == HTTP_RESOLVE || result == HTTP_NO_HOST || result == HTTP_CONNECT;

	h->failure = result == HTTP_OK ? "a gateway cannot reach it" : http_result_text(result);
	h->failed_proxy = unreached ? r->proxy : NULL;
}

/* What the end of a request that was sent says of the server. True: who waits in line needn't
 * any more. */
static bool learn(struct http *h, struct http_request *r, enum http_result result)
{
	const uint64_t now = clock_ms();

	if (r->is_aside)
		return false;
	if (h->probe == r)
		end_probe(h);
	if (result == HTTP_CANCELED || result == HTTP_NOMEM || result == HTTP_CERT)
		return false;
	if (is_answer(&r->reply))
		breaker_answered(&h->breaker, now);
	else
		breaker_failed(&h->breaker, r->asked_ms, now);
	/* A reply that began and didn't end is nothing to wait for in line. */
	if (!h->breaker.failing_ms && result != HTTP_STALL && result != HTTP_DEADLINE)
		h->answered_ms = now;
	else
		note_failure(h, r, result);
	return h->breaker.down;
}

/* Takes r out of wherever it is and hands it back. */
static void finish(struct http *h, struct http_request *r, enum http_result result)
{
	struct request_list *list = list_of(h, r);

	if (r->state == HTTP_RESOLVING || r->state == HTTP_RUNNING)
		h->turn_away |= learn(h, r, result);
	if (list)
		TAILQ_REMOVE(list, r, link);
	if (r->transfer) {
		transfer_release(r->transfer);
		if (r->prio == HTTP_AHEAD)
			h->ahead--;
	}
	timers_clear(&h->timers, &r->timer);
	r->state = HTTP_IDLE;
	r->hooks->done(r, result);
}

static void on_ended(void *arg, struct http_request *r, enum http_result result)
{
	struct http *h = arg;
	const char *host = transfer_host(r->transfer);

	if (result == HTTP_CONNECT && host)
		resolve_forget(h->resolve, host);
	finish(h, r, result);
}

/* ---- one request, step by step ---- */

/* Until when r may wait in line. */
static uint64_t patience(const struct http *h, const struct http_request *r)
{
	uint64_t from = h->answered_ms > r->queued_ms ? h->answered_ms : r->queued_ms;
	uint64_t until = r->deadline_ms ? r->deadline_ms : from + h->timeout_ms;

	if (h->breaker.down && !r->is_aside && until > r->queued_ms + PROBE_WAIT_MS)
		until = r->queued_ms + PROBE_WAIT_MS;
	return until;
}

/* Sets the moment at which something must be done about r. A transfer's timer
 * is moved only when it fires and finds that bytes came meanwhile. */
static int arm(struct http *h, struct http_request *r)
{
	uint64_t at = r->state == HTTP_QUEUED ? patience(h, r) : r->deadline_ms;
	uint64_t progress = r->transfer ? transfer_progress_ms(r->transfer) : 0;
	uint64_t stall = (progress ? progress : clock_ms()) + h->stall_ms;

	if (r->state == HTTP_RUNNING && stall < at)
		at = stall;
	return timers_set(&h->timers, &r->timer, at);
}

/* Waits in line. What was served before goes first: it has a deadline. */
static void enqueue(struct http *h, struct http_request *r)
{
	r->state = HTTP_QUEUED;
	r->queued_ms = clock_ms();
	if (r->deadline_ms == 0)
		TAILQ_INSERT_TAIL(&h->queue[r->prio], r, link);
	else
		TAILQ_INSERT_HEAD(&h->queue[r->prio], r, link);
	if (arm(h, r) < 0)
		finish(h, r, HTTP_NOMEM);
}

static void admit(struct http *h, struct http_request *r)
{
	if (r->delay_ms == 0) {
		enqueue(h, r);
		return;
	}
	r->state = HTTP_DELAYED;
	if (timers_set(&h->timers, &r->timer, clock_ms() + r->delay_ms) < 0)
		finish(h, r, HTTP_NOMEM);
}

/* Sends r once its host's addresses are known. */
static void advance(struct http *h, struct http_request *r, uint64_t asked_ms)
{
	char addresses[RESOLVE_ADDRESSES_SIZE];
	const char *host = transfer_host(r->transfer);
	int err = host ? resolve_get(h->resolve, host, asked_ms, addresses) : 0;

	if (err == -EAGAIN)
		return;
	if (!err) {
		TAILQ_REMOVE(&h->resolving, r, link);
		TAILQ_INSERT_TAIL(&h->running, r, link);
		r->state = HTTP_RUNNING;
		err = transfer_start(r->transfer, host ? addresses : NULL);
		if (!err)
			err = arm(h, r);
	}
	if (err)
		finish(h, r, err == -ENOENT ? HTTP_NO_HOST : err == -EIO ? HTTP_RESOLVE : HTTP_NOMEM);
}

static void message_done(struct http_message *m)
{
	free(m->url);
	for (size_t i = 0; i < m->n_headers; i++)
		free(m->headers[i]);
}

/* Gives r, the first of its queue, a transfer. */
static void serve(struct http *h, struct http_request *r)
{
	struct http_message m = { 0 };
	int err;

	TAILQ_REMOVE(&h->queue[r->prio], r, link);
	TAILQ_INSERT_TAIL(&h->resolving, r, link);
	r->state = HTTP_RESOLVING;
	r->asked_ms = clock_ms();
	if (h->breaker.down && !r->is_aside) {
		h->breaker.probing = true;
		h->probe = r;
	}
	if (r->deadline_ms == 0)
		r->deadline_ms = r->asked_ms + h->timeout_ms;
	if (r->prio == HTTP_AHEAD)
		h->ahead++;
	err = arm(h, r);
	if (!err)
		err = r->hooks->prepare(r, &m);
	if (!err)
		err = transfer_prepare(r->transfer, &m);
	message_done(&m);
	if (err)
		finish(h, r, HTTP_NOMEM);
	else
		advance(h, r, r->asked_ms);
}

/* Ends the wait of r, which stands in line. */
static void turn_away(struct http *h, struct http_request *r)
{
	const uint64_t since = h->breaker.failing_ms;

	if (!h->breaker.down || (r->deadline_ms && clock_ms() >= r->deadline_ms)) {
		finish(h, r, HTTP_DEADLINE);
		return;
	}
	snprintf(r->reply.detail, sizeof(r->reply.detail), "for %llu s (%s); one request at a time still asks",
	         (unsigned long long)(clock_ms() - since) / 1000, h->failure);
	r->proxy = h->failed_proxy;
	finish(h, r, HTTP_DOWN);
}

/* Whoever is in line when the server is found down, or still down, needn't wait. */
static void turn_away_all(struct http *h)
{
	const bool asked = h->turn_away;

	h->turn_away = false;
	if (!asked || !h->breaker.down)
		return;
	for (int prio = 0; prio < 2; prio++) {
		struct http_request *next;

		for (struct http_request *r = TAILQ_FIRST(&h->queue[prio]); r; r = next) {
			next = TAILQ_NEXT(r, link);
			if (!r->is_aside)
				turn_away(h, r);
		}
	}
}

static void fire(struct http *h, struct http_request *r)
{
	uint64_t now = clock_ms();
	uint64_t progress;

	if (r->state == HTTP_DELAYED) {
		enqueue(h, r);
		return;
	}
	if (r->state == HTTP_QUEUED) {
		if (now >= patience(h, r))
			turn_away(h, r);
		else if (arm(h, r) < 0)
			finish(h, r, HTTP_NOMEM);
		return;
	}
	progress = r->state == HTTP_RUNNING ? transfer_progress_ms(r->transfer) : 0;
	if (now >= r->deadline_ms)
		finish(h, r, HTTP_DEADLINE);
	else if (progress && (now - progress >= h->stall_ms ||
	                      transfer_is_slow(r->transfer, h->stall_ms, r->deadline_ms)))
		finish(h, r, HTTP_STALL);
	else if (arm(h, r) < 0)
		finish(h, r, HTTP_NOMEM);
}

/* ---- the thread ---- */

static struct http_request *timer_owner(struct timer *t)
{
	return (struct http_request *)((char *)t - offsetof(struct http_request, timer));
}

static bool take_inbox(struct http *h)
{
	struct request_list taken = TAILQ_HEAD_INITIALIZER(taken);
	struct http_request *r;
	bool stop;

	pthread_mutex_lock(&h->lock);
	TAILQ_CONCAT(&taken, &h->inbox, link);
	stop = h->stop;
	pthread_mutex_unlock(&h->lock);
	while ((r = TAILQ_FIRST(&taken))) {
		TAILQ_REMOVE(&taken, r, link);
		admit(h, r);
	}
	return !stop;
}

static void fire_due(struct http *h)
{
	struct timer *t;

	while ((t = timers_pop_due(&h->timers, clock_ms())))
		fire(h, timer_owner(t));
}

/* They wait for a few hosts only, and are no more than there are connections. */
static void advance_resolving(struct http *h)
{
	struct http_request *r;
	struct http_request *next;

	for (r = TAILQ_FIRST(&h->resolving); r; r = next) {
		next = TAILQ_NEXT(r, link);
		advance(h, r, r->asked_ms);
	}
}

/* Demand goes first, but what is read ahead doesn't wait for ever: somebody may
 * have come to need it since. */
static struct http_request *first_in_line(struct http *h)
{
	struct http_request *demand = TAILQ_FIRST(&h->queue[HTTP_DEMAND]);
	struct http_request *ahead = h->ahead < h->ahead_max ? TAILQ_FIRST(&h->queue[HTTP_AHEAD]) : NULL;

	if (demand && demand->is_aside)
		return demand;
	if (ahead && (!demand || clock_ms() - ahead->queued_ms >= AHEAD_WAIT_MS))
		return ahead;
	return demand;
}

static void serve_queues(struct http *h)
{
	struct http_request *r;

	while ((r = first_in_line(h)) && (r->is_aside || breaker_lets_through(&h->breaker)) &&
	       transfer_take(h->transfers, r))
		serve(h, r);
}

static void cancel_list(struct http *h, struct request_list *list)
{
	while (!TAILQ_EMPTY(list))
		finish(h, TAILQ_FIRST(list), HTTP_CANCELED);
}

static void cancel_all(struct http *h)
{
	struct timer *t;

	cancel_list(h, &h->running);
	cancel_list(h, &h->resolving);
	cancel_list(h, &h->queue[HTTP_DEMAND]);
	cancel_list(h, &h->queue[HTTP_AHEAD]);
	while ((t = timers_pop_due(&h->timers, UINT64_MAX)))
		finish(h, timer_owner(t), HTTP_CANCELED);
}

static uint64_t wait_ms(const struct http *h)
{
	uint64_t now = clock_ms();
	uint64_t next = timers_next(&h->timers);

	if (next == UINT64_MAX)
		return WAIT_MAX_MS;
	if (next <= now)
		return 0;
	return next - now < TICK_MS ? next - now : TICK_MS;
}

/* A moment in the past, moved by ms but not into the future. */
static void postpone(uint64_t *moment_ms, uint64_t ms, uint64_t now)
{
	if (*moment_ms)
		*moment_ms = *moment_ms + ms < now ? *moment_ms + ms : now;
}

/* A process that is stopped, or a machine that is put to sleep, has missed nothing: the answers
 * may lie in the sockets. The time for which we stood still counts against nobody, waited_ms of
 * it were a wait. */
static void forgive_standstill(struct http *h, uint64_t waited_ms)
{
	const uint64_t now = clock_ms();
	const uint64_t ms = now - h->looked_ms - waited_ms;

	if (h->looked_ms && now - h->looked_ms >= waited_ms + STOOD_STILL_MS) {
		/* Every request that isn't in the inbox has a timer. */
		for (size_t i = 0; i < h->timers.n; i++) {
			struct http_request *r = timer_owner(h->timers.heap[i]);

			r->deadline_ms += r->deadline_ms ? ms : 0;
			postpone(&r->queued_ms, ms, now);
			postpone(&r->asked_ms, ms, now);
			if (r->transfer)
				transfer_postpone(r->transfer, ms);
		}
		timers_postpone(&h->timers, ms);
		breaker_postpone(&h->breaker, ms);
		postpone(&h->answered_ms, ms, now);
	}
	h->looked_ms = now;
}

static void *http_main(void *arg)
{
	struct http *h = arg;

	while (take_inbox(h)) {
		uint64_t wait;

		/* What has come is heard before anything is called late. */
		transfers_run(h->transfers, on_ended, h);
		hear_probe(h);
		forgive_standstill(h, 0);
		fire_due(h);
		advance_resolving(h);
		/* What ended made room. */
		turn_away_all(h);
		serve_queues(h);
		wait = wait_ms(h);
		transfers_wait(h->transfers, wait);
		forgive_standstill(h, wait);
	}
	cancel_all(h);
	return NULL;
}

static void on_resolved(void *arg)
{
	struct http *h = arg;

	transfers_wake(h->transfers);
}

/* ---- outside ---- */

int http_new(const struct http_options *o, struct http **ret_http)
{
	struct http_options options = *o;
	struct http *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	if (options.connections < 1)
		options.connections = 1;
	if (options.connections > CONNECTIONS_MAX)
		options.connections = CONNECTIONS_MAX;
	h->timeout_ms = o->timeout_ms;
	h->stall_ms = http_stall_ms(o->timeout_ms);
	breaker_init(&h->breaker, o->timeout_ms);
	/* A quarter of the connections, at least one of several, is for demand. */
	h->ahead_max = options.connections - (options.connections + 2) / 4;
	TAILQ_INIT(&h->inbox);
	TAILQ_INIT(&h->queue[HTTP_DEMAND]);
	TAILQ_INIT(&h->queue[HTTP_AHEAD]);
	TAILQ_INIT(&h->resolving);
	TAILQ_INIT(&h->running);
	timers_init(&h->timers);
	pthread_mutex_init(&h->lock, NULL);
	err = transfers_new(&options, &h->transfers);
	if (!err) {
		h->resolve = resolve_new(on_resolved, h);
		err = h->resolve ? thread_start(&h->thread, "http", 0, http_main, h) : -ENOMEM;
	}
	if (err) {
		resolve_free(h->resolve);
		transfers_free(h->transfers);
		pthread_mutex_destroy(&h->lock);
		free(h);
		return err;
	}
	*ret_http = h;
	return 0;
}

void http_stop(struct http *h)
{
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_mutex_unlock(&h->lock);
	transfers_wake(h->transfers);
}

void http_free(struct http *h)
{
	if (!h)
		return;
	http_stop(h);
	pthread_join(h->thread, NULL);
	/* Its thread wakes the transfers, so it goes first. */
	resolve_free(h->resolve);
	transfers_free(h->transfers);
	timers_done(&h->timers);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

void http_submit(struct http *h, struct http_request *r)
{
	bool stop;
	bool wake;

	memset(&r->reply, 0, sizeof(r->reply));
	r->reply.content_length = -1;
	r->into_len = 0;
	r->proxy = NULL;
	if (!r->text.cap)
		buf_init(&r->text, r->text_cap);
	buf_reset(&r->text);
	pthread_mutex_lock(&h->lock);
	stop = h->stop;
	wake = TAILQ_EMPTY(&h->inbox);
	if (!stop)
		TAILQ_INSERT_TAIL(&h->inbox, r, link);
	pthread_mutex_unlock(&h->lock);
	if (stop)
		r->hooks->done(r, HTTP_CANCELED);
	else if (wake)
		transfers_wake(h->transfers);
}
