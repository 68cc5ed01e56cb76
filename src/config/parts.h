/* parts.h - what the files of config share; nobody else includes it.
 *
 * All of them return 0, or -1 with a sentence in why[CONFIG_WHY_MAX]. */
#ifndef S3SAMPLEFS_CONFIG_PARTS_H
#define S3SAMPLEFS_CONFIG_PARTS_H

#include "base/keys.h"
#include "config/config.h"

/* Who has a row of config_keys. */
enum config_where {
	WHERE_MOUNT = 1,       /* a key of [mount], and a -o option */
	WHERE_OPTION = 2,      /* only a -o option: config= */
	WHERE_FUSE = 4,        /* a flag or name=value that libfuse takes */
	WHERE_IGNORED = 8,     /* mount(8)'s own business */
};

/* For struct config. Rows other than WHERE_MOUNT have no field. */
extern const struct keys config_keys;

/* "out of memory" and -1. */
int config_no_memory(char *why);

/* One more of c->warnings. */
int config_warn(struct config *c, char *why, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* source, mountpoint: as the user wrote them. */
int config_source(struct config *c, const char *source, char *why);
int config_mountpoint(struct config *c, const char *mountpoint, char *why);

/* Reads an INI file: [mount] into c, and its views. */
int config_file(struct config *c, const char *path, char *why);

/* The views there are where the file has none. */
int config_default_views(struct config *c, char *why);

/* Checks views[i], which is complete, and gives a samples view the parameters
 * of the views that it names. */
int config_resolve_view(struct config *c, size_t i, char why[VIEW_WHY_MAX]);

/* All -o arguments, joined by commas. Names the file of config=FILE
 * (malloc'd, NULL if there is none) and does nothing else. */
int config_options_file(const char *options, char **ret_path, char *why);

/* All -o arguments but config=FILE. */
int config_options(struct config *c, const char *options, char *why);

#endif
