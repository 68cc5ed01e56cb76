#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "config/parts.h"

#define FUSE_OPTIONS_MAX 4096

/* Cuts the next option off *text, in place: up to a comma that has no
 * backslash before it; the backslashes go. NULL at the end. */
static char *next_option(char **text)
{
	char *start = *text, *in = start, *out = start;

	if (!*start)
		return NULL;
	for (; *in && *in != ','; in++) {
		if (*in == '\\' && in[1])
			in++;
		*out++ = *in;
	}
	*text = *in ? in + 1 : in;
	*out = '\0';
	return start;
}

static unsigned where_is(const char *name)
{
	for (size_t i = 0; i < config_keys.n; i++) {
		if (strcmp(config_keys.key[i].name, name) == 0)
			return config_keys.key[i].where;
	}
	/* systemd's and other programs' notes to themselves in fstab */
	return strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0 ? WHERE_IGNORED : 0;
}

/* The reverse of next_option, as libfuse's parser takes it. */
static void add_escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == ',' || *s == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
}

static void add_fuse_option(struct buf *out, const char *name, const char *value)
{
	if (out->len > 0)
		buf_putc(out, ',');
	add_escaped(out, name);
	if (value) {
		buf_putc(out, '=');
		add_escaped(out, value);
	}
}

static int set_mount_key(struct config *c, const char *name, const char *value, char *why)
{
	char reason[CONFIG_WHY_MAX - 8];
	int err = keys_set(&config_keys, WHERE_MOUNT | WHERE_OPTION | WHERE_FUSE, c, name, value, reason,
	                   sizeof(reason));

	if (err == -ENOMEM)
		return config_no_memory(why);
	if (err == -ENOENT && view_config_has_key(name))
		snprintf(why, CONFIG_WHY_MAX,
		         "-o %s: this is a key of views: it belongs in a [view ...] section of config=FILE, "
		         "or in a directory's name: VIEW@%s=VALUE", name, name);
	else if (err)
		snprintf(why, CONFIG_WHY_MAX, "-o %s", reason);
	return err ? -1 : 0;
}

int config_options_file(const char *options, char **ret_path, char *why)
{
	static const char name[] = "config";
	const size_t len = sizeof(name) - 1;
	char *copy = strdup(options), *rest = copy, *option, *path = NULL;
	int r = -1;

	if (!copy)
		goto out_of_memory;
	while ((option = next_option(&rest))) {
		if (strncmp(option, name, len) != 0 || (option[len] && option[len] != '='))
			continue;
		if (!option[len] || !option[len + 1]) {
			snprintf(why, CONFIG_WHY_MAX, "-o config: must be followed by =FILE");
			goto done;
		}
		free(path);
		path = strdup(option + len + 1);
		if (!path)
			goto out_of_memory;
	}
	*ret_path = path;
	path = NULL;
	r = 0;
	goto done;

out_of_memory:
	config_no_memory(why);
done:
	free(path);
	free(copy);
	return r;
}

static int set_option(struct config *c, char *option, struct buf *fuse, char *why)
{
	char *value = strchr(option, '=');
	unsigned where;

	if (value)
		*value++ = '\0';
	where = where_is(option);
	if (!*option || where == WHERE_IGNORED || where == WHERE_OPTION)
		return 0;
	if (where != WHERE_FUSE)
		return set_mount_key(c, option, value, why);
	add_fuse_option(fuse, option, value);
	return 0;
}

static int take_fuse_options(struct config *c, struct buf *fuse, char *why)
{
	if (buf_error(fuse) == -EMSGSIZE) {
		snprintf(why, CONFIG_WHY_MAX, "-o: the options for libfuse are too long");
		return -1;
	}
	c->fuse_options = buf_take(fuse);
	return c->fuse_options ? 0 : config_no_memory(why);
}

int config_options(struct config *c, const char *options, char *why)
{
	char *copy = strdup(options), *rest = copy, *option;
	struct buf fuse;
	int r = 0;

	if (!copy)
		return config_no_memory(why);
	buf_init(&fuse, FUSE_OPTIONS_MAX);
	while (r == 0 && (option = next_option(&rest)))
		r = set_option(c, option, &fuse, why);
	if (r == 0 && (fuse.len > 0 || buf_error(&fuse)))
		r = take_fuse_options(c, &fuse, why);
	buf_done(&fuse);
	free(copy);
	return r;
}
