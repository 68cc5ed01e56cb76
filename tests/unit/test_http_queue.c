/* Queues and connections: how many at once, who first, until when, and the end.
 * Through s3.h, against a server that holds its answers back. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "s3_world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void assert_whole(const struct outcome *o, size_t len)
{
	if (o->err)
		fail_msg("%s", o->why);
	assert_int_equal(o->len, len);
	assert_true(o->intact);
}

static bool hold_then_serve(struct fake_request *q, void *arg)
{
	(void)arg;
	fake_hold(q);
	return world_serve(q);
}

static bool serve(struct fake_request *q, void *arg)
{
	(void)arg;
	return world_serve(q);
}

static void never_more_requests_at_once_than_connections(void **state)
{
	const struct world_options four = { .connections = 4 };
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, hold_then_serve, NULL, &four);
	for (unsigned i = 0; i < 40; i++)
		pending_get(&p, &w, i * 100, 100, false);
	fake_wait_held(w.server, 4);
	fake_release(w.server);
	pending_wait(&p, 40);
	assert_int_equal(p.failed, 0);
	assert_int_equal(fake_most_held(w.server), 4);
	assert_int_equal(fake_connections(w.server), 4);
	assert_int_equal(stats_get(&w.stats, STAT_s3_connections), 4);
	world_close(&w);
	pending_done(&p);
}

static void connections_are_used_again(void **state)
{
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, serve, NULL, NULL);
	for (unsigned i = 0; i < 50; i++) {
		world_get(&w, "key", i, 1000, &o);
		assert_whole(&o, 1000);
	}
	assert_int_equal(fake_requests(w.server), 50);
	assert_int_equal(fake_connections(w.server), 1);
	assert_int_equal(stats_get(&w.stats, STAT_s3_connections), 1);
	world_close(&w);
}

static void reading_ahead_leaves_connections_for_demand(void **state)
{
	const struct world_options four = { .connections = 4 };
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, hold_then_serve, NULL, &four);
	for (unsigned i = 0; i < 20; i++)
		pending_get(&p, &w, i * 100, 100, true);
	fake_wait_held(w.server, 3);
	pending_get(&p, &w, 5000, 100, false);
	/* The fourth can only be the demand: were it a read-ahead, it would have
	 * come without one, and the demand would be the fifth. */
	fake_wait_held(w.server, 4);
	fake_release(w.server);
	pending_wait(&p, 21);
	assert_int_equal(p.failed, 0);
	assert_int_equal(fake_most_held(w.server), 4);
	world_close(&w);
	pending_done(&p);
}

struct order {
	pthread_mutex_t lock;
	/* lock: */
	uint64_t first[64];
	unsigned n;
};

static bool note_order(struct fake_request *q, void *arg)
{
	struct order *o = arg;
	uint64_t last;

	pthread_mutex_lock(&o->lock);
	if (o->n < COUNT(o->first) && world_range(q, &o->first[o->n], &last))
		o->n++;
	pthread_mutex_unlock(&o->lock);
	if (q->number == 1)
		fake_hold(q);
	return world_serve(q);
}

static void demand_goes_before_ahead_each_in_order(void **state)
{
	const struct world_options one = { .connections = 1 };
	struct order o = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, note_order, &o, &one);
	pending_get(&p, &w, 0, 1, false);
	fake_wait_held(w.server, 1);
	for (unsigned i = 0; i < 5; i++)
		pending_get(&p, &w, 200 + i, 1, true);
	for (unsigned i = 0; i < 5; i++)
		pending_get(&p, &w, 100 + i, 1, false);
	fake_release(w.server);
	pending_wait(&p, 11);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(o.first[1 + i], 100 + i);
		assert_int_equal(o.first[6 + i], 200 + i);
	}
	world_close(&w);
	pending_done(&p);
}

/* Five requests of 300 ms on one connection: the last wait longer than the deadline. */
static bool serve_slowly(struct fake_request *q, void *arg)
{
	uint64_t until = clock_ms() + 300;

	(void)arg;
	while (clock_ms() < until)
		;
	return world_serve(q);
}

static void the_deadline_runs_from_when_a_request_is_served(void **state)
{
	const struct world_options one = { .connections = 1, .timeout_ms = 1000 };
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, serve_slowly, NULL, &one);
	for (unsigned i = 0; i < 5; i++)
		pending_get(&p, &w, i, 1, false);
	pending_wait(&p, 5);
	assert_int_equal(p.failed, 0);
	world_close(&w);
	pending_done(&p);
}

/* The first connections are held; what comes over later ones is served. */
static bool hold_first(struct fake_request *q, void *arg)
{
	if (q->connection <= *(unsigned *)arg)
		fake_hold(q);
	return world_serve(q);
}

static void who_waits_in_line_at_a_dead_store_waits_no_longer_than_others(void **state)
{
	const struct world_options two = { .connections = 2, .timeout_ms = 1000, .attempts = 1 };
	unsigned held = UINT_MAX;
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, hold_first, &held, &two);
	for (unsigned i = 0; i < 200; i++)
		pending_get(&p, &w, i, 1, i % 2);
	pending_wait(&p, 200);
	assert_int_equal(p.failed, 200);
	/* One after the other they would have been a hundred rounds. */
	assert_true(fake_requests(w.server) <= 4);
	world_close(&w);
	pending_done(&p);
}

static void while_the_store_is_down_one_at_a_time_asks(void **state)
{
	const struct world_options four = { .connections = 4, .timeout_ms = 2000, .attempts = 2 };
	unsigned held = 4;
	struct outcome o;
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, hold_first, &held, &four);
	/* Both attempts stall, which takes as long as timeout. */
	world_get(&w, "key", 0, 1, &o);
	assert_int_not_equal(o.err, 0);
	assert_int_equal(fake_requests(w.server), 2);
	/* One probe, and the others are turned away. */
	for (unsigned i = 0; i < 20; i++)
		pending_get(&p, &w, i, 1, false);
	pending_wait(&p, 20);
	assert_int_equal(p.failed, 20);
	/* Its two attempts. */
	assert_int_equal(fake_requests(w.server), 4);
	world_close(&w);
	pending_done(&p);
}

static void a_store_that_is_back_is_asked_by_all_again(void **state)
{
	const struct world_options four = { .connections = 4, .timeout_ms = 1000, .attempts = 1 };
	unsigned held = 2;
	struct outcome o;
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, hold_first, &held, &four);
	world_get(&w, "key", 0, 1, &o);
	assert_int_not_equal(o.err, 0);
	/* Down. This is the probe; who comes while it is out may get a short answer. */
	world_get(&w, "key", 0, 1, &o);
	assert_int_not_equal(o.err, 0);
	for (unsigned i = 0; i < 20; i++)
		pending_get(&p, &w, i, 1, i % 2);
	pending_wait(&p, 20);
	assert_int_equal(p.failed, 0);
	assert_int_equal(fake_requests(w.server), 22);
	world_close(&w);
	pending_done(&p);
}

/* Two that are never answered, then one whose body takes as long as it is listened to. */
static bool answer_at_length(struct fake_request *q, void *arg)
{
	struct pollfd hangup = { .fd = q->fd, .events = POLLRDHUP };
	uint64_t first = 0;
	uint64_t last;

	(void)arg;
	if (q->number <= 2)
		fake_hold(q);
	if (!world_range(q, &first, &last) || first != 700)
		return world_serve(q);
	fake_send(q, "HTTP/1.1 206 P\r\nETag: \"" WORLD_ETAG "\"\r\nContent-Range: bytes %u-%u/%u\r\n"
	          "Transfer-Encoding: chunked\r\n\r\n", (unsigned)first, (unsigned)last, WORLD_SIZE);
	while (poll(&hangup, 1, 5) == 0 && fake_send(q, "1\r\na\r\n" "20\r\n%032d\r\n", 0))
		;
	return false;
}

static void the_first_byte_of_an_answer_ends_it(void **state)
{
	const struct world_options four = { .connections = 4, .timeout_ms = 2000, .attempts = 2 };
	struct outcome o;
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, answer_at_length, NULL, &four);
	/* Both attempts stall, which takes as long as timeout. */
	world_get(&w, "key", 0, 1, &o);
	assert_int_not_equal(o.err, 0);
	/* This is the probe. */
	pending_get(&p, &w, 700, 90000, false);
	while (fake_requests(w.server) < 3)
		sched_yield();
	world_get(&w, "key", 1, 1, &o);
	assert_whole(&o, 1);
	world_close(&w);
	pending_done(&p);
}

static void a_store_that_is_down_is_told(void **state)
{
	const struct world_options two = { .connections = 2, .timeout_ms = 1000, .attempts = 1 };
	unsigned held = UINT_MAX;
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, hold_first, &held, &two);
	pending_get(&p, &w, 0, 1, false);
	pending_wait(&p, 1);
	pending_get(&p, &w, 0, 1, false);
	fake_wait_held(w.server, 2);
	pending_get(&p, &w, 0, 1, false);
	pending_wait(&p, 3);
	/* The probe's own end or that of the one behind it, whichever was last. */
	if (p.last.err != -ETIMEDOUT)
		assert_outcome(&p.last, -EIO, "no answer: for ");
	world_close(&w);
	pending_done(&p);
}

/* What happens while the client's own thread is stopped: one request is answered, one is about
 * to be, a third waits in line. */
struct standstill {
	struct world w;
	struct pending p;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* lock: */
	bool begun, over, answered;
	int err;                   /* of the one that was answered */
};

static void say(struct standstill *s, bool *what)
{
	pthread_mutex_lock(&s->lock);
	*what = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void wait_for(struct standstill *s, const bool *what)
{
	pthread_mutex_lock(&s->lock);
	while (!*what)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* All are held until three are under way; 1 is answered during the standstill, 2 after it. */
static bool serve_around(struct fake_request *q, void *arg)
{
	struct standstill *s = arg;
	uint64_t first = 0;
	uint64_t last;
	bool more;

	world_range(q, &first, &last);
	if (first <= 2)
		fake_hold(q);
	if (first == 1)
		wait_for(s, &s->begun);
	if (first == 2) {
		wait_for(s, &s->over);
		/* It isn't there when the thread goes on. */
		poll(NULL, 0, 100);
	}
	more = world_serve(q);
	if (first == 1)
		say(s, &s->answered);
	return more;
}

static void stand_still(void *arg, int err, const char *why, struct blob *body)
{
	struct standstill *s = arg;
	const uint64_t until = clock_ms() + 3000;

	(void)why;
	(void)body;
	s->err = err;
	say(s, &s->begun);
	wait_for(s, &s->answered);
	while (clock_ms() < until)
		poll(NULL, 0, (int)(until - clock_ms()));
	say(s, &s->over);
}

static void who_stood_still_has_missed_nothing(void **state)
{
	const struct world_options three = { .connections = 3, .timeout_ms = 2000, .attempts = 1 };
	const struct s3_object version = { .size = WORLD_SIZE, .etag = WORLD_ETAG };
	const struct s3_range first = { .off = 0, .len = 1 };
	struct standstill s = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	struct outcome o;

	(void)state;
	pending_init(&s.p);
	world_open(&s.w, serve_around, &s, &three);
	pending_get(&s.p, &s.w, 1, 1, false);
	pending_get(&s.p, &s.w, 2, 1, false);
	s3_get(s.w.s3, "key", &version, &first, stand_still, &s);
	fake_wait_held(s.w.server, 3);
	pending_get(&s.p, &s.w, 3, 1, false);
	fake_release(s.w.server);
	pending_wait(&s.p, 3);
	assert_int_equal(s.err, 0);
	if (s.p.failed)
		fail_msg("%u failed: %s", s.p.failed, s.p.last.why);
	world_get(&s.w, "key", 4, 1, &o);
	assert_whole(&o, 1);
	world_close(&s.w);
	pending_done(&s.p);
}

static void a_name_is_looked_up(void **state)
{
	const struct world_options named = { .host = "localhost" };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, serve, NULL, &named);
	for (unsigned i = 0; i < 3; i++) {
		world_get(&w, "key", i, 10, &o);
		assert_whole(&o, 10);
	}
	assert_int_equal(fake_connections(w.server), 1);
	world_close(&w);
}

static void a_refused_connection_is_told(void **state)
{
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, serve, NULL, NULL);
	fake_http_stop(w.server);
	w.server = NULL;
	world_get(&w, "key", 0, 1, &o);
	assert_outcome(&o, -EIO, "cannot connect: Connection refused (4 attempts)");
	world_close(&w);
}

/* A label of 64 bytes: no name, whatever the network. */
static void a_name_that_isnt_there_is_told(void **state)
{
	const struct world_options nowhere = {
		.host = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
	};
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, serve, NULL, &nowhere);
	world_get(&w, "key", 0, 1, &o);
	assert_outcome(&o, -EIO, "http://bucket.nnnn");
	assert_outcome(&o, -EIO, "name");
	assert_int_equal(fake_requests(w.server), 0);
	world_close(&w);
}

/* ---- the end ---- */

static void freeing_cancels_what_runs_and_what_waits(void **state)
{
	const struct world_options two = { .connections = 2 };
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, hold_then_serve, NULL, &two);
	for (unsigned i = 0; i < 20; i++)
		pending_get(&p, &w, i, 1, i % 2);
	fake_wait_held(w.server, 2);
	s3_free(w.s3);
	w.s3 = NULL;
	assert_int_equal(p.finished, 20);
	assert_int_equal(p.canceled, 20);
	world_close(&w);
	pending_done(&p);
}

static bool be_busy(struct fake_request *q, void *arg)
{
	(void)arg;
	return world_send_error(q, 503, "Retry-After: 5\r\n", "");
}

static void freeing_cancels_what_waits_to_be_sent_again(void **state)
{
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, be_busy, NULL, NULL);
	for (unsigned i = 0; i < 8; i++)
		pending_get(&p, &w, i, 1, false);
	while (stats_get(&w.stats, STAT_s3_retries) < 8)
		sched_yield();
	s3_free(w.s3);
	w.s3 = NULL;
	assert_int_equal(p.canceled, 8);
	world_close(&w);
	pending_done(&p);
}

static void canceling_doesnt_wait_and_is_for_good(void **state)
{
	const struct world_options two = { .connections = 2 };
	struct pending p;
	struct world w;

	(void)state;
	pending_init(&p);
	world_open(&w, hold_then_serve, NULL, &two);
	for (unsigned i = 0; i < 20; i++)
		pending_get(&p, &w, i, 1, i % 2);
	fake_wait_held(w.server, 2);
	s3_cancel(w.s3);
	pending_wait(&p, 20);
	pending_get(&p, &w, 0, 1, false);
	pending_wait(&p, 21);
	assert_int_equal(p.canceled, 21);
	world_close(&w);
	pending_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_more_requests_at_once_than_connections),
		cmocka_unit_test(connections_are_used_again),
		cmocka_unit_test(reading_ahead_leaves_connections_for_demand),
		cmocka_unit_test(demand_goes_before_ahead_each_in_order),
		cmocka_unit_test(the_deadline_runs_from_when_a_request_is_served),
		cmocka_unit_test(who_waits_in_line_at_a_dead_store_waits_no_longer_than_others),
		cmocka_unit_test(while_the_store_is_down_one_at_a_time_asks),
		cmocka_unit_test(a_store_that_is_back_is_asked_by_all_again),
		cmocka_unit_test(the_first_byte_of_an_answer_ends_it),
		cmocka_unit_test(a_store_that_is_down_is_told),
		cmocka_unit_test(who_stood_still_has_missed_nothing),
		cmocka_unit_test(a_name_is_looked_up),
		cmocka_unit_test(a_refused_connection_is_told),
		cmocka_unit_test(a_name_that_isnt_there_is_told),
		cmocka_unit_test(freeing_cancels_what_runs_and_what_waits),
		cmocka_unit_test(freeing_cancels_what_waits_to_be_sent_again),
		cmocka_unit_test(canceling_doesnt_wait_and_is_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
