#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/parts.h"

#define BUCKET_MIN 3
#define BUCKET_MAX 63
#define PREFIX_MAX 1023 /* bytes; a key has at most 1024 */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* What is wrong with a bucket's name, by S3's rules for names; NULL: nothing. */
static const char *bucket_fault(const char *s)
{
	static const char directory[] = "--x-s3";
	size_t len = strlen(s);
	bool digits_and_dots = true;

	if (strncmp(s, "arn:", 4) == 0)
		return "ARNs are not supported; give the bucket's name or the access point's alias";
	if (len < BUCKET_MIN || len > BUCKET_MAX)
		return "a bucket's name has 3 to 63 characters";
	if (!is_alnum(s[0]) || !is_alnum(s[len - 1]))
		return "a bucket's name begins and ends with a small letter or digit";
	for (size_t i = 0; i < len; i++) {
		if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '.')
			return "a bucket's name has only small letters, digits, '-' and '.'";
		if (s[i] == '.' && s[i + 1] == '.')
			return "a bucket's name has no two dots in a row";
		if (s[i] != '.' && (s[i] < '0' || s[i] > '9'))
			digits_and_dots = false;
	}
	if (digits_and_dots && strchr(s, '.'))
		return "a bucket's name can't look like an IP address";
	if (len > sizeof(directory) - 1 && strcmp(s + len - (sizeof(directory) - 1), directory) == 0)
		return "directory buckets (S3 Express One Zone) are not supported";
	return NULL;
}

/* "data" and "data/" are the same prefix. */
static char *prefix_of(const char *s)
{
	size_t len = strlen(s);
	char *prefix = malloc(len + 2);

	if (!prefix)
		return NULL;
	memcpy(prefix, s, len + 1);
	if (len > 0 && s[len - 1] != '/')
		memcpy(prefix + len, "/", 2);
	return prefix;
}

static int s3_source(struct config *c, const char *name, char *why)
{
	size_t len = strcspn(name, "/");
	const char *prefix = name[len] ? name + len + 1 : "";
	const char *fault;

	if (strlen(prefix) > PREFIX_MAX - 1) {
		snprintf(why, CONFIG_WHY_MAX, "%.80s...: the prefix is longer than S3's keys", c->source);
		return -1;
	}
	c->s3.bucket = strndup(name, len);
	c->s3.prefix = prefix_of(prefix);
	if (!c->s3.bucket || !c->s3.prefix)
		return config_no_memory(why);
	fault = bucket_fault(c->s3.bucket);
	if (fault) {
		snprintf(why, CONFIG_WHY_MAX, "s3://%.80s: %s", c->s3.bucket, fault);
		return -1;
	}
	return 0;
}

/* Resolved now: the daemon leaves for the root directory later. */
static int dir_source(struct config *c, const char *path, char *why)
{
	struct stat st;

	if (!*path) {
		snprintf(why, CONFIG_WHY_MAX, "dir: must be followed by the path of a folder");
		return -1;
	}
	c->dir = realpath(path, NULL);
	if (!c->dir || stat(c->dir, &st) < 0) {
		snprintf(why, CONFIG_WHY_MAX, "dir:%.700s: %s", path, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		snprintf(why, CONFIG_WHY_MAX, "dir:%.700s: not a folder", path);
		return -1;
	}
	return 0;
}

int config_source(struct config *c, const char *source, char *why)
{
	c->source = strdup(source);
	if (!c->source)
		return config_no_memory(why);
	if (strncmp(source, "s3://", 5) == 0)
		return s3_source(c, source + 5, why);
	if (strncmp(source, "dir:", 4) == 0)
		return dir_source(c, source + 4, why);
	snprintf(why, CONFIG_WHY_MAX, "%.200s: the source must be s3://BUCKET[/PREFIX] or dir:PATH", source);
	return -1;
}

static void dead_mount(const char *mountpoint, char *why)
{
	snprintf(why, CONFIG_WHY_MAX,
	         "%.700s: a mount whose program has died is in the way; "
	         "take it off with fusermount3 -u or umount -l",
	         mountpoint);
}

/* The kernel may still know the attributes of a dead mount's root, but not its
 * entries. What we may not read isn't looked at. */
static int look_into(struct config *c, const char *mountpoint, char *why)
{
	DIR *d = opendir(c->mountpoint);
	const struct dirent *e;
	unsigned n = 0;

	if (!d && errno == ENOTCONN) {
		dead_mount(mountpoint, why);
		return -1;
	}
	if (!d)
		return 0;
	while (n <= 2 && (e = readdir(d)))
		n++;
	closedir(d);
	if (n <= 2)
		return 0;
	return config_warn(c, why, "%.700s is not empty; what is in it is hidden until this is unmounted", c->mountpoint);
}

int config_mountpoint(struct config *c, const char *mountpoint, char *why)
{
	struct stat st;

	c->mountpoint = realpath(mountpoint, NULL);
	if (!c->mountpoint || stat(c->mountpoint, &st) < 0) {
		if (errno == ENOTCONN)
			dead_mount(mountpoint, why);
		else
			snprintf(why, CONFIG_WHY_MAX, "mount point %.700s: %s", mountpoint, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		snprintf(why, CONFIG_WHY_MAX, "mount point %.700s: not a directory", mountpoint);
		return -1;
	}
	return look_into(c, mountpoint, why);
}
