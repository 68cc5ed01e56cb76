/* What a store means: errors and their sentences, corrections of region, clock
 * and credentials, listings, keys. Through s3.h, against a scripted server. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "s3_world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A server that goes through a list of answers; NULL: a right one. */
struct script {
	const char *answers[6];
	char target[6][4096];          /* what came, by request */
	char method[6][8];
	char authorization[6][600];
	char date[6][64];
	char token[6][64];
	char range[6][64];
};

static bool serve_head(const struct fake_request *q)
{
	return fake_send(q, "HTTP/1.1 200 OK\r\nETag: \"" WORLD_ETAG "\"\r\nContent-Length: %u\r\n"
	                 "Last-Modified: Fri, 24 May 2013 00:00:00 GMT\r\n\r\n", WORLD_SIZE);
}

static bool play(struct fake_request *q, void *arg)
{
	struct script *s = arg;
	unsigned i = q->number - 1;

	if (i >= COUNT(s->answers))
		return false;
	snprintf(s->target[i], sizeof(s->target[i]), "%s", q->target);
	snprintf(s->method[i], sizeof(s->method[i]), "%.7s", q->method);
	fake_header(q, "Authorization", s->authorization[i], sizeof(s->authorization[i]));
	fake_header(q, "x-amz-date", s->date[i], sizeof(s->date[i]));
	fake_header(q, "x-amz-security-token", s->token[i], sizeof(s->token[i]));
	fake_header(q, "Range", s->range[i], sizeof(s->range[i]));
	if (s->answers[i])
		return fake_send(q, "%s", s->answers[i]) && !strstr(s->answers[i], "Connection: close");
	return strcmp(q->method, "HEAD") == 0 ? serve_head(q) : world_serve(q);
}

/* The end of the connection is the end of the document. */
#define ERROR(status, headers, code, more) \
	"HTTP/1.1 " status "\r\n" headers "Connection: close\r\n\r\n" \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" code "</Code>" more "</Error>"
#define BARE(status, headers) "HTTP/1.1 " status "\r\n" headers "Content-Length: 0\r\n\r\n"

/* ---- head ---- */

static void head_tells_size_time_and_etag(void **state)
{
	struct script s = { 0 };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, play, &s, NULL);
	world_head(&w, "key", &o);
	assert_outcome(&o, 0, "");
	assert_int_equal(o.object.size, WORLD_SIZE);
	assert_string_equal(o.object.etag, WORLD_ETAG);
	assert_true(o.object.mtime_ns == INT64_C(1369353600000000000));
	assert_string_equal(s.method[0], "HEAD");
	assert_int_equal(stats_get(&w.stats, STAT_s3_head), 1);
	world_close(&w);
}

/* Of a HEAD whose answers are those, and which makes n requests. */
static void assert_head(const char *first, const char *second, int err, const char *part,
                        unsigned n)
{
	struct script s = { .answers = { first, second } };
	struct outcome o;
	struct world w;

	world_open(&w, play, &s, NULL);
	world_head(&w, "dir/key", &o);
	assert_outcome(&o, err, part);
	assert_int_equal(fake_requests(w.server), n);
	if (n == 2) {
		assert_string_equal(s.method[1], "GET");
		assert_string_equal(s.range[1], "bytes=0-0");
	}
	world_close(&w);
}

static void a_refused_heads_code_is_fetched_once(void **state)
{
	static const char refused[] = BARE("403 Forbidden", "");

	(void)state;
	assert_head(refused, ERROR("403 F", "", "AccessDenied", ""), -EACCES, "403 AccessDenied", 2);
	assert_head(refused, ERROR("403 F", "", "SignatureDoesNotMatch", ""), -EACCES, "secret", 2);
	assert_head(refused, ERROR("403 F", "", "InvalidObjectState", ""), -EACCES, "archived", 2);
	assert_head(refused, BARE("403 F", ""), -EACCES, "access denied", 2);
	/* The GET works: the HEAD's refusal stands. */
	assert_head(refused, "HTTP/1.1 206 P\r\nETag: \"x\"\r\nContent-Range: bytes 0-0/9\r\n"
	            "Content-Length: 1\r\n\r\na", -EACCES, "access denied", 2);
	assert_head(BARE("400 Bad", ""), ERROR("400 B", "", "KeyTooLongError", ""), -ENOENT,
	            "no such key", 2);
}

static void a_missing_key_costs_one_head(void **state)
{
	(void)state;
	assert_head(BARE("404 Not Found", ""), NULL, -ENOENT, "s3://bucket/dir/key: no such key", 1);
}

static void a_head_without_size_or_etag_is_refused(void **state)
{
	(void)state;
	assert_head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", NULL, -EPROTO, "ETag", 1);
	assert_head("HTTP/1.1 200 OK\r\nETag: \"a\"\r\nConnection: close\r\n\r\n", NULL, -EPROTO,
	            "S3", 1);
}

/* ---- get ---- */

static void assert_get(const char *answer, int err, const char *part)
{
	struct script s = { .answers = { answer } };
	struct outcome o;
	struct world w;

	world_open(&w, play, &s, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, err, part);
	assert_int_equal(fake_requests(w.server), 1);
	world_close(&w);
}

static void causes_stay_apart(void **state)
{
	(void)state;
	assert_get(ERROR("404 N", "", "NoSuchKey", ""), -ENOENT, "s3://bucket/key: no such key");
	assert_get(ERROR("404 N", "", "NoSuchBucket", ""), -ENOENT, "s3://bucket: no such bucket");
	assert_get(ERROR("403 F", "", "InvalidObjectState", ""), -EACCES, "must be restored");
	assert_get(ERROR("403 F", "", "AccessDenied", ""), -EACCES, "access denied");
	assert_get(ERROR("403 F", "", "AccessDenied", "<Message>User: x is not authorized</Message>"),
	           -EACCES, "HTTP 403 AccessDenied): User: x is not authorized");
	assert_get(ERROR("412 P", "", "PreconditionFailed", ""), -ESTALE, "replaced");
	assert_get(ERROR("405 M", "", "MethodNotAllowed", "<Message>no way</Message>"), -EIO,
	           "HTTP 405 MethodNotAllowed): no way");
	assert_get(BARE("501 N", ""), -EIO, "HTTP 501");
}

static void a_range_outside_the_object_isnt_sent(void **state)
{
	struct script s = { 0 };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, play, &s, NULL);
	world_get(&w, "key", WORLD_SIZE - 1, 2, &o);
	assert_outcome(&o, -EINVAL, "range");
	world_get(&w, "key", WORLD_SIZE + 1, 1, &o);
	assert_outcome(&o, -EINVAL, "range");
	world_get(&w, "key", 0, 0, &o);
	assert_outcome(&o, -EINVAL, "range");
	world_get(&w, "key", WORLD_SIZE - 1, 1, &o);
	assert_outcome(&o, 0, "");
	assert_int_equal(fake_requests(w.server), 1);
	world_close(&w);
}

/* ---- corrections ---- */

static void a_get_goes_on_in_the_right_region(void **state)
{
	static const char *const answers[] = {
		ERROR("301 Moved", "", "PermanentRedirect", "<Region>eu-west-1</Region>"),
		ERROR("307 T", "x-amz-bucket-region: eu-west-1\r\n", "TemporaryRedirect", ""),
		ERROR("400 B", "", "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		struct script s = { .answers = { answers[i] } };
		struct outcome o;
		struct world w;

		world_open(&w, play, &s, NULL);
		world_get(&w, "key", 0, 10, &o);
		assert_outcome(&o, 0, "");
		assert_true(o.intact);
		assert_non_null(strstr(s.authorization[0], "/us-east-1/s3/"));
		assert_non_null(strstr(s.authorization[1], "/eu-west-1/s3/"));
		/* What was learned stays. */
		world_get(&w, "key", 0, 10, &o);
		assert_int_equal(fake_requests(w.server), 3);
		assert_non_null(strstr(s.authorization[2], "/eu-west-1/s3/"));
		world_close(&w);
	}
}

static void a_head_goes_on_in_the_right_region(void **state)
{
	struct script s = { .answers = { BARE("301 M", "x-amz-bucket-region: eu-west-1\r\n") } };
	struct script t = { .answers = { BARE("400 B", ""),
	                                 ERROR("400 B", "", "AuthorizationHeaderMalformed",
	                                       "<Region>eu-west-1</Region>") } };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, play, &s, NULL);
	world_head(&w, "key", &o);
	assert_outcome(&o, 0, "");
	assert_int_equal(fake_requests(w.server), 2);
	world_close(&w);
	world_open(&w, play, &t, NULL);
	world_head(&w, "key", &o);
	assert_outcome(&o, 0, "");
	assert_int_equal(fake_requests(w.server), 3);
	assert_string_equal(t.method[2], "HEAD");
	assert_non_null(strstr(t.authorization[2], "/eu-west-1/s3/"));
	world_close(&w);
}

static void regions_that_lead_nowhere_end(void **state)
{
	/* To and fro, the same again, none, and one that is no name. */
	struct script scripts[] = {
		{ .answers = { ERROR("301 M", "", "PermanentRedirect", "<Region>eu-west-1</Region>"),
		               ERROR("301 M", "", "PermanentRedirect", "<Region>us-west-2</Region>") } },
		{ .answers = { ERROR("301 M", "", "PermanentRedirect", "<Region>us-east-1</Region>") } },
		{ .answers = { ERROR("301 M", "", "PermanentRedirect", "") } },
		{ .answers = { ERROR("301 M", "", "PermanentRedirect", "<Region>evil.com/</Region>") } },
	};
	static const unsigned requests[] = { 2, 1, 1, 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		struct outcome o;
		struct world w;

		world_open(&w, play, &scripts[i], NULL);
		world_get(&w, "key", 0, 10, &o);
		assert_outcome(&o, -EIO, "region");
		if (i == 1)
			assert_outcome(&o, -EIO, "this isn't the bucket's endpoint; set endpoint_url");
		assert_int_equal(fake_requests(w.server), requests[i]);
		world_close(&w);
	}
}

static void a_wrong_clock_is_corrected(void **state)
{
	struct script s = { .answers = { ERROR("403 F", "Date: Fri, 24 May 2013 12:00:00 GMT\r\n",
	                                       "RequestTimeTooSkewed", "") } };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, play, &s, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, 0, "");
	assert_null(strstr(s.date[0], "20130524T"));
	assert_non_null(strstr(s.date[1], "20130524T"));
	assert_non_null(strstr(s.authorization[1], "/20130524/"));
	world_close(&w);
}

static void a_clock_that_stays_wrong_is_told(void **state)
{
	static const char skewed[] = ERROR("403 F", "Date: Fri, 24 May 2013 12:00:00 GMT\r\n",
	                                   "RequestTimeTooSkewed", "");
	struct script s = { .answers = { skewed, skewed, skewed } };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, play, &s, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, -EACCES, "clock");
	assert_int_equal(fake_requests(w.server), 2);
	world_close(&w);
}

/* ---- credentials that change ---- */

static char credentials[64];

static void write_credentials(const char *token)
{
	FILE *f = fopen(credentials, "w");

	assert_non_null(f);
	fprintf(f, "[work]\naws_access_key_id=AKIAWORK\naws_secret_access_key=work\n"
	        "aws_session_token=%s\n", token);
	assert_int_equal(fclose(f), 0);
}

static void open_with_file(struct world *w, fake_handler *handler, void *arg)
{
	const struct world_options o = { .profile = "work" };
	int fd;

	strcpy(credentials, "/tmp/test_s3.XXXXXX");
	fd = mkstemp(credentials);
	assert_true(fd >= 0);
	close(fd);
	setenv("AWS_SHARED_CREDENTIALS_FILE", credentials, 1);
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	write_credentials("old");
	world_open(w, handler, arg, &o);
}

static void close_with_file(struct world *w)
{
	world_close(w);
	unlink(credentials);
	unsetenv("AWS_SHARED_CREDENTIALS_FILE");
	unsetenv("AWS_CONFIG_FILE");
}

/* Refuses the old token until the file has a new one. */
static bool expire(struct fake_request *q, void *arg)
{
	char token[64];

	(void)arg;
	fake_header(q, "x-amz-security-token", token, sizeof(token));
	if (strcmp(token, "old") != 0)
		return strcmp(q->method, "HEAD") == 0 ? serve_head(q) : world_serve(q);
	if (strcmp(q->method, "HEAD") == 0)
		return fake_send(q, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
	fake_send(q, "%s", ERROR("400 Bad", "", "ExpiredToken", ""));
	return false;
}

static void an_expired_token_is_read_anew(void **state)
{
	struct pending p;
	struct outcome o;
	struct world w;

	(void)state;
	pending_init(&p);
	open_with_file(&w, expire, NULL);
	write_credentials("new");
	for (unsigned i = 0; i < 20; i++)
		pending_get(&p, &w, i, 10, false);
	pending_wait(&p, 20);
	assert_int_equal(p.failed, 0);
	world_head(&w, "key", &o);
	assert_outcome(&o, 0, "");
	close_with_file(&w);
	pending_done(&p);
}

static void a_head_with_an_expired_token_is_too(void **state)
{
	struct outcome o;
	struct world w;

	(void)state;
	open_with_file(&w, expire, NULL);
	write_credentials("new");
	world_head(&w, "key", &o);
	assert_outcome(&o, 0, "");
	/* HEAD, GET of one byte, HEAD. */
	assert_int_equal(fake_requests(w.server), 3);
	close_with_file(&w);
}

static void an_expired_token_without_a_newer_one_is_told(void **state)
{
	struct outcome o;
	struct world w;

	(void)state;
	open_with_file(&w, expire, NULL);
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, -EACCES, "expired");
	assert_outcome(&o, -EACCES, "shared credentials file");
	assert_null(strstr(o.why, "AKIAWORK"));
	assert_int_equal(fake_requests(w.server), 1);
	/* Later there is one. */
	write_credentials("new");
	world_get(&w, "key", 0, 10, &o);
	assert_outcome(&o, 0, "");
	close_with_file(&w);
}

/* ---- list ---- */

#define LIST(inside) \
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" \
	"<?xml version=\"1.0\"?><ListBucketResult>" inside "</ListBucketResult>"
#define OBJECT(key) "<Contents><Key>" key "</Key><Size>1</Size><ETag>e</ETag></Contents>"
#define PREFIX(key) "<CommonPrefixes><Prefix>" key "</Prefix></CommonPrefixes>"

static void a_page_is_sorted_and_relative_to_the_prefix(void **state)
{
	struct script s = { .answers = {
		LIST(OBJECT("in/b") OBJECT("in/") OBJECT("in/a.mp4") OBJECT("out/x") PREFIX("in/a/")
		     OBJECT("in/a-x") OBJECT("in/a")
		     "<Contents><Key>in/no-etag</Key><Size>1</Size></Contents>"),
	} };
	const struct world_options in = { .prefix = "in/" };
	const struct s3_listing all = { .prefix = "", .delimiter = true, .max_keys = 7 };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, play, &s, &in);
	world_list(&w, &all, &o);
	assert_outcome(&o, 0, "");
	assert_string_equal(o.names, "a|a-x|a.mp4|a/|b|");
	assert_string_equal(s.target[0], "/bucket?delimiter=%2F&encoding-type=url&list-type=2&"
	                    "max-keys=7&prefix=in%2F");
	assert_int_equal(stats_get(&w.stats, STAT_s3_list), 1);
	world_close(&w);
}

static void a_name_stands_once_in_a_page(void **state)
{
	struct script s = { .answers = {
		LIST(OBJECT("a") "<Contents><Key>b</Key><Size>1</Size><ETag>old</ETag>"
		     "<LastModified>2020-01-01T00:00:00Z</LastModified></Contents>"
		     "<Contents><Key>b</Key><Size>2</Size><ETag>new</ETag>"
		     "<LastModified>2021-01-01T00:00:00Z</LastModified></Contents>"
		     PREFIX("c/") PREFIX("c/")),
		LIST(OBJECT("b") OBJECT("a") "<IsTruncated>true</IsTruncated>"
		     "<NextContinuationToken>t</NextContinuationToken>"),
		LIST(OBJECT("b") OBJECT("c") PREFIX("a/") "<IsTruncated>true</IsTruncated>"
		     "<NextContinuationToken>t</NextContinuationToken>"),
	} };
	const struct s3_listing all = { .prefix = "", .delimiter = true };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, play, &s, NULL);
	world_list(&w, &all, &o);
	assert_string_equal(o.names, "a|b|c/|");
	assert_false(o.partial);  /* all there is, in whatever order */
	world_list(&w, &all, &o);
	assert_string_equal(o.names, "a|b|>t");
	assert_true(o.partial);
	world_list(&w, &all, &o);
	assert_string_equal(o.names, "a/|b|c|>t");
	assert_false(o.partial);
	world_close(&w);
}

static void pages_follow_their_token(void **state)
{
	struct script s = { .answers = {
		LIST(OBJECT("a") "<IsTruncated>true</IsTruncated>"
		     "<NextContinuationToken>t/1+=</NextContinuationToken>"),
		LIST(OBJECT("b") "<IsTruncated>true</IsTruncated>"
		     "<NextContinuationToken>t/1+=</NextContinuationToken>"),
	} };
	const struct s3_listing first = { .prefix = "" };
	const struct s3_listing second = { .prefix = "", .token = "t/1+=" };
	struct outcome o;
	struct world w;

	(void)state;
	world_open(&w, play, &s, NULL);
	world_list(&w, &first, &o);
	assert_string_equal(o.names, "a|>t/1+=");
	world_list(&w, &second, &o);
	/* The same token again would go on for ever. */
	assert_outcome(&o, -EPROTO, "");
	assert_non_null(strstr(s.target[1], "continuation-token=t%2F1%2B%3D&"));
	world_close(&w);
}

static void assert_list(const char *first, int err, const char *part, unsigned requests)
{
	struct script s = { .answers = { first, LIST(OBJECT("k")) } };
	const struct s3_listing all = { .prefix = "" };
	struct outcome o;
	struct world w;

	world_open(&w, play, &s, NULL);
	world_list(&w, &all, &o);
	assert_outcome(&o, err, part);
	assert_int_equal(fake_requests(w.server), requests);
	world_close(&w);
}

static void what_isnt_a_listing_is_refused(void **state)
{
	(void)state;
	assert_list("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>Sign in</html>", -EPROTO,
	            "S3 store", 1);
	assert_list(ERROR("404 N", "", "NoSuchBucket", ""), -ENOENT, "s3://bucket: no such bucket", 1);
	assert_list(BARE("404 N", ""), -ENOENT, "no such bucket", 1);
	assert_list(ERROR("403 F", "", "AccessDenied", ""), -EACCES, "s3:ListBucket", 1);
	/* A success that carries an error is retried. */
	assert_list(ERROR("200 OK", "", "InternalError", ""), 0, "", 2);
	assert_list(ERROR("200 OK", "", "SlowDown", ""), 0, "", 2);
}

/* ---- keys ---- */

static void keys_arrive_as_they_are(void **state)
{
	static const struct {
		const char *key;
		const char *target;
	} keys[] = {
		{ "a b+c%20.txt", "/bucket/p/a%20b%2Bc%2520.txt" },
		{ "../x/./y", "/bucket/p/../x/./y" },
		{ "/lead//double/", "/bucket/p//lead//double/" },
		{ "\xc3\xbc?#&=", "/bucket/p/%C3%BC%3F%23%26%3D" },
	};
	const struct world_options p = { .prefix = "p/" };

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct script s = { 0 };
		struct outcome o;
		struct world w;

		world_open(&w, play, &s, &p);
		world_head(&w, keys[i].key, &o);
		assert_outcome(&o, 0, "");
		assert_string_equal(s.target[0], keys[i].target);
		world_close(&w);
	}
}

static void keys_that_no_store_has_arent_asked_for(void **state)
{
	char key[S3_KEY_MAX + 2];
	struct script s = { 0 };
	struct outcome o;
	struct world w;

	(void)state;
	memset(key, 'k', sizeof(key));
	key[S3_KEY_MAX + 1] = '\0';
	world_open(&w, play, &s, NULL);
	world_head(&w, key, &o);
	assert_outcome(&o, -ENOENT, "1024");
	assert_int_equal(fake_requests(w.server), 0);
	key[S3_KEY_MAX] = '\0';
	world_head(&w, key, &o);
	assert_outcome(&o, 0, "");
	world_close(&w);
}

static void a_long_key_leaves_room_for_the_cause(void **state)
{
	char key[S3_KEY_MAX + 1];
	struct script s = { .answers = { BARE("404 N", "") } };
	struct outcome o;
	struct world w;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(key); i += 2)
		memcpy(key + i, "\xc3\xbc", 2);
	key[S3_KEY_MAX] = '\0';
	world_open(&w, play, &s, NULL);
	world_head(&w, key, &o);
	assert_outcome(&o, -ENOENT, "...\xc3\xbc");
	assert_outcome(&o, -ENOENT, "\xc3\xbc: no such key");
	world_close(&w);
}

/* ---- open ---- */

static void assert_open(const struct s3_options *o, int err, const char *part)
{
	char why[S3_WHY_MAX] = "";
	struct s3 *s3;

	assert_int_equal(s3_open(o, why, &s3), err);
	if (!strstr(why, part))
		fail_msg("'%s' isn't in '%s'", part, why);
}

static void bad_options_are_told_before_anything_starts(void **state)
{
	struct stats stats = { 0 };
	struct s3_options o = { .bucket = "b--use1-az4--x-s3", .prefix = "",
	                        .creds = { .access_key_id = "a", .secret_access_key = "s" }, .connections = 1, .timeout_ms = 1000,
	                        .stats = &stats };

	(void)state;
	assert_open(&o, -EINVAL, "directory bucket");
	o.bucket = "arn:aws:s3:us-east-1:1:accesspoint/x";
	assert_open(&o, -EINVAL, "access point");
	o.bucket = "";
	assert_open(&o, -EINVAL, "not the name of a bucket");
	o.bucket = "bucket";
	o.endpoint_url = "127.0.0.1:9000";
	assert_open(&o, -EINVAL, "127.0.0.1:9000");
	o.endpoint_url = NULL;
	o.region = "eu west";
	assert_open(&o, -EINVAL, "'eu west'");
	o.region = NULL;
	o.creds.secret_access_key = NULL;
	assert_open(&o, -EINVAL, "without secret_access_key");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_tells_size_time_and_etag),
		cmocka_unit_test(a_refused_heads_code_is_fetched_once),
		cmocka_unit_test(a_missing_key_costs_one_head),
		cmocka_unit_test(a_head_without_size_or_etag_is_refused),
		cmocka_unit_test(causes_stay_apart),
		cmocka_unit_test(a_range_outside_the_object_isnt_sent),
		cmocka_unit_test(a_get_goes_on_in_the_right_region),
		cmocka_unit_test(a_head_goes_on_in_the_right_region),
		cmocka_unit_test(regions_that_lead_nowhere_end),
		cmocka_unit_test(a_wrong_clock_is_corrected),
		cmocka_unit_test(a_clock_that_stays_wrong_is_told),
		cmocka_unit_test(an_expired_token_is_read_anew),
		cmocka_unit_test(a_head_with_an_expired_token_is_too),
		cmocka_unit_test(an_expired_token_without_a_newer_one_is_told),
		cmocka_unit_test(a_page_is_sorted_and_relative_to_the_prefix),
		cmocka_unit_test(a_name_stands_once_in_a_page),
		cmocka_unit_test(pages_follow_their_token),
		cmocka_unit_test(what_isnt_a_listing_is_refused),
		cmocka_unit_test(keys_arrive_as_they_are),
		cmocka_unit_test(keys_that_no_store_has_arent_asked_for),
		cmocka_unit_test(a_long_key_leaves_room_for_the_cause),
		cmocka_unit_test(bad_options_are_told_before_anything_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
