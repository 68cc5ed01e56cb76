#include "config/config.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "config/parts.h"

#define OPTIONS_MAX (64u << 10) /* bytes of all -o arguments */
#define EXIT_USAGE 2

/* What stands on the command line, before any of it is believed. */
struct command_line {
	enum config_action action;
	bool foreground, debug;
	struct buf options;         /* all -o, joined by commas */
	const char *source, *mountpoint;
};

/* ---- command line --------------------------------------------------------------- */

static int unknown_option(char *const *argv, char *why)
{
	if (optopt == 'o')
		snprintf(why, CONFIG_WHY_MAX, "-o must be followed by options");
	else if (optopt)
		snprintf(why, CONFIG_WHY_MAX, "-%c: no such option; there are -o -f -d -h -V", optopt);
	else
		snprintf(why, CONFIG_WHY_MAX, "%.200s: no such option; there are -o -f -d --help --version",
		         argv[optind - 1]);
	return -1;
}

static int positional(struct command_line *l, int argc, char *const *argv, char *why)
{
	int n = argc - optind;

	if (l->action != CONFIG_MOUNT)
		return 0;
	if (n < 2) {
		snprintf(why, CONFIG_WHY_MAX,
		         "%s missing; it is s3samplefs SOURCE MOUNTPOINT, see s3samplefs --help",
		         n == 0 ? "source and mount point are" : "the mount point is");
		return -1;
	}
	if (n > 2) {
		snprintf(why, CONFIG_WHY_MAX, "%.200s: only a source and a mount point are expected",
		         argv[optind + 2]);
		return -1;
	}
	l->source = argv[optind];
	l->mountpoint = argv[optind + 1];
	return 0;
}

static int read_command_line(struct command_line *l, int argc, char *const *argv, char *why)
{
	static const struct option long_options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c;

	optind = 0; /* glibc: start afresh, tests call this often */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "o:fdhV", long_options, NULL)) != -1) {
		switch (c) {
		case 'o':
			if (l->options.len > 0)
				buf_putc(&l->options, ',');
			buf_puts(&l->options, optarg);
			break;
		case 'f':
			l->foreground = true;
			break;
		case 'd':
			l->debug = true;
			break;
		case 'h':
			l->action = CONFIG_HELP;
			break;
		case 'V':
			l->action = CONFIG_VERSION;
			break;
		default:
			return unknown_option(argv, why);
		}
	}
	buf_puts(&l->options, "");
	if (buf_error(&l->options) == -ENOMEM)
		return config_no_memory(why);
	if (buf_error(&l->options)) {
		snprintf(why, CONFIG_WHY_MAX, "-o: the options are too long");
		return -1;
	}
	return positional(l, argc, argv, why);
}

/* ---- the whole ------------------------------------------------------------------- */

static void set_defaults(struct config *c)
{
	memset(c, 0, sizeof(*c));
	c->s3.connections = 32;
	c->memory = 1ull << 30;
	c->timeout_ms = 60000;
	c->metadata_ttl_ms = 60000;
}

/* A relative log file is meant from where the user stands, not from where the
 * daemon goes. */
static int make_log_absolute(struct config *c, char *why)
{
	char *path;

	if (!c->log || *c->log == '/' || strcmp(c->log, "syslog") == 0)
		return 0;
	if (!c->cwd) {
		snprintf(why, CONFIG_WHY_MAX, "log = %.200s: the working directory is gone", c->log);
		return -1;
	}
	path = text_absolute_path(c->cwd, c->log);
	if (!path)
		return config_no_memory(why);
	free(c->log);
	c->log = path;
	return 0;
}

static int check_credentials(const struct config *c, char *why)
{
	if (!c->s3.creds.access_key_id != !c->s3.creds.secret_access_key) {
		snprintf(why, CONFIG_WHY_MAX,
		         "aws_access_key_id and aws_secret_access_key go together, and only one of them is set");
		return -1;
	}
	if (c->s3.creds.session_token && !c->s3.creds.access_key_id) {
		snprintf(why, CONFIG_WHY_MAX,
		         "aws_session_token is set, but not the aws_access_key_id that it belongs to");
		return -1;
	}
	return 0;
}

int config_warn(struct config *c, char *why, const char *format, ...)
{
	const size_t len = c->warnings ? strlen(c->warnings) : 0;
	char *more = realloc(c->warnings, len + CONFIG_WHY_MAX);
	va_list args;

	if (!more)
		return config_no_memory(why);
	c->warnings = more;
	va_start(args, format);
	vsnprintf(more + len, CONFIG_WHY_MAX - 1, format, args);
	va_end(args);
	strcat(more + len, "\n");
	return 0;
}

/* Root reads for everybody, and the source's modes aren't shown. */
static int warn_of_others(struct config *c, char *why)
{
	if (!c->dir || geteuid() != 0 || !c->fuse_options || !strstr(c->fuse_options, "allow_other"))
		return 0;
	return config_warn(c, why, "allow_other lets everybody read all of %.500s, also what the modes of its files "
	                   "and folders keep to their owners", c->dir);
}

static int fill(struct config *c, const struct command_line *l, char *why)
{
	char *path = NULL;
	int r;

	c->action = l->action;
	c->debug = l->debug;
	c->foreground = l->foreground || l->debug;
	if (c->action != CONFIG_MOUNT)
		return 0;
	/* What is read later, in the daemon's own folder, must be found there as well. */
	c->cwd = getcwd(NULL, 0);
	if (!c->cwd && errno == ENOMEM)
		return config_no_memory(why);
	r = config_options_file(l->options.data, &path, why);
	if (r == 0 && path)
		r = config_file(c, path, why);
	free(path);
	if (r == 0 && c->n_views == 0)
		r = config_default_views(c, why);
	if (r == 0)
		r = config_options(c, l->options.data, why);
	if (r == 0)
		r = check_credentials(c, why);
	if (r == 0)
		r = make_log_absolute(c, why);
	if (r == 0)
		r = config_source(c, l->source, why);
	if (r == 0)
		r = config_mountpoint(c, l->mountpoint, why);
	if (r == 0)
		r = warn_of_others(c, why);
	return r;
}

int config_parse(int argc, char *const *argv, struct config *ret_config, char why[CONFIG_WHY_MAX])
{
	struct command_line l = { .action = CONFIG_MOUNT };
	struct config c;
	int r;

	buf_init(&l.options, OPTIONS_MAX);
	set_defaults(&c);
	r = read_command_line(&l, argc, argv, why);
	if (r == 0)
		r = fill(&c, &l, why);
	buf_done(&l.options);
	if (r < 0) {
		config_done(&c);
		return EXIT_USAGE;
	}
	*ret_config = c;
	return 0;
}

void config_done(struct config *c)
{
	keys_done(&config_keys, c);
	for (size_t i = 0; i < c->n_views; i++)
		view_config_done(&c->views[i]);
	free(c->views);
	c->views = NULL;
	c->n_views = 0;
	free(c->source);
	free((char *)(uintptr_t)c->s3.bucket);
	free((char *)(uintptr_t)c->s3.prefix);
	free(c->dir);
	free(c->mountpoint);
	free(c->cwd);
	free(c->fuse_options);
	free(c->warnings);
	c->s3.bucket = c->s3.prefix = NULL;
	c->source = c->dir = c->mountpoint = c->cwd = c->fuse_options = c->warnings = NULL;
}

void config_print(const struct config *c, struct buf *out)
{
	buf_printf(out, "; %s on %s\n", c->source, c->mountpoint);
	if (c->fuse_options)
		buf_printf(out, "; options for libfuse: %s\n", c->fuse_options);
	buf_puts(out, "\n[mount]\n");
	keys_print(&config_keys, WHERE_MOUNT, c, out);
	for (size_t i = 0; i < c->n_views; i++) {
		buf_printf(out, "\n[view %s]\n", c->views[i].name);
		view_config_print(&c->views[i], out);
	}
}
