#include "net/document.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct asked {
	struct http_request http;
	struct document *d;
	char host[HTTP_HOST_SIZE];
	uint16_t port;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	/* lock: */
	bool done;
};

static struct asked *from_http(struct http_request *r)
{
	return (struct asked *)((char *)r - offsetof(struct asked, http));
}

/* HOST and PORT of a URL without name and password. */
static int parse(const char *url, struct asked *c)
{
	const bool https = strncmp(url, "https://", 8) == 0;
	const char *host = url + (https ? 8 : 7);
	const char *end, *port;
	uint64_t number = https ? 443 : 80;
	size_t len;

	if (!https && strncmp(url, "http://", 7) != 0)
		return -EINVAL;
	end = host + strcspn(host, "/?#");
	if (memchr(host, '@', (size_t)(end - host)))
		return -EINVAL;
	port = memchr(host, ':', (size_t)(end - host));
	if (host[0] == '[') {
		const char *close = memchr(host, ']', (size_t)(end - host));

		if (!close || (close + 1 != end && close[1] != ':'))
			return -EINVAL;
		port = close + 1 == end ? NULL : close + 1;
		len = (size_t)(close - ++host);
	} else {
		len = (size_t)((port ? port : end) - host);
	}
	if (len == 0 || len >= sizeof(c->host))
		return -EINVAL;
	if (port) {
		char digits[8];
		size_t n = (size_t)(end - port) - 1;

		if (n == 0 || n >= sizeof(digits))
			return -EINVAL;
		memcpy(digits, port + 1, n);
		digits[n] = '\0';
		if (text_parse_uint(digits, 1, UINT16_MAX, &number) < 0)
			return -EINVAL;
	}
	memcpy(c->host, host, len);
	c->host[len] = '\0';
	c->port = (uint16_t)number;
	return 0;
}

/* ---- hooks of http ---- */

static int on_prepare(struct http_request *r, struct http_message *m)
{
	const struct asked *c = from_http(r);

	memcpy(m->host, c->host, sizeof(m->host));
	m->port = c->port;
	m->url = strdup(c->d->url);
	if (!m->url)
		return -ENOMEM;
	for (const char *const *line = c->d->headers; line && *line; line++) {
		if (m->n_headers == HTTP_HEADERS_MAX || !(m->headers[m->n_headers] = strdup(*line)))
			return -ENOMEM;
		m->n_headers++;
	}
	return 0;
}

static enum http_body on_accept(struct http_request *r)
{
	(void)r;
	return HTTP_BODY_TEXT;
}

static void on_done(struct http_request *r, enum http_result result)
{
	struct asked *c = from_http(r);

	pthread_mutex_lock(&c->lock);
	c->d->result = result;
	c->done = true;
	pthread_cond_signal(&c->ended);
	pthread_mutex_unlock(&c->lock);
}

static const struct http_hooks hooks = { .prepare = on_prepare, .accept = on_accept, .done = on_done };

static int to_errno(enum http_result result)
{
	switch (result) {
	case HTTP_OK:
		return 0;
	case HTTP_DEADLINE:
		return -ETIMEDOUT;
	case HTTP_CANCELED:
		return -ECANCELED;
	case HTTP_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int document_get(struct http *h, struct document *d)
{
	struct asked *c;
	int err;

	d->result = HTTP_OK;
	memset(&d->reply, 0, sizeof(d->reply));
	buf_init(&d->body, d->body_max);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	err = parse(d->url, c);
	if (err) {
		free(c);
		return err;
	}
	c->d = d;
	c->http.hooks = &hooks;
	c->http.method = HTTP_GET;
	c->http.prio = HTTP_DEMAND;
	c->http.counter = d->counter;
	c->http.text_cap = d->body_max;
	c->http.is_aside = true;
	c->http.deadline_ms = clock_ms() + d->timeout_ms;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->ended, NULL);
	http_submit(h, &c->http);
	pthread_mutex_lock(&c->lock);
	while (!c->done)
		pthread_cond_wait(&c->ended, &c->lock);
	pthread_mutex_unlock(&c->lock);
	d->reply = c->http.reply;
	buf_done(&d->body);
	d->body = c->http.text;
	err = to_errno(d->result);
	pthread_cond_destroy(&c->ended);
	pthread_mutex_destroy(&c->lock);
	free(c);
	return err;
}
