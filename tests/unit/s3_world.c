#include "s3_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/blob.h"

static void clear_environment(bool keep_files)
{
	static const char *const variables[] = {
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
		"AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
		"AWS_ENDPOINT_URL_S3", "AWS_MAX_ATTEMPTS", "AWS_CA_BUNDLE", "http_proxy", "https_proxy",
		"HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
	};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	if (!keep_files) {
		setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
		setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	}
}

void world_open(struct world *w, fake_handler *handler, void *arg, const struct world_options *o)
{
	static const struct world_options plain;
	char url[128];
	char why[S3_WHY_MAX] = "";
	struct s3_options options = { .bucket = "bucket", .endpoint_url = url, .stats = &w->stats };

	if (!o)
		o = &plain;
	clear_environment(o->profile);
	if (o->http_proxy) {
		setenv("http_proxy", o->http_proxy, 1);
		setenv("https_proxy", o->http_proxy, 1);
	}
	memset(w, 0, sizeof(*w));
	w->server = fake_http_start(handler, arg);
	snprintf(url, sizeof(url), "http://%s:%u", o->host ? o->host : "127.0.0.1",
	         fake_http_port(w->server));
	if (o->url)
		options.endpoint_url = o->url;
	options.prefix = o->prefix ? o->prefix : "";
	options.creds.profile = o->profile;
	options.creds.access_key_id = o->profile ? NULL : "AKIATEST";
	options.creds.secret_access_key = o->profile ? NULL : "secret";
	options.connections = o->connections ? o->connections : 8;
	options.max_attempts = o->attempts ? o->attempts : 4;
	options.timeout_ms = o->timeout_ms ? o->timeout_ms : 10000;
	if (s3_open(&options, why, &w->s3) != 0)
		fail_msg("%s", why);
}

void world_close(struct world *w)
{
	s3_free(w->s3);
	if (w->server)
		fake_http_stop(w->server);
	memset(w, 0, sizeof(*w));
}

uint8_t world_byte(uint64_t i)
{
	return (uint8_t)((uint32_t)i * 2654435761u >> 13);
}

bool world_range(const struct fake_request *q, uint64_t *ret_first, uint64_t *ret_last)
{
	unsigned long long first;
	unsigned long long last;
	char range[64];

	fake_header(q, "Range", range, sizeof(range));
	if (sscanf(range, "bytes=%llu-%llu", &first, &last) != 2)
		return false;
	*ret_first = first;
	*ret_last = last;
	return true;
}

bool world_send_head(const struct fake_request *q, uint64_t first, uint64_t last)
{
	return fake_send(q, "HTTP/1.1 206 Partial Content\r\nETag: \"" WORLD_ETAG "\"\r\n"
	                 "Content-Range: bytes %llu-%llu/%u\r\nContent-Length: %llu\r\n\r\n",
	                 (unsigned long long)first, (unsigned long long)last, WORLD_SIZE,
	                 (unsigned long long)(last - first + 1));
}

bool world_send_bytes(const struct fake_request *q, uint64_t first, size_t len)
{
	uint8_t *data = malloc(len ? len : 1);
	bool sent;

	for (size_t i = 0; i < len; i++)
		data[i] = world_byte(first + i);
	sent = fake_send_data(q, data, len);
	free(data);
	return sent;
}

bool world_serve(const struct fake_request *q)
{
	uint64_t first;
	uint64_t last;

	return world_range(q, &first, &last) && world_send_head(q, first, last) &&
	       world_send_bytes(q, first, (size_t)(last - first + 1));
}

bool world_send_error(const struct fake_request *q, int status, const char *headers,
                      const char *code)
{
	char body[512] = "";

	if (code[0])
		snprintf(body, sizeof(body), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>"
		         "<Code>%s</Code><Message>says the test</Message></Error>", code);
	return fake_send(q, "HTTP/1.1 %d Test\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
	                 strlen(body), strcmp(q->method, "HEAD") == 0 ? "" : body);
}

/* ---- calls that wait ---- */

void pending_init(struct pending *p)
{
	memset(p, 0, sizeof(*p));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
}

void pending_done(struct pending *p)
{
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
}

void pending_wait(struct pending *p, unsigned finished)
{
	pthread_mutex_lock(&p->lock);
	while (p->finished < finished)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

struct call {
	struct pending *pending;
	uint64_t off;
	bool ahead;
};

static void finish(struct call *c, const struct outcome *o)
{
	struct pending *p = c->pending;

	pthread_mutex_lock(&p->lock);
	p->last = *o;
	p->finished++;
	p->ahead_finished += c->ahead;
	p->failed += o->err != 0;
	p->canceled += o->err == -ECANCELED;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	free(c);
}

static struct call *begin(struct pending *p, uint64_t off, bool ahead)
{
	struct call *c = calloc(1, sizeof(*c));

	*c = (struct call){ p, off, ahead };
	pthread_mutex_lock(&p->lock);
	p->started++;
	pthread_mutex_unlock(&p->lock);
	return c;
}

static struct outcome outcome(int err, const char *why)
{
	struct outcome o = { .err = err };

	if (err)
		snprintf(o.why, sizeof(o.why), "%s", why);
	return o;
}

static void on_get(void *arg, int err, const char *why, struct blob *body)
{
	struct call *c = arg;
	struct outcome o = outcome(err, why);

	if (!err) {
		o.len = blob_len(body);
		o.intact = true;
		for (size_t i = 0; i < o.len; i++)
			o.intact = o.intact && blob_data(body)[i] == world_byte(c->off + i);
	}
	finish(c, &o);
}

static void start_get(struct pending *p, struct world *w, const char *key, const struct s3_range *r)
{
	const struct s3_object version = { .size = WORLD_SIZE, .etag = WORLD_ETAG };

	s3_get(w->s3, key, &version, r, on_get, begin(p, r->off, r->ahead));
}

void pending_get(struct pending *p, struct world *w, uint64_t off, size_t len, bool ahead)
{
	const struct s3_range r = { off, len, ahead };

	start_get(p, w, "key", &r);
}

static void wait_for_one(struct pending *p, struct outcome *ret)
{
	pending_wait(p, 1);
	*ret = p->last;
	pending_done(p);
}

void world_get(struct world *w, const char *key, uint64_t off, size_t len, struct outcome *ret)
{
	const struct s3_range r = { off, len, false };
	struct pending p;

	pending_init(&p);
	start_get(&p, w, key, &r);
	wait_for_one(&p, ret);
}

static void on_head(void *arg, int err, const char *why, const struct s3_object *object)
{
	struct outcome o = outcome(err, why);

	if (!err)
		o.object = *object;
	finish(arg, &o);
}

void world_head(struct world *w, const char *key, struct outcome *ret)
{
	struct pending p;

	pending_init(&p);
	s3_head(w->s3, key, on_head, begin(&p, 0, false));
	wait_for_one(&p, ret);
}

static void on_list(void *arg, int err, const char *why, const struct s3_page *page)
{
	struct outcome o = outcome(err, why);
	size_t len = 0;

	for (size_t i = 0; !err && i < page->n; i++)
		len += (size_t)snprintf(o.names + len, sizeof(o.names) - len, "%s|", page->entries[i].name);
	o.partial = !err && page->partial;
	if (!err && page->next)
		snprintf(o.names + len, sizeof(o.names) - len, ">%s", page->next);
	finish(arg, &o);
}

void world_list(struct world *w, const struct s3_listing *l, struct outcome *ret)
{
	struct pending p;

	pending_init(&p);
	s3_list(w->s3, l, on_list, begin(&p, 0, false));
	wait_for_one(&p, ret);
}

void assert_outcome(const struct outcome *o, int err, const char *part)
{
	if (o->err != err || !strstr(o->why, part))
		fail_msg("%d '%s', not %d '%s'", o->err, o->why, err, part);
}
