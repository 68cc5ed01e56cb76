#include "fake_http.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256

struct connection {
	struct fake_http *server;
	pthread_t thread;
	int fd;
	unsigned number;
};

struct fake_http {
	fake_handler *handler;
	void *arg;
	int listener;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* lock: */
	bool released;
	bool stopped;
	unsigned requests;
	unsigned held;
	unsigned most_held;
	unsigned n_connections;
	struct connection connections[CONNECTIONS_MAX];
};

static void die(const char *what)
{
	perror(what);
	abort();
}

/* Reads up to the blank line after the headers; requests have no bodies. */
static bool read_request(struct fake_request *q)
{
	char text[16384];
	size_t len = 0;
	char *rest;

	while (len < 4 || memcmp(text + len - 4, "\r\n\r\n", 4) != 0) {
		if (len + 1 >= sizeof(text) || recv(q->fd, text + len, 1, 0) != 1)
			return false;
		len++;
	}
	text[len] = '\0';
	rest = strstr(text, "\r\n");
	if (sscanf(text, "%15s %4095s", q->method, q->target) != 2)
		return false;
	snprintf(q->headers, sizeof(q->headers), "%s", rest);
	return true;
}

static void *serve_connection(void *arg)
{
	struct connection *c = arg;
	struct fake_http *s = c->server;
	struct fake_request *q = calloc(1, sizeof(*q));
	bool more = true;

	if (!q)
		die("calloc");
	while (more) {
		memset(q, 0, sizeof(*q));
		q->server = s;
		q->fd = c->fd;
		q->connection = c->number;
		if (!read_request(q))
			break;
		pthread_mutex_lock(&s->lock);
		q->number = ++s->requests;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		more = s->handler(q, s->arg);
	}
	free(q);
	pthread_mutex_lock(&s->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void add_connection(struct fake_http *s, int fd)
{
	const int on = 1;
	struct connection *c;

	/* Handlers write in pieces; Nagle's 40 ms would be most of a test. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	pthread_mutex_lock(&s->lock);
	if (s->stopped || s->n_connections == CONNECTIONS_MAX) {
		close(fd);
	} else {
		c = &s->connections[s->n_connections++];
		*c = (struct connection){ .server = s, .fd = fd, .number = s->n_connections };
		if (pthread_create(&c->thread, NULL, serve_connection, c) != 0)
			die("pthread_create");
	}
	pthread_mutex_unlock(&s->lock);
}

static void *accept_all(void *arg)
{
	struct fake_http *s = arg;
	int fd;

	while ((fd = accept(s->listener, NULL, NULL)) >= 0)
		add_connection(s, fd);
	return NULL;
}

struct fake_http *fake_http_start(fake_handler *handler, void *arg)
{
	struct fake_http *s = calloc(1, sizeof(*s));
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	if (!s)
		die("calloc");
	s->handler = handler;
	s->arg = arg;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(s->listener, 128) < 0 || getsockname(s->listener, (struct sockaddr *)&at, &len) < 0)
		die("listen");
	s->port = ntohs(at.sin_port);
	if (pthread_create(&s->thread, NULL, accept_all, s) != 0)
		die("pthread_create");
	return s;
}

unsigned fake_http_port(const struct fake_http *s)
{
	return s->port;
}

void fake_http_stop(struct fake_http *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopped = true;
	s->released = true;
	pthread_cond_broadcast(&s->changed);
	for (unsigned i = 0; i < s->n_connections; i++) {
		if (s->connections[i].fd >= 0)
			shutdown(s->connections[i].fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&s->lock);
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	for (unsigned i = 0; i < s->n_connections; i++)
		pthread_join(s->connections[i].thread, NULL);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

bool fake_send_data(const struct fake_request *q, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(q->fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

bool fake_send(const struct fake_request *q, const char *fmt, ...)
{
	char text[8192];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		die("fake_send");
	return fake_send_data(q, text, (size_t)n);
}

void fake_header(const struct fake_request *q, const char *name, char *ret, size_t size)
{
	char start[128];
	const char *at;
	size_t len;

	snprintf(start, sizeof(start), "\r\n%s: ", name);
	at = strcasestr(q->headers, start);
	at = at ? at + strlen(start) : "";
	len = strcspn(at, "\r");
	snprintf(ret, size, "%.*s", (int)len, at);
}

void fake_reset(const struct fake_request *q)
{
	const struct linger now = { 1, 0 };

	setsockopt(q->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void fake_hold(const struct fake_request *q)
{
	struct fake_http *s = q->server;

	pthread_mutex_lock(&s->lock);
	s->held++;
	if (s->held > s->most_held)
		s->most_held = s->held;
	pthread_cond_broadcast(&s->changed);
	while (!s->released)
		pthread_cond_wait(&s->changed, &s->lock);
	s->held--;
	pthread_mutex_unlock(&s->lock);
}

void fake_release(struct fake_http *s)
{
	pthread_mutex_lock(&s->lock);
	s->released = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void fake_wait_held(struct fake_http *s, unsigned n)
{
	pthread_mutex_lock(&s->lock);
	while (s->held < n)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static unsigned get_count(struct fake_http *s, const unsigned *field)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = *field;
	pthread_mutex_unlock(&s->lock);
	return n;
}

unsigned fake_requests(struct fake_http *s)
{
	return get_count(s, &s->requests);
}

unsigned fake_connections(struct fake_http *s)
{
	return get_count(s, &s->n_connections);
}

unsigned fake_most_held(struct fake_http *s)
{
	return get_count(s, &s->most_held);
}
