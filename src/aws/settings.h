/* settings.h - region, endpoint, attempts and CA bundle: what isn't a secret
 * of what AWS's tools take from options, environment and shared files, in this
 * order. Reads the environment. */
#ifndef S3SAMPLEFS_AWS_SETTINGS_H
#define S3SAMPLEFS_AWS_SETTINGS_H

#include "aws/why.h"

#define SETTINGS_ATTEMPTS_MAX 100

#define SETTINGS_ATTEMPTS 4       /* in all, where nothing else is configured */

struct shared;

/* Where a bucket's name stands: in the host name or in the path. */
enum endpoint_style {
	ENDPOINT_AUTO,                      /* virtual-host where it can work */
	ENDPOINT_PATH,
	ENDPOINT_VIRTUAL,                   /* on localhost as well */
};

struct settings {
	char *region;           /* else us-east-1 */
	char *endpoint_url;     /* NULL: AWS's own for the region */
	enum endpoint_style style;
	char *ca_bundle;        /* NULL: the system's */
	unsigned max_attempts;  /* first try included; else SETTINGS_ATTEMPTS */
};

/* region, endpoint_url: options, NULL or "" for none; max_attempts 0 for none.
 * Returns 0; -EINVAL: AWS_MAX_ATTEMPTS or max_attempts isn't a number from 1 to
 * SETTINGS_ATTEMPTS_MAX, an addressing_style is unknown, a services section isn't
 * there; -errno of a CA bundle that can't be read; -ENOMEM. */
int settings_load(const char *region, const char *endpoint_url, unsigned max_attempts,
                  const struct shared *shared, char why[AWS_WHY_MAX], struct settings *ret_settings);

void settings_done(struct settings *s);  /* a zeroed one is allowed */

#endif
