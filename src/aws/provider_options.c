/* Keys that the user gave. */
#include "aws/provider.h"

static int find(const struct provider_context *c, char *why, struct creds **ret_creds)
{
	const struct provider_keys keys = { c->options->access_key_id, c->options->secret_access_key,
	                                    c->options->session_token, "access_key_id",
	                                    "secret_access_key" };

	return provider_take_keys(&provider_options, &keys, why, ret_creds);
}

const struct provider provider_options = { "options", find };
