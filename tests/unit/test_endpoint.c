/* endpoint and request: which host, which path, which headers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "s3/endpoint.h"
#include "s3/request.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char why[AWS_WHY_MAX];

static void buckets_are_addressed_where_they_answer(void **state)
{
	static const struct {
		const char *url;        /* NULL: AWS */
		const char *bucket;
		bool path_style;
		const char *region;
		const char *authority;
		const char *root;
		uint16_t port;
	} cases[] = {
		{ NULL, "ads", false, "us-east-1", "ads.s3.us-east-1.amazonaws.com", "", 443 },
		{ NULL, "ads", true, "eu-west-1", "s3.eu-west-1.amazonaws.com", "/ads", 443 },
		{ NULL, "ads", false, "cn-north-1", "ads.s3.cn-north-1.amazonaws.com.cn", "", 443 },
		{ NULL, "my.ads", false, "us-east-1", "s3.us-east-1.amazonaws.com", "/my.ads", 443 },
		{ NULL, "Ads", false, "us-east-1", "s3.us-east-1.amazonaws.com", "/Ads", 443 },
		{ NULL, "a_b", false, "us-east-1", "s3.us-east-1.amazonaws.com", "/a_b", 443 },
		{ NULL, "ab", false, "us-east-1", "s3.us-east-1.amazonaws.com", "/ab", 443 },
		{ NULL, "10.0.0.1", false, "us-east-1", "s3.us-east-1.amazonaws.com", "/10.0.0.1", 443 },
		{ "https://minio.example.org", "ads", false, "x", "ads.minio.example.org", "", 443 },
		{ "https://minio.example.org", "my.ads", false, "x", "minio.example.org", "/my.ads", 443 },
		{ "http://minio.example.org", "my.ads", false, "x", "my.ads.minio.example.org", "", 80 },
		{ "HTTP://Minio.Example.ORG:9000/", "ads", false, "x", "ads.minio.example.org:9000", "",
		  9000 },
		{ "http://minio.example.org:80", "ads", false, "x", "ads.minio.example.org", "", 80 },
		{ "https://minio.example.org:80", "ads", false, "x", "ads.minio.example.org:80", "", 80 },
		{ "http://minio.example.org", "ads", true, "x", "minio.example.org", "/ads", 80 },
		{ "http://127.0.0.1:8333", "ads", false, "x", "127.0.0.1:8333", "/ads", 8333 },
		{ "http://localhost", "ads", false, "x", "localhost", "/ads", 80 },
		{ "https://[::1]:8333", "ads", false, "x", "[::1]:8333", "/ads", 8333 },
		{ "https://[2001:DB8::1]", "ads", false, "x", "[2001:db8::1]", "/ads", 443 },
		{ "https://x.example.org/storage/v1/s3/", "ads", true, "x", "x.example.org",
		  "/storage/v1/s3/ads", 443 },
		{ "https://x.example.org/base", "ads", false, "x", "ads.x.example.org", "/base", 443 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct endpoint e;
		struct target t;

		if (endpoint_init(cases[i].url, cases[i].bucket, cases[i].path_style, why, &e) != 0)
			fail_msg("%s", why);
		endpoint_target(&e, cases[i].region, &t);
		assert_string_equal(t.authority, cases[i].authority);
		assert_string_equal(t.root, cases[i].root);
		assert_int_equal(t.port, cases[i].port);
		/* What is resolved has neither port nor brackets. */
		assert_null(strpbrk(t.host, "[]"));
		assert_int_equal(e.https, !cases[i].url || strncasecmp(cases[i].url, "https", 5) == 0);
	}
}

static void what_is_no_endpoint_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "minio:9000", "ftp://minio", "http://", "http://:9000", "http://minio:0",
		"http://minio:65536", "http://minio:", "http://minio:9000x", "http://user:pw@minio",
		"http://mi nio", "http://minio?x=1", "http://minio#x", "http://minio/a b", "http://minio/%41",
		"http://127.0.0.1:99999", "http://[::1", "http://[minio]", "http://[::1]x", "http://minio\r\nX: y",
	};
	struct endpoint e;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (endpoint_init(bad[i], "ads", false, why, &e) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void a_password_is_never_shown(void **state)
{
	struct endpoint e;

	(void)state;
	assert_int_equal(endpoint_init("http://user:pw@ss@minio", "ads", false, why, &e), -EINVAL);
	assert_non_null(strstr(why, "'http://***@minio'"));
	assert_int_equal(endpoint_init("user:pw@minio:9000", "ads", false, why, &e), -EINVAL);
	assert_non_null(strstr(why, "'***@minio:9000'"));
}

static void the_style_may_be_chosen(void **state)
{
	struct endpoint e;

	(void)state;
	assert_int_equal(endpoint_init("http://localhost", "ads", ENDPOINT_VIRTUAL, why, &e), 0);
	assert_false(e.path_style);
	assert_int_equal(endpoint_init("http://127.0.0.1", "ads", ENDPOINT_VIRTUAL, why, &e), 0);
	assert_true(e.path_style);
	assert_int_equal(endpoint_init("https://x.example.org", "a.b", ENDPOINT_VIRTUAL, why, &e), 0);
	assert_true(e.path_style);
	assert_int_equal(endpoint_init("https://x.example.org", "ads", ENDPOINT_PATH, why, &e), 0);
	assert_true(e.path_style);
}

static void regions_are_host_name_parts(void **state)
{
	(void)state;
	assert_true(endpoint_valid_region("us-east-1"));
	assert_true(endpoint_valid_region("auto"));
	assert_false(endpoint_valid_region(""));
	assert_false(endpoint_valid_region("us.evil"));
	assert_false(endpoint_valid_region("us/evil"));
	assert_false(endpoint_valid_region("US-EAST-1"));
	/* Those of other stores: OpenStack, R2, and whatever somebody made up. */
	assert_true(endpoint_any_region("RegionOne"));
	assert_true(endpoint_any_region("ENAM"));
	assert_true(endpoint_any_region("us_east"));
	assert_false(endpoint_any_region(""));
	assert_false(endpoint_any_region("us/evil"));
	assert_false(endpoint_any_region("us east"));
	assert_false(endpoint_valid_region("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	                                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static const char *find_header(const struct http_message *m, const char *name)
{
	for (size_t i = 0; i < m->n_headers; i++) {
		if (strncmp(m->headers[i], name, strlen(name)) == 0 && m->headers[i][strlen(name)] == ':')
			return m->headers[i] + strlen(name) + 2;
	}
	return NULL;
}

static void free_message(struct http_message *m)
{
	free(m->url);
	for (size_t i = 0; i < m->n_headers; i++)
		free(m->headers[i]);
}

static void a_get_is_the_s3_references(void **state)
{
	struct creds creds = { .access_key_id = (char *)"AKIAIOSFODNN7EXAMPLE",
	                       .secret_access_key = (char *)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
	struct http_message m = { 0 };
	struct endpoint e;
	/* The reference signs the host without a region. */
	struct request q = { .endpoint = &e, .region = "us-east-1", .creds = &creds,
	                     .date = "20130524T000000Z", .key = "test.txt", .range = "bytes=0-9" };

	(void)state;
	assert_int_equal(endpoint_init("https://s3.amazonaws.com", "examplebucket", false, why, &e), 0);
	assert_int_equal(request_build(&q, &m), 0);
	assert_string_equal(m.url, "https://examplebucket.s3.amazonaws.com/test.txt");
	assert_string_equal(m.host, "examplebucket.s3.amazonaws.com");
	assert_string_equal(find_header(&m, "Authorization"),
	                    "AWS4-HMAC-SHA256 "
	                    "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
	                    "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
	                    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	free_message(&m);
}

static void an_unsigned_request_has_no_amz_headers(void **state)
{
	const struct sigv4_pair params[] = { { "prefix", "a b" } };
	struct http_message m = { 0 };
	struct endpoint e;
	struct request q = { .endpoint = &e, .region = "eu-west-1", .date = "20130524T000000Z",
	                     .params = params, .n_params = 1, .range = "bytes=0-9", .if_match = "tag" };

	(void)state;
	assert_int_equal(endpoint_init(NULL, "ads", false, why, &e), 0);
	assert_int_equal(request_build(&q, &m), 0);
	assert_string_equal(m.url, "https://ads.s3.eu-west-1.amazonaws.com/?prefix=a%20b");
	assert_int_equal(m.n_headers, 2);
	assert_string_equal(find_header(&m, "Range"), "bytes=0-9");
	assert_string_equal(find_header(&m, "If-Match"), "\"tag\"");
	free_message(&m);
}

static void a_session_token_is_sent_and_signed(void **state)
{
	struct creds creds = { .access_key_id = (char *)"A", .secret_access_key = (char *)"s",
	                       .session_token = (char *)"token" };
	struct http_message m = { 0 };
	struct endpoint e;
	struct request q = { .endpoint = &e, .region = "x", .creds = &creds, .date = "20130524T000000Z",
	                     .key = "k" };

	(void)state;
	assert_int_equal(endpoint_init("http://127.0.0.1:1", "ads", false, why, &e), 0);
	assert_int_equal(request_build(&q, &m), 0);
	assert_string_equal(m.url, "http://127.0.0.1:1/ads/k");
	assert_string_equal(find_header(&m, "x-amz-security-token"), "token");
	assert_non_null(strstr(find_header(&m, "Authorization"), ";x-amz-security-token,"));
	free_message(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_addressed_where_they_answer),
		cmocka_unit_test(what_is_no_endpoint_is_refused),
		cmocka_unit_test(a_password_is_never_shown),
		cmocka_unit_test(the_style_may_be_chosen),
		cmocka_unit_test(regions_are_host_name_parts),
		cmocka_unit_test(a_get_is_the_s3_references),
		cmocka_unit_test(an_unsigned_request_has_no_amz_headers),
		cmocka_unit_test(a_session_token_is_sent_and_signed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
