/* s3.h - one bucket, or what lies below a prefix of it: head, list, ranged get.
 *
 * Asynchronous, from any thread. Callbacks come once, from the client's own
 * threads or before the function returns, with no lock held; they must not
 * block. Errors are those of store/store.h; `why` is a sentence, valid during
 * the call, NULL on success.
 *
 * Attempts, backoff and deadline are retry.h's and http.h's. Corrections don't
 * count as attempts: each of credentials, clock and region is corrected once an
 * operation. A get is of one version or fails: If-Match goes out, and ETag and
 * Content-Range of every reply must be what was asked for; a body that breaks
 * off is continued where it ended. */
#ifndef S3SAMPLEFS_S3_S3_H
#define S3SAMPLEFS_S3_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/creds.h"
#include "aws/why.h"

#define S3_WHY_MAX AWS_WHY_MAX
#define S3_KEY_MAX 1024  /* bytes, prefix included */
#define S3_ETAG_SIZE 128
#define S3_GET_MAX (16u << 20)
#define S3_MTIME_UNKNOWN INT64_MIN

struct blob;
struct s3;
struct stats;

/* What can be set; borrowed strings, NULL here and in creds: from the environment or the
 * files. The configuration holds one of these, and its rows name the fields: an option
 * stands here and there, and nowhere else. */
struct s3_options {
	const char *bucket;
	const char *prefix;             /* "" or ends in '/' */
	const char *region;             /* else us-east-1 */
	const char *endpoint_url;       /* else AWS's own */
	struct creds_options creds;
	bool no_sign_request;
	bool path_style;                /* https://endpoint/bucket/key */
	unsigned max_attempts;          /* 0: as configured elsewhere, else SETTINGS_ATTEMPTS */
	unsigned connections;           /* most at once, at least 1 */
	uint64_t timeout_ms;            /* deadline of an operation from when it is served */
	struct stats *stats;
};

/* Reads the environment and AWS's files (blocks), starts the threads; asks
 * nothing of the store. Returns 0 or -errno with why filled. */
int s3_open(const struct s3_options *o, char why[AWS_WHY_MAX], struct s3 **ret_s3);

/* Ends what is under way, and all that comes later, with -ECANCELED. Doesn't
 * wait. */
void s3_cancel(struct s3 *s);

/* s3_cancel, and waits for the callbacks. Not from a callback. NULL allowed. */
void s3_free(struct s3 *s);

struct s3_object {
	uint64_t size;
	int64_t mtime_ns;               /* S3_MTIME_UNKNOWN: the store doesn't say */
	char etag[S3_ETAG_SIZE];        /* no quotes, not empty */
};

typedef void s3_head_fn(void *arg, int err, const char *why, const struct s3_object *object);
void s3_head(struct s3 *s, const char *key, s3_head_fn *done, void *arg);

struct s3_entry {
	const char *name;               /* key or common prefix, relative to the client's prefix */
	bool is_prefix;                 /* then object is zero */
	struct s3_object object;
};

/* Valid during the call. Entries are sorted bytewise within the page, each there once; that the
 * pages follow each other in this order is the store's promise (AWS keeps it,
 * SeaweedFS sorts "a/b" before "a-x"). Objects without an ETag are left out. */
struct s3_page {
	const struct s3_entry *entries;
	size_t n;
	const char *next;               /* NULL: the last page */
	bool partial;                   /* one of several, and not as sorted as it should be: what
	                                 * isn't in it may well be in another */
};

typedef void s3_list_fn(void *arg, int err, const char *why, const struct s3_page *page);

struct s3_listing {
	const char *prefix;             /* relative; "" for all */
	bool delimiter;                 /* one level, by '/' */
	const char *token;              /* NULL: the first page */
	unsigned max_keys;              /* 0: the store's choice */
};

/* Strings are copied. */
void s3_list(struct s3 *s, const struct s3_listing *l, s3_list_fn *done, void *arg);

struct s3_range {
	uint64_t off;
	size_t len;                     /* 1 to S3_GET_MAX, off + len <= version's size */
	bool ahead;                     /* nobody waits yet */
};

/* body has exactly len bytes; the callee takes its own reference. */
typedef void s3_get_fn(void *arg, int err, const char *why, struct blob *body);
void s3_get(struct s3 *s, const char *key, const struct s3_object *version,
            const struct s3_range *range, s3_get_fn *done, void *arg);

#endif
