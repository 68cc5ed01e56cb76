/* verdict.h - what a reply, or the lack of one, means. Pure.
 *
 * Turns a transfer's result, status, headers and error document into one cause
 * with an errno, and says whether another attempt or a correction may help. */
#ifndef S3SAMPLEFS_S3_VERDICT_H
#define S3SAMPLEFS_S3_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/http.h"

/* Which extra headers of a reply are which. Some stores explain a HEAD by x-amz-error-code. */
enum verdict_extra { VERDICT_REGION, VERDICT_CODE };

enum verdict_op { VERDICT_HEAD, VERDICT_LIST, VERDICT_GET };

enum cause {
	CAUSE_NONE,          /* success */
	CAUSE_NO_KEY,
	CAUSE_NO_BUCKET,
	CAUSE_DENIED,
	CAUSE_BAD_SECRET,
	CAUSE_BAD_KEY_ID,
	CAUSE_EXPIRED,       /* the session token is */
	CAUSE_CLOCK,         /* ours and the store's differ too much */
	CAUSE_ARCHIVED,
	CAUSE_REPLACED,      /* another version than asked for */
	CAUSE_REGION,        /* the bucket is in another region */
	CAUSE_BUSY,          /* 429, 5xx */
	CAUSE_HTTP,          /* any other status */
	CAUSE_UNREACHABLE,   /* no name, no connection, no TLS */
	CAUSE_PROXY,         /* the proxy refused, or something behind it that isn't a store */
	CAUSE_PROXY_BUSY,    /* the proxy can't reach the store */
	CAUSE_UNTRUSTED,     /* no such host, or its certificate isn't to be trusted */
	CAUSE_BROKEN,        /* reset, stalled, cut short */
	CAUSE_NO_ETAG,       /* the reply doesn't say its version */
	CAUSE_NO_RANGE,      /* the whole object instead of the range */
	CAUSE_BAD_RANGE,     /* another range than asked for */
	CAUSE_EXCESS,        /* more bytes than the reply promised */
	CAUSE_NOT_S3,        /* not HTTP, not XML, or longer than it may be */
	CAUSE_DEADLINE,
	CAUSE_DOWN,          /* not asked: nothing has been answered for long */
	CAUSE_NOMEM,
	CAUSE_CANCELED,
};

enum correction {
	CORRECT_NOTHING,
	CORRECT_CREDS,       /* ask the chain again */
	CORRECT_CLOCK,       /* sign with the time in the Date header */
	CORRECT_REGION,      /* sign for verdict.region, ask there */
	CORRECT_IGNORANCE,   /* a HEAD has no body: learn the code by a GET of one byte */
};

struct verdict {
	enum cause cause;
	int err;                     /* 0 or -errno, as store.h lists them */
	bool retry;                  /* another attempt may help */
	bool throttled;              /* and should wait longer */
	enum correction correction;
	enum http_result result;
	int status;
	char code[64];               /* S3's error code, printable; "" if not known */
	char message[192];           /* the server's own words, printable */
	char region[64];             /* where the bucket is; "" or a valid name */
};

struct verdict_input {
	enum verdict_op op;
	enum http_result result;
	const struct http_reply *reply;
	const char *proxy;           /* which may have answered itself; NULL: none */
	const char *text;            /* body, unless it went elsewhere */
	size_t text_len;
	enum cause refused;          /* with HTTP_REFUSED: what verdict_range said */
};

void verdict_make(const struct verdict_input *in, struct verdict *ret_verdict);

/* The verdict of a cause found later, the rest as in *v. */
void verdict_set_cause(struct verdict *v, enum cause cause);

/* Whether the headers of a reply promise bytes [off, off + len) of the version
 * (etag, size): CAUSE_NONE, or why not. A status of 200 is as good as 206 where
 * Content-Range is there and right (`rclone serve s3` answers so). */
enum cause verdict_range(const struct http_reply *reply, const char *etag, uint64_t size,
                         uint64_t off, uint64_t len);

#endif
