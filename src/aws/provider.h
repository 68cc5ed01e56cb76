/* provider.h - one source of credentials; one file each, provider_NAME.c.
 *
 * Which there are and in which order they are asked is creds.c's table. */
#ifndef S3SAMPLEFS_AWS_PROVIDER_H
#define S3SAMPLEFS_AWS_PROVIDER_H

#include "aws/creds.h"

/* What a provider may look at; borrowed. */
struct provider_context {
	const struct creds_options *options;
	const struct shared *shared;
	struct http *net;          /* to ask a service (net/document.h); NULL: there is none */
};

struct provider {
	const char *name;          /* as the source of its credentials is called */
	/* Sets *ret_creds, or leaves it alone where the source has none. Returns 0, or -errno
	 * with why filled, which ends the chain. */
	int (*find)(const struct provider_context *c, char why[AWS_WHY_MAX], struct creds **ret_creds);
};

extern const struct provider provider_options;
extern const struct provider provider_environment;
extern const struct provider provider_unsupported;
extern const struct provider provider_credentials_file;
extern const struct provider provider_config_file;

/* Long-term keys as a source has them, each NULL or "" where it isn't there, and what a
 * person calls them. */
struct provider_keys {
	const char *id, *secret, *token;
	const char *id_name, *secret_name;
};

/* For find: nothing where there is neither id nor secret; -EINVAL for half of a pair, or
 * characters that no key has. */
int provider_take_keys(const struct provider *p, const struct provider_keys *keys, char why[AWS_WHY_MAX],
                       struct creds **ret_creds);

#endif
