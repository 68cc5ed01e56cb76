/* Ways that a profile may want and that aren't here. botocore would assume the role
 * before it looks at the profile's keys; to go on with those keys would be to act as
 * somebody else. */
#include <errno.h>
#include <stddef.h>

#include "aws/provider.h"
#include "aws/shared.h"

static int find(const struct provider_context *c, char *why, struct creds **ret_creds)
{
	static const char *const options[] = { "role_arn", "credential_process", "sso_session",
	                                       "sso_start_url", "web_identity_token_file" };

	(void)ret_creds;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (shared_get(c->shared, options[i]))
			return why_set(why, -ENOTSUP, "profile '%s' has %s, which is not supported; export the "
			               "keys to the environment instead (aws configure export-credentials)",
			               c->shared->profile, options[i]);
	}
	return 0;
}

const struct provider provider_unsupported = { "profile", find };
