/* A document that is waited for, as a source of credentials would. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_http.h"
#include "net/document.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct stats stats;

static struct http *open_net(unsigned connections)
{
	const struct http_options o = { .connections = connections, .timeout_ms = 10000, .stats = &stats,
	                                .stat_bytes = STAT_s3_bytes, .stat_connections = STAT_s3_connections };
	struct http *net;

	unsetenv("http_proxy");
	unsetenv("all_proxy");
	assert_int_equal(http_new(&o, &net), 0);
	return net;
}

static bool answer(struct fake_request *q, void *arg)
{
	char token[64];

	(void)arg;
	fake_header(q, "Authorization", token, sizeof(token));
	if (strcmp(q->target, "/slow") == 0)
		fake_hold(q);
	if (strcmp(q->target, "/no") == 0)
		return fake_send(q, "HTTP/1.1 404 N\r\nContent-Length: 2\r\n\r\nno");
	return fake_send(q, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s%s", strlen(q->target) + strlen(token),
	                 q->target, token);
}

static int fetch(struct http *net, const char *url, struct document *d)
{
	static const char *const headers[] = { "Authorization: secret", NULL };

	*d = (struct document){ .url = url, .headers = headers, .timeout_ms = 5000, .body_max = 64,
	                     .counter = STAT_s3_get };
	return document_get(net, d);
}

static void a_document_comes_whole(void **state)
{
	struct fake_http *server = fake_http_start(answer, NULL);
	struct http *net = open_net(1);
	struct document f;
	char url[64];

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/a?b", fake_http_port(server));
	assert_int_equal(fetch(net, url, &f), 0);
	assert_int_equal(f.reply.status, 200);
	assert_int_equal(f.body.len, strlen("/a?bsecret"));
	assert_memory_equal(f.body.data, "/a?bsecret", f.body.len);
	buf_done(&f.body);
	snprintf(url, sizeof(url), "http://localhost:%u/no", fake_http_port(server));
	assert_int_equal(fetch(net, url, &f), 0);
	assert_int_equal(f.reply.status, 404);
	buf_done(&f.body);
	f = (struct document){ .url = url, .timeout_ms = 5000, .body_max = 1 };
	assert_int_equal(document_get(net, &f), -EIO);
	assert_int_equal(f.result, HTTP_TOO_LONG);
	buf_done(&f.body);
	http_free(net);
	fake_http_stop(server);
}

static void it_has_a_deadline_of_its_own_and_ends_with_net(void **state)
{
	struct fake_http *server = fake_http_start(answer, NULL);
	struct http *net = open_net(2);
	struct document f = { .timeout_ms = 100, .body_max = 64 };
	char url[64];

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/slow", fake_http_port(server));
	f.url = url;
	assert_int_equal(document_get(net, &f), -ETIMEDOUT);
	buf_done(&f.body);
	http_stop(net);
	assert_int_equal(document_get(net, &f), -ECANCELED);
	buf_done(&f.body);
	http_free(net);
	fake_http_stop(server);
}

static void what_is_no_url_isnt_asked(void **state)
{
	static const char *const bad[] = { "", "ftp://x", "http://", "http://:80", "http://x:", "http://x:0",
		                           "http://x:99999", "http://[::1", "http://[::1]x", "http://a:b@x",
		                           "http://x:8x/" };
	struct http *net = open_net(1);
	struct document f;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (fetch(net, bad[i], &f) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		buf_done(&f.body);
	}
	http_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_comes_whole),
		cmocka_unit_test(it_has_a_deadline_of_its_own_and_ends_with_net),
		cmocka_unit_test(what_is_no_url_isnt_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
