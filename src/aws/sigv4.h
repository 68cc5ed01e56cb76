/* sigv4.h - AWS Signature Version 4 in an Authorization header. Pure: no I/O,
 * no clock, no state; every function may be called from any thread.
 *
 * Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 * and its S3 variant (path encoded once and never normalised,
 * x-amz-content-sha256 among the headers). Presigned URLs and chunked uploads
 * are not done here. */
#ifndef S3SAMPLEFS_AWS_SIGV4_H
#define S3SAMPLEFS_AWS_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGV4_HASH_SIZE 32                            /* bytes of SHA-256 */
#define SIGV4_HEX_SIZE (2 * SIGV4_HASH_SIZE + 1)      /* in hex, with the NUL */
#define SIGV4_PAIRS_MAX 16                            /* most headers, most parameters */
#define SIGV4_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct sigv4_pair {
	const char *name;
	const char *value;
};

struct sigv4_request {
	const char *method;
	const char *path;                  /* from sigv4_path */
	const char *query;                 /* from sigv4_query; "" for none */
	const struct sigv4_pair *headers;  /* all that are signed, in any order, any case */
	size_t n_headers;                  /* <= SIGV4_PAIRS_MAX */
	const char *payload_sha256;        /* hex, or UNSIGNED-PAYLOAD */
};

struct sigv4_scope {
	const char *date;                  /* x-amz-date: "20130524T000000Z" */
	const char *region;
	const char *service;
};

/* The percent-encoded path that goes into the URL and into the signature. raw
 * begins with '/'. normalise removes ".", ".." and repeated slashes first, as
 * services other than S3 want it. A malloc'd string, or NULL. */
char *sigv4_path(const char *raw, bool normalise);

/* The encoded, sorted query string without the '?', for the URL and the
 * signature. A malloc'd string; NULL: no memory or n > SIGV4_PAIRS_MAX. */
char *sigv4_query(const struct sigv4_pair *params, size_t n);

/* The steps of the algorithm, for tests and for sigv4_authorization. malloc'd
 * strings, or NULL (no memory, too many headers). */
char *sigv4_canonical_request(const struct sigv4_request *r);
char *sigv4_string_to_sign(const struct sigv4_scope *scope, const char *canonical_request);

/* Returns 0 or -ENOMEM (also for any other failure inside OpenSSL). */
int sigv4_signing_key(const struct sigv4_scope *scope, const char *secret,
                      uint8_t ret_key[SIGV4_HASH_SIZE]);
int sigv4_signature(const uint8_t key[SIGV4_HASH_SIZE], const char *string_to_sign,
                    char ret_hex[SIGV4_HEX_SIZE]);

/* The value of the Authorization header; a secret in the sense of log.h.
 * A malloc'd string, or NULL. */
char *sigv4_authorization(const struct sigv4_request *r, const struct sigv4_scope *scope,
                          const char *access_key_id, const char *secret_access_key);

#endif
