/* shared.h - AWS's two shared files and the profile chosen in them.
 *
 * The credentials file (AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials) and
 * the config file (AWS_CONFIG_FILE or ~/.aws/config), as
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html has them.
 * Blocks on the disk; reads the environment. */
#ifndef S3SAMPLEFS_AWS_SHARED_H
#define S3SAMPLEFS_AWS_SHARED_H

#include <stdbool.h>

#include "aws/profile.h"
#include "aws/why.h"

struct shared {
	char *profile;                     /* the name; "default" if nobody named one */
	bool from_option;                  /* named by the option, which also sets the
	                                    * environment's credentials aside */
	char *cwd;                         /* NULL: none was given */
	char *credentials_path;            /* NULL: no home directory */
	char *config_path;
	struct profile_file *credentials;  /* NULL: there is no such file */
	struct profile_file *config;
};

/* profile: the option, NULL for AWS_PROFILE, AWS_DEFAULT_PROFILE or "default". cwd:
 * where relative paths are from, NULL for the working directory.
 * A file that isn't there or may not be read counts as empty. Returns 0;
 * -EINVAL: a file has a line that can't be understood, or the named profile is
 * in neither; -EFBIG, -ENOMEM. */
int shared_open(const char *profile, const char *cwd, char why[AWS_WHY_MAX], struct shared *ret_shared);

void shared_done(struct shared *s);  /* a zeroed one is allowed */

/* An option of the profile in one file; NULL: not there. In the config file
 * [profile default] counts before [default]. */
const char *shared_credentials(const struct shared *s, const char *option);
const char *shared_config(const struct shared *s, const char *option);

/* The same from either, the credentials file first. */
const char *shared_get(const struct shared *s, const char *option);

/* An option of service `s3` in the [services NAME] section of the config file that the
 * profile names; NULL: not there. Returns 0, or -EINVAL where there is no such section, or
 * -ENOMEM, with why filled. */
int shared_service(const struct shared *s, const char *option, char why[AWS_WHY_MAX], const char **ret_value);

/* The path, which may be relative, from the folder that shared_open was told; malloc'd, or
 * NULL. */
char *shared_path(const struct shared *s, const char *path);

/* getenv, but an empty variable is one that isn't set, as in botocore. */
const char *shared_env(const char *name);

#endif
