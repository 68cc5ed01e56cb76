#include "s3/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETAG_QUOTED_SIZE 256

struct headers {
	struct sigv4_pair list[SIGV4_PAIRS_MAX];
	size_t n;
};

static void add(struct headers *h, const char *name, const char *value)
{
	if (value)
		h->list[h->n++] = (struct sigv4_pair){ name, value };
}

static int add_line(struct http_message *m, const char *name, const char *value)
{
	char *line;

	if (asprintf(&line, "%s: %s", name, value) < 0)
		return -ENOMEM;
	m->headers[m->n_headers++] = line;
	return 0;
}

/* Keys keep every byte: double slashes, dots, a slash at the begin or end. */
static char *encoded_path(const struct target *t, const char *key)
{
	char *raw;
	char *encoded;

	if (asprintf(&raw, "%s%s%s", t->root, key || !t->root[0] ? "/" : "", key ? key : "") < 0)
		return NULL;
	encoded = sigv4_path(raw, false);
	free(raw);
	return encoded;
}

static int sign(const struct request *q, const struct headers *h, const char *path,
                const char *query, struct http_message *m)
{
	const struct sigv4_request r = {
		.method = q->method == HTTP_HEAD ? "HEAD" : "GET",
		.path = path,
		.query = query,
		.headers = h->list,
		.n_headers = h->n,
		.payload_sha256 = SIGV4_EMPTY_SHA256,
	};
	const struct sigv4_scope scope = { q->date, q->region, "s3" };
	char *value = sigv4_authorization(&r, &scope, q->creds->access_key_id,
	                                  q->creds->secret_access_key);
	int err = value ? add_line(m, "Authorization", value) : -ENOMEM;

	free(value);
	return err;
}

static int build(const struct request *q, const struct target *t, const char *path,
                 const char *query, struct http_message *m)
{
	struct headers h = { 0 };
	char quoted[ETAG_QUOTED_SIZE];
	int err = 0;

	if (q->if_match)
		snprintf(quoted, sizeof(quoted), "\"%s\"", q->if_match);
	add(&h, "Range", q->range);
	add(&h, "If-Match", q->if_match ? quoted : NULL);
	if (q->creds) {
		add(&h, "x-amz-content-sha256", SIGV4_EMPTY_SHA256);
		add(&h, "x-amz-date", q->date);
		add(&h, "x-amz-security-token", q->creds->session_token);
	}
	for (size_t i = 0; !err && i < h.n; i++)
		err = add_line(m, h.list[i].name, h.list[i].value);
	/* curl makes this header, from the same authority. */
	add(&h, "Host", t->authority);
	if (!err && q->creds)
		err = sign(q, &h, path, query, m);
	if (!err && asprintf(&m->url, "%s://%s%s%s%s", q->endpoint->https ? "https" : "http",
	                     t->authority, path, query[0] ? "?" : "", query) < 0) {
		m->url = NULL;
		err = -ENOMEM;
	}
	return err;
}

int request_build(const struct request *q, struct http_message *ret_message)
{
	struct target t;
	char *path;
	char *query;
	int err = -ENOMEM;

	endpoint_target(q->endpoint, q->region, &t);
	snprintf(ret_message->host, sizeof(ret_message->host), "%s", t.host);
	ret_message->port = t.port;
	path = encoded_path(&t, q->key);
	query = sigv4_query(q->params, q->n_params);
	if (path && query)
		err = build(q, &t, path, query, ret_message);
	free(path);
	free(query);
	return err;
}
