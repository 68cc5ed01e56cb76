/* creds.h - the keys that requests are signed with, and where they come from.
 *
 * The chain, in botocore's order: options, environment, shared credentials
 * file, shared config file. A profile named by the option sets the environment
 * aside. A further source is one function and one row of the table in creds.c. */
#ifndef S3SAMPLEFS_AWS_CREDS_H
#define S3SAMPLEFS_AWS_CREDS_H

#include <stdbool.h>

#include "aws/why.h"

struct shared;

/* Immutable, shared by reference count; safe from any thread. */
struct creds {
	_Atomic unsigned refs;
	char *access_key_id;
	char *secret_access_key;
	char *session_token;   /* NULL: long-term keys */
	const char *source;    /* "environment", ...: static text, fit for a log */
};

struct creds_options {
	const char *access_key_id;     /* NULL or "": from the chain */
	const char *secret_access_key;
	const char *session_token;
};

/* Asks the chain. Reads the environment, never the disk (shared did). Returns 0;
 * -EACCES: no source has any; -EINVAL: half of a pair, or a character that no
 * key has; -ENOTSUP: the profile wants a way of getting credentials that isn't
 * here; -ENOMEM. why is filled on failure. */
int creds_load(const struct creds_options *o, const struct shared *shared, char why[AWS_WHY_MAX],
               struct creds **ret_creds);

struct creds *creds_ref(struct creds *c);
void creds_unref(struct creds *c);  /* NULL allowed; the last one wipes the secrets */

bool creds_equal(const struct creds *a, const struct creds *b);

#endif
