/* fake_http.h - an HTTP server inside a test: real sockets, one thread a
 * connection, a handler that may break every rule. */
#ifndef S3SAMPLEFS_TESTS_FAKE_HTTP_H
#define S3SAMPLEFS_TESTS_FAKE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct fake_http;

struct fake_request {
	struct fake_http *server;
	int fd;
	unsigned number;        /* of all requests, from 1 */
	unsigned connection;    /* from 1 */
	char method[16];
	char target[4096];
	char headers[12000];    /* "\r\nName: value\r\n..." */
};

/* Answers one request by writing to q->fd, on a thread of the connection.
 * Returns whether the connection goes on. */
typedef bool fake_handler(struct fake_request *q, void *arg);

/* Listens on 127.0.0.1. Ends the program where it can't. */
struct fake_http *fake_http_start(fake_handler *handler, void *arg);
unsigned fake_http_port(const struct fake_http *s);

/* Ends every fake_hold and every connection, waits for the threads. */
void fake_http_stop(struct fake_http *s);

/* ---- for handlers ---- */

/* Writes a formatted text; false: the client is gone. */
bool fake_send(const struct fake_request *q, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
bool fake_send_data(const struct fake_request *q, const void *data, size_t len);

/* Copies a header's value, "" if it isn't there. */
void fake_header(const struct fake_request *q, const char *name, char *ret, size_t size);

/* The next close sends RST. */
void fake_reset(const struct fake_request *q);

/* Waits until fake_release or fake_http_stop. */
void fake_hold(const struct fake_request *q);

/* ---- for tests ---- */

/* Lets all holds, also later ones, go on. */
void fake_release(struct fake_http *s);

/* Waits until n requests at once are being held. */
void fake_wait_held(struct fake_http *s, unsigned n);

unsigned fake_requests(struct fake_http *s);
unsigned fake_connections(struct fake_http *s);
unsigned fake_most_held(struct fake_http *s);  /* at once, so far */

#endif
