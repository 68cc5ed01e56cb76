#include "aws/shared.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#define DEFAULT_PROFILE "default"

const char *shared_env(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

/* HOME, else the home directory of the user we run as. malloc'd or NULL. */
static char *home_directory(void)
{
	const char *home = shared_env("HOME");
	struct passwd pw;
	struct passwd *found = NULL;
	char text[4096];

	if (home)
		return strdup(home);
	if (getpwuid_r(getuid(), &pw, text, sizeof(text), &found) != 0 || !found)
		return NULL;
	return strdup(found->pw_dir);
}

char *shared_path(const struct shared *s, const char *path)
{
	return text_absolute_path(s->cwd, path);
}

/* Path from the variable, a leading "~/" expanded, or else tail below the home
 * directory. NULL: no memory, no home. */
static char *file_path(const struct shared *s, const char *variable, const char *tail)
{
	const char *value = shared_env(variable);
	char *home;
	char *path = NULL;
	char *whole;

	if (value && strncmp(value, "~/", 2) != 0)
		return shared_path(s, value);
	home = home_directory();
	if (home && asprintf(&path, "%s/%s", home, value ? value + 2 : tail) < 0)
		path = NULL;
	whole = path ? shared_path(s, path) : NULL;
	free(path);
	free(home);
	return whole;
}

static int read_file(const char *path, char *why, struct profile_file **ret_file)
{
	unsigned line;
	int err = path ? profile_read(path, ret_file, &line) : -ENOENT;

	switch (err) {
	case 0:
	case -ENOENT:
	case -ENOTDIR:
	case -EACCES:  /* a daemon whose HOME is somebody else's */
		return 0;
	case -EINVAL:
		if (line > 0)
			return why_set(why, err, "%s, line %u: neither a [section], a name = value nor a "
			               "comment", path, line);
		break;
	default:
		break;
	}
	return why_set(why, err, "cannot read %s: %s", path, strerror(-err));
}

/* config's section is "default" or "profile NAME". */
static const char *config_get(const struct shared *s, const char *option)
{
	const char *value = NULL;
	char *section;

	if (asprintf(&section, "profile %s", s->profile) < 0)
		return NULL;
	value = profile_get(s->config, section, option);
	if (!value && strcmp(s->profile, DEFAULT_PROFILE) == 0)
		value = profile_get(s->config, DEFAULT_PROFILE, option);
	free(section);
	return value;
}

static bool config_has(const struct shared *s)
{
	bool found;
	char *section;

	if (asprintf(&section, "profile %s", s->profile) < 0)
		return false;
	found = profile_has(s->config, section);
	free(section);
	return found;
}

static int choose_profile(struct shared *s, const char *option)
{
	const char *name = option && option[0] ? option : NULL;

	s->from_option = name;
	if (!name)
		name = shared_env("AWS_PROFILE");
	if (!name)
		name = shared_env("AWS_DEFAULT_PROFILE");
	s->profile = strdup(name ? name : DEFAULT_PROFILE);
	return s->profile ? 0 : -ENOMEM;
}

/* [default] needs not exist: it is what counts when nothing is said. */
static int check_profile(const struct shared *s, char *why)
{
	if (strcmp(s->profile, DEFAULT_PROFILE) == 0 || profile_has(s->credentials, s->profile) ||
	    config_has(s))
		return 0;
	return why_set(why, -EINVAL, "there is no profile '%s' in %s or %s", s->profile,
	               s->credentials_path ? s->credentials_path : "~/.aws/credentials",
	               s->config_path ? s->config_path : "~/.aws/config");
}

int shared_open(const char *profile, const char *cwd, char why[AWS_WHY_MAX], struct shared *ret_shared)
{
	struct shared s = { .cwd = cwd ? strdup(cwd) : NULL };
	int err = cwd && !s.cwd ? -ENOMEM : choose_profile(&s, profile);

	if (err) {
		shared_done(&s);
		return why_set(why, err, "out of memory");
	}
	s.credentials_path = file_path(&s, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
	s.config_path = file_path(&s, "AWS_CONFIG_FILE", ".aws/config");
	err = read_file(s.credentials_path, why, &s.credentials);
	if (!err)
		err = read_file(s.config_path, why, &s.config);
	if (!err)
		err = check_profile(&s, why);
	if (err) {
		shared_done(&s);
		return err;
	}
	*ret_shared = s;
	return 0;
}

void shared_done(struct shared *s)
{
	free(s->profile);
	free(s->cwd);
	free(s->credentials_path);
	free(s->config_path);
	profile_free(s->credentials);
	profile_free(s->config);
	memset(s, 0, sizeof(*s));
}

static const char *unless_empty(const char *value)
{
	return value && value[0] ? value : NULL;
}

const char *shared_credentials(const struct shared *s, const char *option)
{
	return unless_empty(profile_get(s->credentials, s->profile, option));
}

const char *shared_config(const struct shared *s, const char *option)
{
	return unless_empty(config_get(s, option));
}

const char *shared_get(const struct shared *s, const char *option)
{
	const char *value = shared_credentials(s, option);

	return value ? value : shared_config(s, option);
}

int shared_service(const struct shared *s, const char *option, char why[AWS_WHY_MAX], const char **ret_value)
{
	const char *name = shared_get(s, "services");
	char *section;
	char *whole;
	int err = 0;

	*ret_value = NULL;
	if (!name)
		return 0;
	if (asprintf(&section, "services %s", name) < 0)
		return why_set(why, -ENOMEM, "out of memory");
	if (asprintf(&whole, "s3.%s", option) < 0)
		err = why_set(why, -ENOMEM, "out of memory");
	else if (!profile_has(s->config, section))
		err = why_set(why, -EINVAL, "profile '%s' has services = %s, but there is no [services %s] in %s",
		              s->profile, name, name, s->config_path ? s->config_path : "~/.aws/config");
	else
		*ret_value = unless_empty(profile_get(s->config, section, whole));
	if (err != -ENOMEM)
		free(whole);
	free(section);
	return err;
}
