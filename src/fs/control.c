/* control.c - .s3samplefs: what the filesystem tells about itself. The files are
 * made when they are opened; like those of /proc they have size 0. */
#include <string.h>

#include "base/buf.h"
#include "fs/fs_priv.h"

enum { CONTROL_STATS, CONTROL_STATS_JSON, CONTROL_ERRORS, CONTROL_CONFIG };

const char *const control_names[] = {
	[CONTROL_STATS] = "stats",
	[CONTROL_STATS_JSON] = "stats.json",
	[CONTROL_ERRORS] = "errors",
	[CONTROL_CONFIG] = "config",
	NULL,
};

int control_find(const char *name)
{
	for (int i = 0; control_names[i]; i++)
		if (strcmp(control_names[i], name) == 0)
			return i;
	return -1;
}

void control_text(struct fsys *fs, int control, struct buf *out)
{
	switch (control) {
	case CONTROL_STATS:
		stats_text(fs->stats, out);
		break;
	case CONTROL_STATS_JSON:
		stats_json(fs->stats, out);
		break;
	case CONTROL_ERRORS:
		failures_text(fs->failures, out);
		break;
	default:
		buf_puts(out, fs->config_text);
	}
}
