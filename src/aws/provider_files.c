/* The profile's keys in the shared credentials file, and last in the config file. */
#include <stddef.h>

#include "aws/provider.h"
#include "aws/shared.h"

static int take(const struct provider *p, const struct shared *s,
                const char *(*get)(const struct shared *s, const char *option), char *why,
                struct creds **ret_creds)
{
	const struct provider_keys keys = { get(s, "aws_access_key_id"), get(s, "aws_secret_access_key"),
	                                    get(s, "aws_session_token"), "aws_access_key_id",
	                                    "aws_secret_access_key" };

	return provider_take_keys(p, &keys, why, ret_creds);
}

static int find_in_credentials(const struct provider_context *c, char *why, struct creds **ret_creds)
{
	return take(&provider_credentials_file, c->shared, shared_credentials, why, ret_creds);
}

static int find_in_config(const struct provider_context *c, char *why, struct creds **ret_creds)
{
	return take(&provider_config_file, c->shared, shared_config, why, ret_creds);
}

const struct provider provider_credentials_file = { "shared credentials file", find_in_credentials };
const struct provider provider_config_file = { "shared config file", find_in_config };
