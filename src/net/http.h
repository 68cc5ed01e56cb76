/* http.h - many HTTP requests on one thread: queues, deadlines, connections.
 * The transfers themselves are transfer.h's, the only file that knows libcurl.
 *
 * Knows nothing of S3: whoever asks embeds a struct http_request and gives the
 * hooks that make the message when it is sent, judge the reply's headers before
 * its body is received, and take the result. Requests that somebody waits for
 * go before those made ahead, which moreover never take all connections.
 *
 * A request's deadline runs from when it is first served and goes on through the
 * attempts for which it is submitted again. To wait in line counts only while nobody is
 * answered: once nothing has been for timeout_ms, all who wait have waited too long. A
 * transfer so slow that it would miss its deadline counts as stalled. Once nothing but
 * failures has come for timeout_ms the server counts as down (breaker.h): requests fail
 * within a second, but for one at a time, whose headers end it. Time in which
 * the thread itself stood still counts for none of this. Redirects are not followed,
 * HTTP/1.1 is spoken, certificates are always verified. */
#ifndef S3SAMPLEFS_NET_HTTP_H
#define S3SAMPLEFS_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/stats.h"
#include "net/timers.h"

#define HTTP_HOST_SIZE 512
#define HTTP_HEADERS_MAX 16
#define HTTP_EXTRA_MAX 2

enum http_method { HTTP_GET, HTTP_HEAD };

enum http_prio { HTTP_DEMAND, HTTP_AHEAD };

enum http_result {
	HTTP_OK,         /* a whole reply arrived, whatever its status */
	HTTP_RESOLVE,    /* the host's name isn't found now */
	HTTP_NO_HOST,    /* there is no such name */
	HTTP_CONNECT,    /* refused, unreachable, or no connection in time */
	HTTP_PROXY,      /* the proxy refused to connect us, with reply.status */
	HTTP_TLS,        /* the handshake failed */
	HTTP_CERT,       /* the server's certificate isn't to be trusted, or the CA bundle is bad */
	HTTP_RESET,      /* the connection broke before the reply was whole */
	HTTP_STALL,      /* nothing came for stall_ms, or so little that it would miss the deadline */
	HTTP_SHORT,      /* the body ended before Content-Length */
	HTTP_TOO_LONG,   /* body or headers longer than they may be; cut off */
	HTTP_EXCESS,     /* a body for into is longer than into_cap; cut off, into_len is 0 */
	HTTP_REFUSED,    /* accept said so; cut off */
	HTTP_GARBLED,    /* not HTTP */
	HTTP_DEADLINE,   /* the deadline passed */
	HTTP_DOWN,       /* not sent: the server is down */
	HTTP_NOMEM,
	HTTP_CANCELED,   /* http_stop */
};

/* What is kept of a reply; "" or -1 where it wasn't there or didn't fit. */
struct http_reply {
	int status;              /* 0: none arrived */
	int64_t content_length;
	char etag[160];
	char content_range[80];
	char content_length_text[24];
	char last_modified[48];
	char date[48];
	char retry_after[48];
	char extra[HTTP_EXTRA_MAX][64];  /* the headers that hooks name */
	char detail[96];         /* the transport's own words for a failure */
};

/* Where a body goes. */
enum http_body { HTTP_BODY_INTO, HTTP_BODY_TEXT, HTTP_BODY_REFUSE };

/* Made by prepare: malloc'd strings, taken over by http. */
struct http_message {
	char *url;
	char *headers[HTTP_HEADERS_MAX];  /* "Name: value"; Host comes from the URL */
	size_t n_headers;
	char host[HTTP_HOST_SIZE];        /* of the URL, IPv6 without brackets */
	uint16_t port;
};

struct http_request;

/* All are called on http's thread with no lock held, and must not block; done
 * also on the submitting thread, once http was stopped. */
struct http_hooks {
	/* A slot is there: fills ret (zeroed before; kept also on failure) and may
	 * set into and into_cap. Returns 0 or -ENOMEM. */
	int (*prepare)(struct http_request *r, struct http_message *ret);
	/* The headers of a GET's reply are there, in r->reply. */
	enum http_body (*accept)(struct http_request *r);
	/* http doesn't touch r after this call: it may be freed or submitted again. */
	void (*done)(struct http_request *r, enum http_result result);
	const char *extra[HTTP_EXTRA_MAX];  /* further headers of replies that are kept; NULL: none */
};

/* The caller's, from zeroed memory; not touched between http_submit and done. */
struct http_request {
	const struct http_hooks *hooks;
	enum http_method method;
	enum http_prio prio;
	enum stat_id counter;    /* counts the requests that were sent */
	uint64_t delay_ms;       /* to wait before it is sent */
	uint64_t deadline_ms;    /* clock_ms; 0 until it is served for the first time */
	uint8_t *into;           /* bodies that accept sends here: at most into_cap bytes */
	size_t into_cap;
	size_t text_cap;         /* of all other bodies */
	bool is_aside;           /* to another server than most: it neither counts for whether that
	                          * is down, nor is turned away then. Has a deadline of its own */

	/* Results. */
	struct http_reply reply;
	const char *proxy;       /* through which it went, for a person; NULL: none. http's. With
	                          * HTTP_DOWN: that can't be reached */
	size_t into_len;
	struct buf text;         /* the caller calls buf_done */

	/* http's own. */
	TAILQ_ENTRY(http_request) link;
	struct timer timer;
	struct transfer *transfer;   /* held while resolving and running */
	uint64_t queued_ms;          /* when it got in line */
	uint64_t asked_ms;           /* when it began to resolve */
	enum { HTTP_IDLE, HTTP_DELAYED, HTTP_QUEUED, HTTP_RESOLVING, HTTP_RUNNING } state;
};

struct http_options {
	unsigned connections;    /* most at once, 1 to 1024 */
	uint64_t timeout_ms;     /* deadline of a request from when it is served */
	const char *ca_bundle;   /* NULL: the system's */
	struct stats *stats;
	enum stat_id stat_bytes, stat_connections;  /* what counts bodies' bytes, and connections */
};

struct http;

/* Starts the thread. Returns 0, -EAGAIN (no thread) or -ENOMEM. Proxies are
 * taken from the environment (proxy.h). */
int http_new(const struct http_options *o, struct http **ret_http);

/* Ends every request, and all that are submitted later, with HTTP_CANCELED.
 * Doesn't wait. Any thread, also a hook. */
void http_stop(struct http *h);

/* http_stop, and waits for the thread. Not from a hook. NULL allowed. */
void http_free(struct http *h);

/* Any thread, also a hook. Never blocks. Resets the results. done is called
 * exactly once. */
void http_submit(struct http *h, struct http_request *r);

/* How long nothing may come before a transfer counts as stalled, and how long
 * connecting may take: a quarter of the timeout, 1 to 20 s. */
uint64_t http_stall_ms(uint64_t timeout_ms);

/* "HTTP_STALL" -> "the transfer stalled", ...: what happened, for a sentence. */
const char *http_result_text(enum http_result result);

#endif
