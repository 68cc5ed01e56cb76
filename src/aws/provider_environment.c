/* AWS_ACCESS_KEY_ID and its companions, unless the option names a profile. */
#include <stddef.h>

#include "aws/provider.h"
#include "aws/shared.h"

static int find(const struct provider_context *c, char *why, struct creds **ret_creds)
{
	const struct provider_keys keys = { shared_env("AWS_ACCESS_KEY_ID"),
	                                    shared_env("AWS_SECRET_ACCESS_KEY"),
	                                    shared_env("AWS_SESSION_TOKEN"), "AWS_ACCESS_KEY_ID",
	                                    "AWS_SECRET_ACCESS_KEY" };

	if (c->shared->from_option)
		return 0;
	return provider_take_keys(&provider_environment, &keys, why, ret_creds);
}

const struct provider provider_environment = { "environment", find };
