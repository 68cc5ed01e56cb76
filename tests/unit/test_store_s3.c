/* The S3 store behind store.h's table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/blob.h"
#include "s3_world.h"
#include "s3/s3.h"
#include "store/store.h"

struct seen {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* lock: */
	bool done;
	int err;
	char why[STORE_WHY_MAX];
	struct object_meta meta;
	char names[256];
	size_t len;
	bool intact;
};

static void finish(struct seen *s, int err, const char *why)
{
	pthread_mutex_lock(&s->lock);
	s->err = err;
	if (err)
		strcpy(s->why, why);
	s->done = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void wait_for(struct seen *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->done)
		pthread_cond_wait(&s->changed, &s->lock);
	s->done = false;
	pthread_mutex_unlock(&s->lock);
}

static void on_head(void *arg, int err, const char *why, const struct object_meta *meta)
{
	struct seen *s = arg;

	if (!err)
		s->meta = *meta;
	finish(s, err, why);
}

static void on_list(void *arg, int err, const char *why, const struct store_page *page)
{
	struct seen *s = arg;

	s->names[0] = '\0';
	for (size_t i = 0; !err && i < page->n; i++) {
		strcat(s->names, page->entries[i].name);
		strcat(s->names, page->entries[i].is_prefix ? " prefix|" : "|");
		s->meta = page->entries[i].meta;
	}
	if (!err && page->next)
		strcat(s->names, page->next);
	finish(s, err, why);
}

static void on_get(void *arg, int err, const char *why, struct blob *body)
{
	struct seen *s = arg;

	if (!err) {
		s->len = blob_len(body);
		s->intact = true;
		for (size_t i = 0; i < s->len; i++)
			s->intact = s->intact && blob_data(body)[i] == world_byte(100 + i);
	}
	finish(s, err, why);
}

static bool serve(struct fake_request *q, void *arg)
{
	static const char listing[] =
		"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
		"</NextContinuationToken><Contents><Key>p/k</Key><Size>9</Size><ETag>e</ETag></Contents>"
		"<CommonPrefixes><Prefix>p/d/</Prefix></CommonPrefixes></ListBucketResult>";

	(void)arg;
	if (strcmp(q->method, "HEAD") == 0 && strcmp(q->target, "/bucket/p/key") == 0)
		return fake_send(q, "HTTP/1.1 200 OK\r\nETag: \"" WORLD_ETAG "\"\r\nContent-Length: %u\r\n"
		                 "Last-Modified: Fri, 24 May 2013 00:00:00 GMT\r\n\r\n", WORLD_SIZE);
	if (strcmp(q->target, "/bucket/p/key") == 0)
		return world_serve(q);
	if (strstr(q->target, "list-type=2"))
		return fake_send(q, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(listing),
		                 listing);
	return world_send_error(q, 404, "", "NoSuchKey");
}

static bool no_bucket(struct fake_request *q, void *arg)
{
	(void)arg;
	return world_send_error(q, 404, "", "NoSuchBucket");
}

static struct store *open_store(struct fake_http *server, struct stats *stats)
{
	char url[64];
	char why[STORE_WHY_MAX];
	const struct s3_options o = { .bucket = "bucket", .prefix = "p/", .endpoint_url = url,
	                                    .creds = { .access_key_id = "A", .secret_access_key = "s" },
	                                    .connections = 2, .timeout_ms = 10000, .max_attempts = 1 };
	struct store *store;

	unsetenv("http_proxy");
	unsetenv("AWS_PROFILE");
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", fake_http_port(server));
	if (store_s3_open(&o, stats, why, &store) != 0)
		fail_msg("%s", why);
	return store;
}

static void the_table_reaches_the_bucket(void **state)
{
	struct fake_http *server = fake_http_start(serve, NULL);
	struct stats stats = { 0 };
	struct store *store = open_store(server, &stats);
	struct seen s = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	const struct store_list all = { .prefix = "", .delimiter = true };
	char why[STORE_WHY_MAX] = "";

	(void)state;
	assert_int_equal(store_check(store, why), 0);
	store_head(store, "key", on_head, &s);
	wait_for(&s);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.meta.size, WORLD_SIZE);
	assert_string_equal(s.meta.etag, WORLD_ETAG);
	assert_true(s.meta.mtime_ns == INT64_C(1369353600000000000));
	store_get(store, "key", &s.meta, 100, 5000, STORE_AHEAD, on_get, &s);
	wait_for(&s);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.len, 5000);
	assert_true(s.intact);
	store_list(store, &all, on_list, &s);
	wait_for(&s);
	assert_int_equal(s.err, 0);
	assert_string_equal(s.names, "d/ prefix|k|t");
	assert_int_equal(s.meta.size, 9);
	assert_string_equal(s.meta.etag, "e");
	store_head(store, "other", on_head, &s);
	wait_for(&s);
	assert_int_equal(s.err, -ENOENT);
	assert_non_null(strstr(s.why, "s3://bucket/p/other"));
	store_free(store);
	fake_http_stop(server);
}

static void check_says_what_is_wrong(void **state)
{
	struct fake_http *server = fake_http_start(no_bucket, NULL);
	struct stats stats = { 0 };
	struct store *store = open_store(server, &stats);
	char why[STORE_WHY_MAX] = "";

	(void)state;
	assert_int_equal(store_check(store, why), -ENOENT);
	assert_non_null(strstr(why, "s3://bucket: no such bucket (HTTP 404 NoSuchBucket)"));
	fake_http_stop(server);
	assert_int_equal(store_check(store, why), -EIO);
	assert_non_null(strstr(why, "cannot connect: Connection refused"));
	store_free(store);
}

static void after_cancel_all_is_canceled(void **state)
{
	struct fake_http *server = fake_http_start(serve, NULL);
	struct stats stats = { 0 };
	struct store *store = open_store(server, &stats);
	struct seen s = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	char why[STORE_WHY_MAX] = "";

	(void)state;
	store_cancel(store);
	store_head(store, "key", on_head, &s);
	wait_for(&s);
	assert_int_equal(s.err, -ECANCELED);
	assert_int_equal(store_check(store, why), -ECANCELED);
	store_free(store);
	fake_http_stop(server);
}

static void bad_options_are_told(void **state)
{
	const struct s3_options o = { .bucket = "bucket", .prefix = "",
	                                    .endpoint_url = "nonsense", .connections = 1,
	                                    .timeout_ms = 1000 };
	struct stats stats = { 0 };
	char why[STORE_WHY_MAX] = "";
	struct store *store;

	(void)state;
	assert_int_equal(store_s3_open(&o, &stats, why, &store), -EINVAL);
	assert_non_null(strstr(why, "'nonsense'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_reaches_the_bucket),
		cmocka_unit_test(check_says_what_is_wrong),
		cmocka_unit_test(after_cancel_all_is_canceled),
		cmocka_unit_test(bad_options_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
