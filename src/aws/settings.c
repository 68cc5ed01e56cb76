#include "aws/settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "aws/shared.h"

/* The option, else the first variable that is set, else the profile's option. */
static const char *pick(const char *option, const char *const variables[2],
                        const struct shared *shared, const char *profile_option)
{
	if (option && option[0])
		return option;
	for (size_t i = 0; i < 2; i++) {
		const char *value = variables[i] ? shared_env(variables[i]) : NULL;

		if (value)
			return value;
	}
	return shared_get(shared, profile_option);
}

static int copy(const char *value, char **ret)
{
	*ret = value ? strdup(value) : NULL;
	return value && !*ret ? -ENOMEM : 0;
}

/* AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: only an option counts then. The profile's services
 * section stands between the environment and the profile's own endpoint. */
static int pick_endpoint(const char *option, const struct shared *shared, char *why, const char **ret)
{
	const char *ignore = shared_env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	const char *url = option && option[0] ? option : NULL;
	int err = 0;

	if (!ignore)
		ignore = shared_get(shared, "ignore_configured_endpoint_urls");
	if (!url && (!ignore || strcasecmp(ignore, "true") != 0)) {
		url = shared_env("AWS_ENDPOINT_URL_S3");
		if (!url)
			url = shared_env("AWS_ENDPOINT_URL");
		if (!url)
			err = shared_service(shared, "endpoint_url", why, &url);
		if (!err && !url)
			url = shared_get(shared, "endpoint_url");
	}
	*ret = url;
	return err;
}

static int pick_style(const struct shared *shared, char *why, enum endpoint_style *ret)
{
	const char *value = shared_get(shared, "s3.addressing_style");

	if (!value || strcasecmp(value, "auto") == 0)
		*ret = ENDPOINT_AUTO;
	else if (strcasecmp(value, "path") == 0)
		*ret = ENDPOINT_PATH;
	else if (strcasecmp(value, "virtual") == 0)
		*ret = ENDPOINT_VIRTUAL;
	else
		return why_set(why, -EINVAL, "profile '%s': addressing_style is '%s', not auto, path or virtual",
		               shared->profile, value);
	return 0;
}

static int pick_attempts(const struct shared *shared, char *why, unsigned *ret)
{
	static const char *const variables[2] = { "AWS_MAX_ATTEMPTS", NULL };
	const char *value = pick(NULL, variables, shared, "max_attempts");
	const char *name = shared_env("AWS_MAX_ATTEMPTS") ? "AWS_MAX_ATTEMPTS" : "max_attempts";
	uint64_t n = SETTINGS_ATTEMPTS;

	if (value && text_parse_uint(value, 1, SETTINGS_ATTEMPTS_MAX, &n) < 0)
		return why_set(why, -EINVAL, "%s is '%s', not a number from 1 to %d", name, value,
		               SETTINGS_ATTEMPTS_MAX);
	*ret = (unsigned)n;
	return 0;
}

int settings_load(const char *region, const char *endpoint_url, unsigned max_attempts,
                  const struct shared *shared, char why[AWS_WHY_MAX], struct settings *ret_settings)
{
	static const char *const region_variables[2] = { "AWS_REGION", "AWS_DEFAULT_REGION" };
	static const char *const bundle_variables[2] = { "AWS_CA_BUNDLE", NULL };
	const char *chosen = pick(region, region_variables, shared, "region");
	const char *bundle = pick(NULL, bundle_variables, shared, "ca_bundle");
	struct settings s = { .max_attempts = max_attempts };
	const char *url = NULL;
	int err = pick_endpoint(endpoint_url, shared, why, &url);

	if (!err)
		err = pick_style(shared, why, &s.style);
	if (err)
		return err;
	if (copy(chosen ? chosen : "us-east-1", &s.region) < 0 || copy(url, &s.endpoint_url) < 0 ||
	    (bundle && !(s.ca_bundle = shared_path(shared, bundle))))
		err = why_set(why, -ENOMEM, "out of memory");
	if (!err && s.ca_bundle && access(s.ca_bundle, R_OK) < 0) {
		err = -errno;
		why_set(why, err, "cannot read the CA bundle %s: %s", s.ca_bundle, strerror(-err));
	}
	if (!err && max_attempts == 0)
		err = pick_attempts(shared, why, &s.max_attempts);
	if (err) {
		settings_done(&s);
		return err;
	}
	*ret_settings = s;
	return 0;
}

void settings_done(struct settings *s)
{
	free(s->region);
	free(s->endpoint_url);
	free(s->ca_bundle);
	memset(s, 0, sizeof(*s));
}
