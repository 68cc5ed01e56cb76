/* The way of bytes: what happens to transfers that break, stall, lie or wait,
 * and to connections. Through s3.h, against a server that misbehaves. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* ---- broken transfers ---- */

struct breakage {
	unsigned breaks;          /* so many requests break off */
	size_t after;             /* bytes of body */
	bool reset;
	bool before_headers;
	bool stall;
	uint64_t first[8];        /* ranges asked for, by request */
	char if_match[8][64];
};

static bool break_off(struct fake_request *q, void *arg)
{
	struct breakage *b = arg;
	uint64_t first;
	uint64_t last;

	if (!world_range(q, &first, &last) || q->number >= COUNT(b->first))
		return false;
	b->first[q->number] = first;
	fake_header(q, "If-Match", b->if_match[q->number], sizeof(b->if_match[0]));
	if (q->number > b->breaks)
		return world_serve(q);
	if (!b->before_headers) {
		world_send_head(q, first, last);
		world_send_bytes(q, first, b->after);
	}
	if (b->stall)
		fake_hold(q);
	if (b->reset)
		fake_reset(q);
	return false;
}

static void a_short_body_is_resumed_where_it_ended(void **state)
{
	struct breakage b = { .breaks = 2, .after = 1000 };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, break_off, &b, NULL);
	world_get(&w, "key", 500, 50000, &o);
	assert_whole(&o, 50000);
	assert_int_equal(b.first[1], 500);
	assert_int_equal(b.first[2], 1500);
	assert_int_equal(b.first[3], 2500);
	for (int i = 1; i <= 3; i++)
		assert_string_equal(b.if_match[i], "\"" WORLD_ETAG "\"");
	assert_int_equal(stats_get(&w.stats, STAT_s3_retries), 2);
	assert_int_equal(stats_get(&w.stats, STAT_s3_get), 3);
	assert_int_equal(stats_get(&w.stats, STAT_s3_bytes), 50000);
	world_close(&w);
}

static void a_reset_is_retried(void **state)
{
	struct breakage b = { .breaks = 3, .reset = true, .before_headers = true };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, break_off, &b, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_whole(&o, 10);
	assert_int_equal(fake_requests(w.server), 4);
	world_close(&w);
}

static void resets_without_end_are_an_error(void **state)
{
	struct breakage b = { .breaks = 100, .reset = true, .before_headers = true };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, break_off, &b, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, -EIO, "4 attempts");
	assert_int_equal(stats_get(&w.stats, STAT_s3_errors), 1);
	world_close(&w);
}

static void a_stall_is_retried_with_the_rest(void **state)
{
	struct breakage b = { .breaks = 1, .after = 7, .stall = true };
	const struct world_options quick = { .timeout_ms = 4000 };
	uint64_t start = clock_ms();
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, break_off, &b, &quick);
	world_get(&w, "key", 0, 100, &o);
	assert_whole(&o, 100);
	assert_int_equal(b.first[2], 7);
	assert_in_range(clock_ms() - start, 1000, 3000);
	world_close(&w);
}

static void the_deadline_holds_over_all_attempts(void **state)
{
	struct breakage b = { .breaks = 100, .stall = true };
	const struct world_options quick = { .timeout_ms = 1500, .attempts = 100 };
	uint64_t start = clock_ms();
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, break_off, &b, &quick);
	world_get(&w, "key", 0, 100, &o);
	assert_outcome(&o, -ETIMEDOUT, "1.5 s");
	assert_in_range(clock_ms() - start, 1500, 3000);
	world_close(&w);
}

/* ---- replies that aren't what was asked for ---- */

static bool flood(struct fake_request *q, void *arg)
{
	static char zeros[65536];
	size_t *sent = arg;

	fake_send(q, "HTTP/1.1 200 OK\r\nETag: \"" WORLD_ETAG "\"\r\n"
	          "Content-Length: 1000000000\r\n\r\n");
	while (fake_send_data(q, zeros, sizeof(zeros)))
		*sent += sizeof(zeros);
	return false;
}

static void a_whole_object_instead_of_a_range_is_cut_off(void **state)
{
	size_t sent = 0;
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, flood, &sent, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, -EPROTO, "whole object");
	assert_int_equal(fake_requests(w.server), 1);
	world_close(&w);
	/* What sockets buffer, far from the gigabyte that was offered. */
	assert_true(sent < 64u << 20);
}

static bool send_script(struct fake_request *q, void *arg)
{
	return fake_send(q, "%s", (const char *)arg);
}

static void assert_reply(const char *reply, int err, const char *part)
{
	char script[1024];
	struct outcome o;
	struct world w;

	snprintf(script, sizeof(script), "%s", reply);
	world_open(&w, send_script, script, NULL);
	world_get(&w, "key", 10, 3, &o);
	assert_outcome(&o, err, part);
	assert_int_equal(fake_requests(w.server), 1);
	world_close(&w);
}

#define HEAD(status, etag, range, length) \
	"HTTP/1.1 " status "\r\nETag: " etag "\r\nContent-Range: " range "\r\n" \
	"Content-Length: " length "\r\n\r\n"
#define ETAG "\"" WORLD_ETAG "\""

static void only_the_range_asked_for_is_taken(void **state)
{
	(void)state;
	assert_reply(HEAD("206 P", ETAG, "bytes 10-12/100000", "3") "abc", 0, "");
	assert_reply(HEAD("200 OK", ETAG, "bytes 10-12/100000", "3") "abc", 0, "");
	assert_reply(HEAD("206 P", ETAG, "bytes 10-12/*", "3") "abc", 0, "");
	assert_reply(HEAD("206 P", ETAG, "bytes 11-13/100000", "3") "abc", -EPROTO, "another range");
	assert_reply(HEAD("206 P", ETAG, "bytes 10-13/100000", "4") "abcd", -EPROTO, "another range");
	assert_reply(HEAD("206 P", ETAG, "bytes 10-11/100000", "2") "ab", -EPROTO, "another range");
	assert_reply(HEAD("206 P", ETAG, "bytes 10-12/99999", "3") "abc", -EPROTO, "another range");
	assert_reply(HEAD("206 P", ETAG, "bytes 10-12/100000", "4") "abcd", -EPROTO, "another range");
	assert_reply(HEAD("206 P", ETAG, "bytes -1--3/100000", "3") "abc", -EPROTO, "another range");
	assert_reply(HEAD("206 P", ETAG, "bytes 10-99999999999999999999999/100000", "3") "abc", -EPROTO,
	             "another range");
	assert_reply(HEAD("206 P", ETAG, "pages 10-12/100000", "3") "abc", -EPROTO, "another range");
}

static void only_the_version_asked_for_is_taken(void **state)
{
	(void)state;
	assert_reply(HEAD("206 P", "W/" ETAG, "bytes 10-12/100000", "3") "abc", 0, "");
	assert_reply(HEAD("206 P", WORLD_ETAG, "bytes 10-12/100000", "3") "abc", 0, "");
	assert_reply(HEAD("206 P", "\"other\"", "bytes 10-12/100000", "3") "abc", -ESTALE, "replaced");
	assert_reply(HEAD("200 OK", "\"other\"", "bytes 0-0/1", "1") "a", -ESTALE, "replaced");
	assert_reply("HTTP/1.1 206 P\r\nContent-Range: bytes 10-12/100000\r\n"
	             "Content-Length: 3\r\n\r\nabc", -EPROTO, "ETag");
	assert_reply("HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n", -ESTALE, "replaced");
	assert_reply("HTTP/1.1 416 Range\r\nContent-Length: 0\r\n\r\n", -ESTALE, "replaced");
}

#define EXCESS \
	"HTTP/1.1 206 P\r\nETag: " ETAG "\r\nContent-Range: bytes 10-12/100000\r\n" \
	"Transfer-Encoding: chunked\r\n\r\n"

static void more_bytes_than_asked_for_are_cut_off(void **state)
{
	char script[] = EXCESS "4\r\nabcd\r\n0\r\n\r\n";
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, send_script, script, NULL);
	world_get(&w, "key", 10, 3, &o);
	assert_outcome(&o, -EPROTO, "longer");
	assert_int_equal(fake_requests(w.server), 4);
	world_close(&w);
}

/* Too many at once, and all that was asked for before the one too many. */
static bool exceed_twice(struct fake_request *q, void *arg)
{
	(void)arg;
	if (q->number == 1)
		return fake_send(q, EXCESS "4\r\nabcd\r\n0\r\n\r\n");
	if (q->number == 2)
		return fake_send(q, EXCESS "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n");
	return world_serve(q);
}

static void a_body_longer_than_promised_is_asked_for_again(void **state)
{
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, exceed_twice, NULL, NULL);
	world_get(&w, "key", 10, 3, &o);
	assert_whole(&o, 3);
	assert_int_equal(fake_requests(w.server), 3);
	world_close(&w);
}

/* More than Content-Length, which is taken for the begin of the reply to come. */
static bool leave_something(struct fake_request *q, void *arg)
{
	uint64_t first;
	uint64_t last;

	(void)arg;
	if (!world_range(q, &first, &last))
		return false;
	world_send_head(q, first, last);
	return world_send_bytes(q, first, (size_t)(last - first + 1) + (q->connection == 1 ? 5 : 0));
}

static void what_a_reply_left_over_spoils_no_other(void **state)
{
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, leave_something, NULL, NULL);
	for (unsigned i = 0; i < 3; i++) {
		world_get(&w, "key", 10 + i, 3, &o);
		assert_whole(&o, 3);
	}
	world_close(&w);
}

/* A byte now and then, on the first connections, for as long as they are listened to. */
struct trickle {
	unsigned connections;
	bool in_headers;
};

static bool trickle(struct fake_request *q, void *arg)
{
	const struct trickle *t = arg;
	struct pollfd hangup = { .fd = q->fd, .events = POLLRDHUP };
	uint64_t first;
	uint64_t last;

	if (!world_range(q, &first, &last))
		return false;
	if (q->connection > t->connections)
		return world_serve(q);
	if (t->in_headers)
		fake_send(q, "HTTP/1.1 206 P\r\nX-Filler: ");
	else
		world_send_head(q, first, last);
	while (poll(&hangup, 1, 20) == 0) {
		if (t->in_headers ? !fake_send(q, "a") : !world_send_bytes(q, first++, 1))
			break;
	}
	return false;
}

static void a_trickle_is_a_stall(void **state)
{
	const struct world_options quick = { .timeout_ms = 4000 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct trickle t = { .connections = 1, .in_headers = i };
		struct outcome o;
		struct world w;

		world_open(&w, trickle, &t, &quick);
		world_get(&w, "key", 0, 50000, &o);
		assert_whole(&o, 50000);
		assert_int_equal(fake_connections(w.server), 2);
		assert_int_equal(fake_requests(w.server), 2);
		world_close(&w);
	}
}

/* Each part comes in less than the time for a stall, but both take longer: headers, and then the
 * first byte of a body whose length isn't told. */
static bool begin_slowly(struct fake_request *q, void *arg)
{
	struct pollfd hangup = { .fd = q->fd, .events = POLLRDHUP };

	(void)arg;
	poll(&hangup, 1, 700);
	fake_send(q, "HTTP/1.1 206 P\r\nETag: " ETAG "\r\nContent-Range: bytes 10-12/100000\r\n"
	          "Transfer-Encoding: chunked\r\n\r\n");
	poll(&hangup, 1, 700);
	fake_send(q, "3\r\n");
	world_send_bytes(q, 10, 3);
	return fake_send(q, "\r\n0\r\n\r\n");
}

static void who_begins_slowly_hasnt_stalled(void **state)
{
	const struct world_options quick = { .timeout_ms = 4000, .attempts = 1 };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, begin_slowly, NULL, &quick);
	world_get(&w, "key", 10, 3, &o);
	assert_whole(&o, 3);
	world_close(&w);
}

static bool change_version(struct fake_request *q, void *arg)
{
	uint64_t first;
	uint64_t last;

	(void)arg;
	if (!world_range(q, &first, &last))
		return false;
	if (q->number == 1) {
		world_send_head(q, first, last);
		world_send_bytes(q, first, 10);
		return false;
	}
	fake_send(q, "HTTP/1.1 206 P\r\nETag: \"new\"\r\nContent-Range: bytes %llu-%llu/%u\r\n"
	          "Content-Length: %llu\r\n\r\n", (unsigned long long)first, (unsigned long long)last,
	          WORLD_SIZE, (unsigned long long)(last - first + 1));
	return world_send_bytes(q, first, (size_t)(last - first + 1));
}

static void a_resumed_body_is_never_a_mix(void **state)
{
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, change_version, NULL, NULL);
	world_get(&w, "key", 0, 100, &o);
	assert_outcome(&o, -ESTALE, "replaced");
	assert_int_equal(fake_requests(w.server), 2);
	world_close(&w);
}

static bool endless_headers(struct fake_request *q, void *arg)
{
	(void)arg;
	fake_send(q, "HTTP/1.1 206 P\r\n");
	while (fake_send(q, "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"))
		;
	return false;
}

static void endless_headers_are_cut_off(void **state)
{
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, endless_headers, NULL, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, -EPROTO, "longer");
	world_close(&w);
}

static void what_isnt_http_is_refused(void **state)
{
	char greeting[] = "220 smtp.example.org ESMTP\r\n";
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, send_script, greeting, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, -EPROTO, "not HTTP");
	world_close(&w);
}

/* ---- a busy store ---- */

struct busy {
	unsigned times;
	int status;
	const char *headers;
	const char *code;
};

static bool be_busy(struct fake_request *q, void *arg)
{
	const struct busy *b = arg;

	if (q->number > b->times)
		return world_serve(q);
	return world_send_error(q, b->status, b->headers, b->code);
}

static void overload_is_retried_and_the_connection_kept(void **state)
{
	static const int statuses[] = { 429, 500, 502, 503, 504 };

	(void)state;
	for (size_t i = 0; i < COUNT(statuses); i++) {
		struct busy b = { 1, statuses[i], "", "" };
		struct outcome o;
		struct world w;

		world_open(&w, be_busy, &b, NULL);
		world_get(&w, "key", 0, 10, &o);
		assert_whole(&o, 10);
		assert_int_equal(fake_requests(w.server), 2);
		assert_int_equal(fake_connections(w.server), 1);
		world_close(&w);
	}
}

static void overload_without_end_tells_status_code_and_attempts(void **state)
{
	struct busy b = { 100, 503, "", "InternalError" };
	const struct world_options three = { .attempts = 3 };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, be_busy, &b, &three);
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, -EIO, "s3://bucket/key");
	assert_outcome(&o, -EIO, "HTTP 503 InternalError, 3 attempts");
	assert_int_equal(fake_requests(w.server), 3);
	world_close(&w);
}

static void retry_after_is_waited_for(void **state)
{
	struct busy b = { 1, 503, "Retry-After: 1\r\n", "" };
	uint64_t start = clock_ms();
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, be_busy, &b, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_whole(&o, 10);
	assert_in_range(clock_ms() - start, 1000, 5000);
	world_close(&w);
}

static void a_wait_past_the_deadline_isnt_begun(void **state)
{
	struct busy b = { 100, 503, "Retry-After: 3600\r\n", "" };
	uint64_t start = clock_ms();
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, be_busy, &b, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, -EIO, "HTTP 503");
	assert_int_equal(fake_requests(w.server), 1);
	assert_in_range(clock_ms() - start, 0, 5000);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_body_is_resumed_where_it_ended),
		cmocka_unit_test(a_reset_is_retried),
		cmocka_unit_test(resets_without_end_are_an_error),
		cmocka_unit_test(a_stall_is_retried_with_the_rest),
		cmocka_unit_test(the_deadline_holds_over_all_attempts),
		cmocka_unit_test(a_whole_object_instead_of_a_range_is_cut_off),
		cmocka_unit_test(only_the_range_asked_for_is_taken),
		cmocka_unit_test(only_the_version_asked_for_is_taken),
		cmocka_unit_test(more_bytes_than_asked_for_are_cut_off),
		cmocka_unit_test(a_body_longer_than_promised_is_asked_for_again),
		cmocka_unit_test(what_a_reply_left_over_spoils_no_other),
		cmocka_unit_test(a_trickle_is_a_stall),
		cmocka_unit_test(who_begins_slowly_hasnt_stalled),
		cmocka_unit_test(a_resumed_body_is_never_a_mix),
		cmocka_unit_test(endless_headers_are_cut_off),
		cmocka_unit_test(what_isnt_http_is_refused),
		cmocka_unit_test(overload_is_retried_and_the_connection_kept),
		cmocka_unit_test(overload_without_end_tells_status_code_and_attempts),
		cmocka_unit_test(retry_after_is_waited_for),
		cmocka_unit_test(a_wait_past_the_deadline_isnt_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
