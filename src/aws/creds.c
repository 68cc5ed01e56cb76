#include "aws/creds.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "aws/shared.h"

/* What a source found; pointers into environment, options or files. */
struct found {
	const char *id;
	const char *secret;
	const char *token;
	const char *id_name;      /* how a person calls them */
	const char *secret_name;
};

struct chain {
	const struct creds_options *options;
	const struct shared *shared;
};

struct provider {
	const char *name;
	/* Fills ret_found, all NULL where the source has nothing. Returns 0, or
	 * -errno with why filled, which ends the chain. */
	int (*find)(const struct chain *c, char *why, struct found *ret_found);
};

static int find_options(const struct chain *c, char *why, struct found *ret_found)
{
	(void)why;
	*ret_found = (struct found){ c->options->access_key_id, c->options->secret_access_key,
	                             c->options->session_token, "access_key_id", "secret_access_key" };
	return 0;
}

static int find_environment(const struct chain *c, char *why, struct found *ret_found)
{
	(void)why;
	if (c->shared->from_option)
		return 0;
	*ret_found = (struct found){ shared_env("AWS_ACCESS_KEY_ID"),
	                             shared_env("AWS_SECRET_ACCESS_KEY"),
	                             shared_env("AWS_SESSION_TOKEN"), "AWS_ACCESS_KEY_ID",
	                             "AWS_SECRET_ACCESS_KEY" };
	return 0;
}

/* botocore would assume the role before it looks at the profile's keys; to go on
 * with those keys would be to act as somebody else. */
static int find_unsupported(const struct chain *c, char *why, struct found *ret_found)
{
	static const char *const options[] = { "role_arn", "credential_process", "sso_session",
	                                       "sso_start_url", "web_identity_token_file" };

	(void)ret_found;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (shared_get(c->shared, options[i]))
			return why_set(why, -ENOTSUP, "profile '%s' has %s, which is not supported; export the "
			               "keys to the environment instead (aws configure export-credentials)",
			               c->shared->profile, options[i]);
	}
	return 0;
}

static int find_credentials_file(const struct chain *c, char *why, struct found *ret_found)
{
	(void)why;
	*ret_found = (struct found){ shared_credentials(c->shared, "aws_access_key_id"),
	                             shared_credentials(c->shared, "aws_secret_access_key"),
	                             shared_credentials(c->shared, "aws_session_token"),
	                             "aws_access_key_id", "aws_secret_access_key" };
	return 0;
}

static int find_config_file(const struct chain *c, char *why, struct found *ret_found)
{
	(void)why;
	*ret_found = (struct found){ shared_config(c->shared, "aws_access_key_id"),
	                             shared_config(c->shared, "aws_secret_access_key"),
	                             shared_config(c->shared, "aws_session_token"),
	                             "aws_access_key_id", "aws_secret_access_key" };
	return 0;
}

static const struct provider providers[] = {
	{ "options", find_options },
	{ "environment", find_environment },
	{ "profile", find_unsupported },
	{ "shared credentials file", find_credentials_file },
	{ "shared config file", find_config_file },
};

static bool is_empty(const char *s)
{
	return !s || !s[0];
}

/* They go into headers: nothing may end a line there. */
static bool is_plain(const char *s)
{
	for (; *s; s++) {
		if (*s <= ' ' || *s > '~')
			return false;
	}
	return true;
}

static int check(const struct found *f, const char *source, char *why)
{
	if (is_empty(f->id))
		return why_set(why, -EINVAL, "%s: %s is there without %s", source, f->secret_name,
		               f->id_name);
	if (is_empty(f->secret))
		return why_set(why, -EINVAL, "%s: %s is there without %s", source, f->id_name,
		               f->secret_name);
	if (!is_plain(f->id) || !is_plain(f->secret) || (f->token && !is_plain(f->token)))
		return why_set(why, -EINVAL, "%s: the keys have a blank, a line break or another character "
		               "that belongs to no key", source);
	return 0;
}

static struct creds *make(const struct found *f, const char *source)
{
	struct creds *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	atomic_init(&c->refs, 1);
	c->source = source;
	c->access_key_id = strdup(f->id);
	c->secret_access_key = strdup(f->secret);
	if (!is_empty(f->token))
		c->session_token = strdup(f->token);
	if (!c->access_key_id || !c->secret_access_key || (!is_empty(f->token) && !c->session_token)) {
		creds_unref(c);
		return NULL;
	}
	return c;
}

int creds_load(const struct creds_options *o, const struct shared *shared, char why[AWS_WHY_MAX],
               struct creds **ret_creds)
{
	struct chain chain = { o, shared };

	for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
		struct found f = { 0 };
		int err = providers[i].find(&chain, why, &f);

		if (err)
			return err;
		if (is_empty(f.id) && is_empty(f.secret))
			continue;
		err = check(&f, providers[i].name, why);
		if (err)
			return err;
		*ret_creds = make(&f, providers[i].name);
		return *ret_creds ? 0 : why_set(why, -ENOMEM, "out of memory");
	}
	return why_set(why, -EACCES, "no credentials: not in %sprofile '%s' of %s or %s "
	               "(no_sign_request asks a public bucket without any)",
	               shared->from_option ? "" : "AWS_ACCESS_KEY_ID, ", shared->profile,
	               shared->credentials_path ? shared->credentials_path : "~/.aws/credentials",
	               shared->config_path ? shared->config_path : "~/.aws/config");
}

struct creds *creds_ref(struct creds *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

static void wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void creds_unref(struct creds *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(c->access_key_id);
	wipe(c->secret_access_key);
	wipe(c->session_token);
	free(c);
}

bool creds_equal(const struct creds *a, const struct creds *b)
{
	bool tokens = a->session_token && b->session_token
	                      ? strcmp(a->session_token, b->session_token) == 0
	                      : a->session_token == b->session_token;

	return tokens && strcmp(a->access_key_id, b->access_key_id) == 0 &&
	       strcmp(a->secret_access_key, b->secret_access_key) == 0;
}
