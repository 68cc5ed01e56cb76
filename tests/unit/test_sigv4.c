/* sigv4 against the examples of the Amazon S3 API reference
 * (sig-v4-header-based-auth) and AWS's published aws-sig-v4-test-suite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/sigv4.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct vector {
	const char *name;
	const char *path;               /* as a user would write it */
	struct sigv4_pair params[3];
	struct sigv4_pair headers[5];   /* besides host and x-amz-date */
	const char *signature;
};

static const char suite_unreserved[] =
	"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static const struct vector suite[] = {
	{ "get-vanilla", "/", { { 0 } }, { { 0 } },
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-vanilla-empty-query-key", "/", { { "Param1", "value1" } }, { { 0 } },
	  "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
	{ "get-vanilla-query-order-key-case", "/", { { "Param2", "value2" }, { "Param1", "value1" } },
	  { { 0 } }, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ "get-vanilla-query-order-value", "/", { { "Param1", "value2" }, { "Param1", "value1" } },
	  { { 0 } }, "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694" },
	{ "get-vanilla-query-unreserved", "/", { { suite_unreserved, suite_unreserved } }, { { 0 } },
	  "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197" },
	{ "get-vanilla-utf8-query", "/", { { "\xe1\x88\xb4", "bar" } }, { { 0 } },
	  "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
	{ "get-utf8", "/\xe1\x88\xb4", { { 0 } }, { { 0 } },
	  "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
	{ "get-space", "/example space/", { { 0 } }, { { 0 } },
	  "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741" },
	{ "get-unreserved", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	  { { 0 } }, { { 0 } }, "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
	{ "get-relative", "/example/..", { { 0 } }, { { 0 } },
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-relative-relative", "/example1/example2/../..", { { 0 } }, { { 0 } },
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-slash", "//", { { 0 } }, { { 0 } },
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-slash-dot-slash", "/./", { { 0 } }, { { 0 } },
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-slashes", "//example//", { { 0 } }, { { 0 } },
	  "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84" },
	{ "get-header-key-duplicate", "/", { { 0 } },
	  { { "My-Header1", "value2" }, { "My-Header1", "value2" }, { "My-Header1", "value1" } },
	  "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
	{ "get-header-value-order", "/", { { 0 } },
	  { { "My-Header1", "value4" }, { "My-Header1", "value1" }, { "My-Header1", "value3" },
	    { "My-Header1", "value2" } },
	  "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },
	{ "get-header-value-trim", "/", { { 0 } },
	  { { "My-Header1", " value1" }, { "My-Header2", " \"a   b   c\"" } },
	  "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
	{ "get-vanilla-with-session-token", "/", { { 0 } },
	  { { "X-Amz-Security-Token",
	      "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267" } },
	  "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8" },
};

static size_t count_pairs(const struct sigv4_pair *pairs, size_t max)
{
	size_t n = 0;

	while (n < max && pairs[n].name)
		n++;
	return n;
}

static char *sign(const struct vector *v, bool normalise, const char *host, const char *id,
                  const char *secret, const struct sigv4_scope *scope)
{
	char *path = sigv4_path(v->path, normalise);
	char *query = sigv4_query(v->params, count_pairs(v->params, COUNT(v->params)));
	struct sigv4_pair headers[8];
	struct sigv4_request r = { .method = "GET", .path = path, .query = query, .headers = headers,
	                           .payload_sha256 = SIGV4_EMPTY_SHA256 };
	char *authorization;

	for (; r.n_headers < count_pairs(v->headers, COUNT(v->headers)); r.n_headers++)
		headers[r.n_headers] = v->headers[r.n_headers];
	headers[r.n_headers++] = (struct sigv4_pair){ "X-Amz-Date", scope->date };
	headers[r.n_headers++] = (struct sigv4_pair){ "Host", host };
	authorization = sigv4_authorization(&r, scope, id, secret);
	free(path);
	free(query);
	return authorization;
}

static void agrees_with_the_test_suite(void **state)
{
	const struct sigv4_scope scope = { "20150830T123600Z", "us-east-1", "service" };

	(void)state;
	for (size_t i = 0; i < COUNT(suite); i++) {
		char *got = sign(&suite[i], true, "example.amazonaws.com", "AKIDEXAMPLE",
		                 "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &scope);
		const char *signature = got ? strstr(got, "Signature=") : NULL;

		if (!signature || strcmp(signature + 10, suite[i].signature) != 0)
			fail_msg("%s: %s, not %s", suite[i].name, got, suite[i].signature);
		free(got);
	}
}

static const char s3_id[] = "AKIAIOSFODNN7EXAMPLE";
static const char s3_secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
static const struct sigv4_scope s3_scope = { "20130524T000000Z", "us-east-1", "s3" };

static void agrees_with_the_s3_reference(void **state)
{
	static const struct vector examples[] = {
		{ "GET object", "/test.txt", { { 0 } },
		  { { "range", "bytes=0-9" }, { "x-amz-content-sha256", SIGV4_EMPTY_SHA256 } },
		  "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
		  "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
		  "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
		{ "GET lifecycle", "/", { { "lifecycle", "" } },
		  { { "x-amz-content-sha256", SIGV4_EMPTY_SHA256 } },
		  "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
		  "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		  "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
		{ "list objects", "/", { { "max-keys", "2" }, { "prefix", "J" } },
		  { { "x-amz-content-sha256", SIGV4_EMPTY_SHA256 } },
		  "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
		  "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		  "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(examples); i++) {
		char *got = sign(&examples[i], false, "examplebucket.s3.amazonaws.com", s3_id, s3_secret,
		                 &s3_scope);

		assert_non_null(got);
		assert_string_equal(got, examples[i].signature);
		free(got);
	}
}

static void every_step_is_that_of_the_s3_reference(void **state)
{
	const struct sigv4_pair headers[] = {
		{ "x-amz-date", "20130524T000000Z" },
		{ "Range", "bytes=0-9" },
		{ "x-amz-content-sha256", SIGV4_EMPTY_SHA256 },
		{ "Host", "examplebucket.s3.amazonaws.com" },
	};
	const struct sigv4_request r = { "GET", "/test.txt", "", headers, 4, SIGV4_EMPTY_SHA256 };
	char *canonical = sigv4_canonical_request(&r);
	char *to_sign = sigv4_string_to_sign(&s3_scope, canonical);
	uint8_t key[SIGV4_HASH_SIZE];
	char signature[SIGV4_HEX_SIZE];

	(void)state;
	assert_string_equal(canonical, "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\n"
	                    "range:bytes=0-9\nx-amz-content-sha256:" SIGV4_EMPTY_SHA256 "\n"
	                    "x-amz-date:20130524T000000Z\n\n"
	                    "host;range;x-amz-content-sha256;x-amz-date\n" SIGV4_EMPTY_SHA256);
	assert_string_equal(to_sign, "AWS4-HMAC-SHA256\n20130524T000000Z\n"
	                    "20130524/us-east-1/s3/aws4_request\n"
	                    "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972");
	assert_int_equal(sigv4_signing_key(&s3_scope, s3_secret, key), 0);
	assert_int_equal(sigv4_signature(key, to_sign, signature), 0);
	assert_string_equal(signature,
	                    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	free(canonical);
	free(to_sign);
}

static void s3_keys_keep_every_byte(void **state)
{
	static const struct {
		const char *raw;
		const char *encoded;
	} keys[] = {
		{ "/a//b/../c/./d/", "/a//b/../c/./d/" },
		{ "/a b+c%41.txt", "/a%20b%2Bc%2541.txt" },
		{ "//lead", "//lead" },
		{ "/\xc3\xbc\xff", "/%C3%BC%FF" },
		{ "/a?b#c&d=e", "/a%3Fb%23c%26d%3De" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		char *got = sigv4_path(keys[i].raw, false);

		assert_string_equal(got, keys[i].encoded);
		free(got);
	}
}

static void queries_are_encoded_and_sorted(void **state)
{
	const struct sigv4_pair params[] = {
		{ "prefix", "a b/\xc3\xbc+%" },
		{ "list-type", "2" },
		{ "delimiter", "/" },
		{ "max-keys", "10" },
	};
	char *got = sigv4_query(params, COUNT(params));

	(void)state;
	assert_string_equal(got, "delimiter=%2F&list-type=2&max-keys=10&prefix=a%20b%2F%C3%BC%2B%25");
	free(got);
	got = sigv4_query(NULL, 0);
	assert_string_equal(got, "");
	free(got);
}

static void too_many_pairs_are_refused(void **state)
{
	struct sigv4_pair pairs[SIGV4_PAIRS_MAX + 1];
	const struct sigv4_request r = { "GET", "/", "", pairs, COUNT(pairs), SIGV4_EMPTY_SHA256 };

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++)
		pairs[i] = (struct sigv4_pair){ "a", "b" };
	assert_null(sigv4_query(pairs, COUNT(pairs)));
	assert_null(sigv4_canonical_request(&r));
	assert_null(sigv4_authorization(&r, &s3_scope, s3_id, s3_secret));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_test_suite),
		cmocka_unit_test(agrees_with_the_s3_reference),
		cmocka_unit_test(every_step_is_that_of_the_s3_reference),
		cmocka_unit_test(s3_keys_keep_every_byte),
		cmocka_unit_test(queries_are_encoded_and_sorted),
		cmocka_unit_test(too_many_pairs_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
