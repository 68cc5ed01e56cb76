/* Proxies: which one, which hosts go without, and who is blamed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/proxy.h"
#include "s3_world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void no_proxy_is_read_as_curl_reads_it(void **state)
{
	static const struct {
		const char *no_proxy, *host;
		bool direct;
	} cases[] = {
		{ "*", "example.org", true },
		{ "example.org", "example.org", true },
		{ "example.org", "s3.Example.ORG", true },
		{ ".example.org", "s3.example.org", true },
		{ ".example.org", "example.org", true },
		{ "example.org.", "s3.example.org.", true },
		{ "example.org", "badexample.org", false },
		{ "s3.example.org", "example.org", false },
		{ "a.org, b.org c.org", "c.org", true },
		{ "a.org,,b.org", "b.org", true },
		{ "", "b.org", false },
		{ ",", "b.org", false },
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "127.0.0.10", false },
		{ "0.0.1", "127.0.0.1", false },
		{ "10.0.0.0/8", "10.1.2.3", true },
		{ "10.0.0.0/8", "11.1.2.3", false },
		{ "192.168.4.0/22", "192.168.7.255", true },
		{ "192.168.4.0/22", "192.168.8.0", false },
		{ "10.0.0.0/33", "10.0.0.0", false },
		{ "10.0.0.0/x", "10.0.0.0", false },
		{ "::1", "::1", true },
		{ "[::1]", "::1", true },
		{ "fd00::/8", "fd12::1", true },
		{ "fd00::/8", "10.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (proxy_is_direct(cases[i].no_proxy, cases[i].host) != cases[i].direct)
			fail_msg("'%s' for %s", cases[i].no_proxy, cases[i].host);
	}
}

static void proxies_are_read_as_curl_reads_them(void **state)
{
	static const struct {
		const char *url, *host, *shown;
		unsigned port;
	} cases[] = {
		{ "http://squid:3128", "squid", "http://squid:3128", 3128 },
		{ "http://squid:3128/", "squid", "http://squid:3128", 3128 },
		{ "squid", "squid", "squid", 1080 },
		{ "https://squid", "squid", "https://squid", 443 },
		{ "http://me:s3cr@t@squid:8080", "squid", "http://squid:8080", 8080 },
		{ "http://[fd00::1]:3128", "fd00::1", "http://[fd00::1]:3128", 3128 },
		{ "socks5h://socks:1080", "", "socks5h://socks:1080", 1080 },
	};
	struct proxies p;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		setenv("https_proxy", cases[i].url, 1);
		setenv("no_proxy", "inside", 1);
		assert_int_equal(proxies_load(&p), 0);
		assert_null(proxies_for(&p, false, "outside"));
		assert_null(proxies_for(&p, true, "inside"));
		assert_ptr_equal(proxies_for(&p, true, "outside"), &p.https);
		assert_string_equal(p.https.host, cases[i].host);
		assert_string_equal(p.https.shown, cases[i].shown);
		if (cases[i].host[0])
			assert_int_equal(p.https.port, cases[i].port);
		proxies_done(&p);
	}
	unsetenv("https_proxy");
	unsetenv("no_proxy");
	/* HTTP_PROXY may come from a request to a CGI program: curl doesn't read it. */
	setenv("HTTP_PROXY", "http://evil", 1);
	assert_int_equal(proxies_load(&p), 0);
	assert_null(proxies_for(&p, false, "outside"));
	proxies_done(&p);
	unsetenv("HTTP_PROXY");
	setenv("ALL_PROXY", "http://squid", 1);
	assert_int_equal(proxies_load(&p), 0);
	assert_non_null(proxies_for(&p, false, "outside"));
	proxies_done(&p);
	unsetenv("ALL_PROXY");
}

/* Every request gets the status, in words that no store has. */
static bool refuse(struct fake_request *q, void *arg)
{
	return fake_send(q, "HTTP/1.1 %d No\r\nContent-Length: 6\r\nContent-Type: text/html\r\n\r\n%s",
	                 *(int *)arg, strcmp(q->method, "HEAD") == 0 ? "" : "<html>");
}

/* A get of an endpoint behind a proxy that answers so. */
static void get_through(const char *url, int status, const char *userinfo, struct outcome *ret, char shown[64])
{
	struct fake_http *server = fake_http_start(refuse, &status);
	struct world_options o = { .url = url, .attempts = 2 };
	struct world w;
	char proxy[128];

	snprintf(proxy, sizeof(proxy), "http://%s127.0.0.1:%u", userinfo, fake_http_port(server));
	snprintf(shown, 64, "the proxy http://127.0.0.1:%u", fake_http_port(server));
	o.http_proxy = proxy;
	world_open(&w, refuse, &status, &o);
	world_get(&w, "key", 0, 10, ret);
	assert_int_equal(fake_requests(w.server), 0);
	world_head(&w, "key", ret);
	world_close(&w);
	fake_http_stop(server);
}

static void a_proxy_that_refuses_is_named(void **state)
{
	static const struct {
		const char *url;
		int status;
		const char *part, *attempts;
	} cases[] = {
		{ "http://store.example.org", 403, "or by what is behind it (HTTP 403)", "" },
		{ "http://store.example.org", 407, "wants a name and a password (HTTP 407)", "" },
		{ "http://store.example.org", 502, "or by what is behind it (HTTP 502", "2 attempts" },
		{ "https://store.example.org", 403, "refused (HTTP 403)", "" },
		{ "https://store.example.org", 407, "wants a name and a password (HTTP 407)", "" },
		{ "https://store.example.org", 502, "can't reach the store (HTTP 502", "2 attempts" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct outcome o;
		char shown[64];

		get_through(cases[i].url, cases[i].status, "me:s3cr3t@", &o, shown);
		assert_outcome(&o, -EIO, shown);
		assert_outcome(&o, -EIO, cases[i].part);
		assert_outcome(&o, -EIO, cases[i].attempts);
		assert_null(strstr(o.why, "s3cr3t"));
	}
}

static void a_proxy_that_isnt_there_is_named(void **state)
{
	int status = 200;
	struct fake_http *server = fake_http_start(refuse, &status);
	char proxy[64];
	struct world_options o = { .url = "https://store.example.org", .http_proxy = proxy, .attempts = 1 };
	struct outcome got;
	struct world w;

	(void)state;
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", fake_http_port(server));
	fake_http_stop(server);
	for (int i = 0; i < 2; i++) {
		world_open(&w, refuse, &status, &o);
		world_get(&w, "key", 0, 10, &got);
		assert_outcome(&got, -EIO, proxy);
		assert_outcome(&got, -EIO, ": the proxy http://");
		assert_outcome(&got, -EIO, "cannot connect: Connection refused");
		world_close(&w);
		o.url = "http://store.example.org";
	}
}

/* A label of 64 bytes: no name, whatever the network. */
static void a_proxy_whose_name_isnt_known_is_named(void **state)
{
	const struct world_options o = {
		.url = "http://store.example.org",
		.http_proxy = "http://nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn:3128",
		.attempts = 1,
	};
	int status = 200;
	struct outcome got;
	struct world w;

	(void)state;
	world_open(&w, refuse, &status, &o);
	world_get(&w, "key", 0, 10, &got);
	assert_outcome(&got, -EIO, ": the proxy http://nnnn");
	assert_outcome(&got, -EIO, "name");
	world_close(&w);
}

/* Gets twenty at a time until one isn't sent any more. */
static void get_until_down(struct world *w, struct outcome *ret)
{
	struct pending p;

	for (bool down = false; !down; down = strstr(ret->why, "no answer: for ")) {
		pending_init(&p);
		for (unsigned i = 0; i < 20; i++)
			pending_get(&p, w, i, 1, false);
		pending_wait(&p, 20);
		assert_int_equal(p.failed, 20);
		*ret = p.last;
		pending_done(&p);
	}
}

static void an_outage_of_the_proxy_is_told_as_such(void **state)
{
	int status = 200;
	struct fake_http *server = fake_http_start(refuse, &status);
	char proxy[64];
	struct world_options o = { .url = "http://store.example.org", .http_proxy = proxy, .attempts = 1,
	                           .connections = 1, .timeout_ms = 500 };
	struct outcome got;
	struct world w;

	(void)state;
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", fake_http_port(server));
	fake_http_stop(server);
	world_open(&w, refuse, &status, &o);
	get_until_down(&w, &got);
	assert_outcome(&got, -EIO, ": the proxy http://127.0.0.1:");
	assert_outcome(&got, -EIO, "(cannot connect)");
	world_close(&w);
}

static void an_outage_behind_a_gateway_is_told_as_such(void **state)
{
	const struct world_options o = { .attempts = 1, .connections = 1, .timeout_ms = 500 };
	int status = 502;
	struct outcome got;
	struct world w;

	(void)state;
	world_open(&w, refuse, &status, &o);
	get_until_down(&w, &got);
	assert_outcome(&got, -EIO, "(a gateway cannot reach it)");
	world_close(&w);
}

/* curl tells the whole URL of a proxy with which it can't do anything. */
static void no_password_of_a_proxy_is_told(void **state)
{
	static const char *const urls[] = {
		"http://me:s3c/r3t@proxy.example.org:3128",
		"me:s3c/r3t@proxy.example.org:3128",
		"http://me:s3c/r3t@proxy.example.org:none",
		"sock5://me:s3cr3t@proxy.example.org",
		"sock5://me:s3cr3t"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
		"@proxy.example.org",
	};
	int status = 200;

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++) {
		const struct world_options o = { .url = "http://127.0.0.1:1", .http_proxy = urls[i], .attempts = 1 };
		struct outcome got;
		struct world w;

		world_open(&w, refuse, &status, &o);
		world_get(&w, "key", 0, 10, &got);
		assert_outcome(&got, got.err, "s3://bucket/key");
		assert_int_not_equal(got.err, 0);
		if (strstr(got.why, "s3c") || strstr(got.why, "me:"))
			fail_msg("%s", got.why);
		world_close(&w);
	}
}

/* A proxy that answers as the store would. */
static bool serve(struct fake_request *q, void *arg)
{
	(void)arg;
	if (strncmp(q->target, "http://", 7) != 0)
		return false;
	return strstr(q->target, "/gone") ? world_send_error(q, 403, "", "AccessDenied") : world_serve(q);
}

static void a_name_is_looked_up_for_the_proxy_and_stores_keep_their_own_errors(void **state)
{
	struct fake_http *server = fake_http_start(serve, NULL);
	char proxy[64];
	struct world_options o = { .url = "http://store.example.org", .http_proxy = proxy };
	struct outcome got;
	struct world w;

	(void)state;
	snprintf(proxy, sizeof(proxy), "http://localhost:%u", fake_http_port(server));
	world_open(&w, refuse, NULL, &o);
	world_get(&w, "key", 0, 10, &got);
	assert_outcome(&got, 0, "");
	assert_true(got.intact);
	world_get(&w, "gone", 0, 10, &got);
	assert_outcome(&got, -EACCES, "access denied");
	world_close(&w);
	fake_http_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_proxy_is_read_as_curl_reads_it),
		cmocka_unit_test(proxies_are_read_as_curl_reads_them),
		cmocka_unit_test(a_proxy_that_refuses_is_named),
		cmocka_unit_test(a_proxy_that_isnt_there_is_named),
		cmocka_unit_test(a_proxy_whose_name_isnt_known_is_named),
		cmocka_unit_test(an_outage_of_the_proxy_is_told_as_such),
		cmocka_unit_test(an_outage_behind_a_gateway_is_told_as_such),
		cmocka_unit_test(no_password_of_a_proxy_is_told),
		cmocka_unit_test(a_name_is_looked_up_for_the_proxy_and_stores_keep_their_own_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
