#include "aws/creds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/provider.h"
#include "aws/shared.h"

/* In botocore's order. */
static const struct provider *const providers[] = {
	&provider_options,
	&provider_environment,
	&provider_unsupported,
	&provider_credentials_file,
	&provider_config_file,
};

static bool is_empty(const char *s)
{
	return !s || !s[0];
}

static void wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

/* ---- options ---- */

static int copy(const char *from, const char **to)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

int creds_options_copy(const struct creds_options *o, struct creds_options *ret_copy)
{
	struct creds_options c = { 0 };

	if (copy(o->access_key_id, &c.access_key_id) < 0 ||
	    copy(o->secret_access_key, &c.secret_access_key) < 0 ||
	    copy(o->session_token, &c.session_token) < 0 || copy(o->profile, &c.profile) < 0 ||
	    copy(o->cwd, &c.cwd) < 0) {
		creds_options_done(&c);
		return -ENOMEM;
	}
	*ret_copy = c;
	return 0;
}

void creds_options_done(struct creds_options *o)
{
	wipe((char *)(uintptr_t)o->access_key_id);
	wipe((char *)(uintptr_t)o->secret_access_key);
	wipe((char *)(uintptr_t)o->session_token);
	free((char *)(uintptr_t)o->profile);
	free((char *)(uintptr_t)o->cwd);
	*o = (struct creds_options){ 0 };
}

/* ---- providers ---- */

/* They go into headers: nothing may end a line there. */
static bool is_plain(const char *s)
{
	for (; *s; s++) {
		if (*s <= ' ' || *s > '~')
			return false;
	}
	return true;
}

int provider_take_keys(const struct provider *p, const struct provider_keys *k, char why[AWS_WHY_MAX],
                       struct creds **ret_creds)
{
	struct creds *c;

	if (is_empty(k->id) && is_empty(k->secret))
		return 0;
	if (is_empty(k->id))
		return why_set(why, -EINVAL, "%s: %s is there without %s", p->name, k->secret_name, k->id_name);
	if (is_empty(k->secret))
		return why_set(why, -EINVAL, "%s: %s is there without %s", p->name, k->id_name, k->secret_name);
	if (!is_plain(k->id) || !is_plain(k->secret) || (k->token && !is_plain(k->token)))
		return why_set(why, -EINVAL, "%s: the keys have a blank, a line break or another character "
		               "that belongs to no key", p->name);
	c = creds_new(k->id, k->secret, k->token, p->name, CREDS_FOREVER);
	if (!c)
		return why_set(why, -ENOMEM, "out of memory");
	*ret_creds = c;
	return 0;
}

int creds_load(const struct creds_options *o, const struct shared *shared, struct http *net,
               char why[AWS_WHY_MAX], struct creds **ret_creds)
{
	const struct provider_context context = { o, shared, net };

	for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
		struct creds *found = NULL;
		int err = providers[i]->find(&context, why, &found);

		if (err)
			return err;
		if (found) {
			*ret_creds = found;
			return 0;
		}
	}
	return why_set(why, -EACCES, "no credentials: not in %sprofile '%s' of %s or %s "
	               "(no_sign_request asks a public bucket without any)",
	               shared->from_option ? "" : "AWS_ACCESS_KEY_ID, ", shared->profile,
	               shared->credentials_path ? shared->credentials_path : "~/.aws/credentials",
	               shared->config_path ? shared->config_path : "~/.aws/config");
}

/* ---- credentials ---- */

struct creds *creds_new(const char *id, const char *secret, const char *token, const char *source,
                        int64_t expires_s)
{
	struct creds *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->refs);
	c->expires_s = expires_s;
	c->source = strdup(source);
	c->access_key_id = strdup(id);
	c->secret_access_key = strdup(secret);
	if (!is_empty(token))
		c->session_token = strdup(token);
	if (!c->source || !c->access_key_id || !c->secret_access_key ||
	    (!is_empty(token) && !c->session_token)) {
		creds_unref(c);
		return NULL;
	}
	return c;
}

struct creds *creds_ref(struct creds *c)
{
	ref_take(&c->refs);
	return c;
}

void creds_unref(struct creds *c)
{
	if (!c || !ref_drop(&c->refs))
		return;
	free(c->source);
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
