/* creds.h - the keys that requests are signed with, and where they come from.
 *
 * The chain, in botocore's order: options, environment, shared credentials
 * file, shared config file. A profile named by the option sets the environment
 * aside. A further source is a file provider_NAME.c and one row of the table in
 * creds.c. */
#ifndef S3SAMPLEFS_AWS_CREDS_H
#define S3SAMPLEFS_AWS_CREDS_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/why.h"
#include "base/ref.h"

#define CREDS_FOREVER INT64_MAX

struct http;
struct shared;

/* Immutable, shared by reference count; safe from any thread. Owns its strings. */
struct creds {
	struct ref refs;
	char *access_key_id;
	char *secret_access_key;
	char *session_token;   /* NULL: long-term keys */
	char *source;          /* "environment", ...: fit for a log */
	int64_t expires_s;     /* since the epoch; CREDS_FOREVER: they don't, or nobody says when */
};

/* What the user says of credentials; borrowed strings, each may be NULL. */
struct creds_options {
	const char *access_key_id;     /* NULL or "": from the chain */
	const char *secret_access_key;
	const char *session_token;
	const char *profile;           /* NULL: AWS_PROFILE, else "default" */
	const char *cwd;               /* where relative paths in the environment are from; NULL: here */
};

/* A copy with strings of its own. Returns 0 or -ENOMEM. */
int creds_options_copy(const struct creds_options *o, struct creds_options *ret_copy);
void creds_options_done(struct creds_options *o);  /* of a copy, or zeroed; wipes the secrets */

/* Strings are copied; token NULL or "": none. One reference held by the caller; NULL: no
 * memory. */
struct creds *creds_new(const char *id, const char *secret, const char *token, const char *source,
                        int64_t expires_s);

/* Asks the chain. Reads the environment, never the disk (shared did). A provider may ask a
 * service through net, and wait for it: on the thread that starts or that of credentials,
 * never on net's own. net NULL: none that needs it is asked. Returns 0;
 * -EACCES: no source has any; -EINVAL: half of a pair, or a character that no
 * key has; -ENOTSUP: the profile wants a way of getting credentials that isn't
 * here; -ENOMEM. why is filled on failure. */
int creds_load(const struct creds_options *o, const struct shared *shared, struct http *net,
               char why[AWS_WHY_MAX], struct creds **ret_creds);

struct creds *creds_ref(struct creds *c);
void creds_unref(struct creds *c);  /* NULL allowed; the last one wipes the secrets */

bool creds_equal(const struct creds *a, const struct creds *b);

#endif
