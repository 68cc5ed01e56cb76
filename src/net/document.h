/* document.h - one small document over HTTP, waited for. For threads that may wait, such as
 * that of credentials; never on http's own.
 *
 * Goes through http as every request does (deadline, proxies, certificates), but is of
 * another server than most: its failures say nothing of theirs. */
#ifndef S3SAMPLEFS_NET_DOCUMENT_H
#define S3SAMPLEFS_NET_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http.h"

struct document {
	/* To be set by the caller. */
	const char *url;             /* http[s]://HOST[:PORT][/...], encoded */
	const char *const *headers;  /* "Name: value", NULL-terminated; NULL: none */
	uint64_t timeout_ms;         /* for all of it */
	size_t body_max;             /* bytes; a longer body is HTTP_TOO_LONG */
	enum stat_id counter;        /* counts it when it is sent */

	/* Results. */
	enum http_result result;
	struct http_reply reply;
	struct buf body;             /* the caller calls buf_done, whatever happened */
};

/* Asks once, and waits for the end. Returns 0 where a whole reply came, whatever its
 * status; -EINVAL: not such a URL; -ETIMEDOUT; -ECANCELED: http was stopped; -ENOMEM; else
 * -EIO, with result telling what it was. */
int document_get(struct http *h, struct document *d);

#endif
