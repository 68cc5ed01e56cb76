/* config.h - what the user wants: command line, -o options, INI file, in one
 * struct. Environment variables of AWS are not read here but by the s3 layer.
 *
 * A key of [mount] is also a -o option of the same name, and -o wins. Errors
 * name file, line, key and the accepted values. */
#ifndef S3SAMPLEFS_CONFIG_H
#define S3SAMPLEFS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3/s3.h"
#include "view/view_config.h"

#define CONFIG_VIEWS_MAX 64
#define CONFIG_WHY_MAX 1024
#define CONFIG_MEMORY_MIN (448u << 20)  /* bytes: one worker, and what is kept beside it */

struct buf;

enum config_action { CONFIG_MOUNT, CONFIG_HELP, CONFIG_VERSION };

struct config {
	enum config_action action;
	char *source;               /* as given: "s3://BUCKET[/PREFIX]" or "dir:PATH" */
	char *dir;                  /* dir: absolute path (resolved before any chdir) */
	char *mountpoint;           /* absolute */
	char *cwd;                  /* where relative paths are from; NULL: nobody knows */
	char *warnings;             /* sentences, each with a newline behind it; or NULL */
	bool foreground;            /* -f, or -d */
	bool debug;                 /* -d: log level debug, foreground */

	/* [mount] */
	struct s3_options s3;       /* its strings are malloc'd; bucket NULL: it is a folder. cwd,
	                               timeout_ms and stats aren't set here */
	unsigned workers;           /* 0: as many as cores allowed to us, and as memory allows */
	uint64_t memory;            /* bytes, 1G; workers included */
	char *sandbox;              /* "warn" or "require" all of it; NULL: warn */
	uint64_t timeout_ms;        /* 60 s */
	uint64_t metadata_ttl_ms;   /* 60 s; UINT64_MAX: forever */
	char *log;                  /* file, or "syslog"; NULL: stderr / syslog in the background */
	char *log_level;            /* NULL: info */

	/* for libfuse: allow_other, allow_root, default_permissions, fsname ..., as one comma list, or NULL */
	char *fuse_options;

	struct view_config *views;  /* in the order of the file; the defaults raw, frames, mfcc, info,
	                               samples where the file has no section at all */
	size_t n_views;
};

/* Reads the command line and the INI file it names (-o config=FILE). Returns 0,
 * or an exit status: 2, with a sentence in why. ret_config is filled only on 0
 * and then ended by config_done. */
int config_parse(int argc, char *const *argv, struct config *ret_config, char why[CONFIG_WHY_MAX]);
void config_done(struct config *c);

/* --help's text. */
const char *config_usage(void);

/* The configuration in force as an INI file, secrets as "(set)". */
void config_print(const struct config *c, struct buf *out);

#endif
