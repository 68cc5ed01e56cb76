/* view_keys.h - the table of all keys a view can have. */
#ifndef S3SAMPLEFS_VIEW_VIEW_KEYS_H
#define S3SAMPLEFS_VIEW_VIEW_KEYS_H

#include <stdbool.h>

#include "base/keys.h"

/* For struct view_config; `where` is 1 << enum view_type. */
extern const struct keys view_keys;

/* 1..VIEW_NAME_MAX letters, digits, '-', '_'. */
bool view_name_ok(const char *name);

#endif
