/* request.h - one S3 request as an HTTP message, signed. Pure. */
#ifndef S3SAMPLEFS_S3_REQUEST_H
#define S3SAMPLEFS_S3_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "aws/creds.h"
#include "s3/endpoint.h"
#include "net/http.h"
#include "aws/sigv4.h"

struct request {
	enum http_method method;
	const struct endpoint *endpoint;
	const char *region;
	const struct creds *creds;        /* NULL: unsigned */
	const char *date;                 /* x-amz-date */
	const char *key;                  /* NULL: the bucket itself */
	const struct sigv4_pair *params;
	size_t n_params;
	const char *range;                /* "bytes=0-9" or NULL */
	const char *if_match;             /* ETag without quotes, or NULL */
};

/* Fills *ret_message, which the caller frees whatever is returned. 0 or -ENOMEM. */
int request_build(const struct request *q, struct http_message *ret_message);

#endif
