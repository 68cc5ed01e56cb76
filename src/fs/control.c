/* control.c - .s3samplefs: what the filesystem tells about itself, and is told. A file is a row here:
 * its text is made when it is opened; like those of /proc it has size 0. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "fs/fs_priv.h"

static void read_stats(struct fsys *fs, struct buf *out)
{
	stats_text(fs->stats, out);
}

static void read_stats_json(struct fsys *fs, struct buf *out)
{
	stats_json(fs->stats, out);
}

static void read_errors(struct fsys *fs, struct buf *out)
{
	failures_text(fs->failures, out);
}

static void read_config(struct fsys *fs, struct buf *out)
{
	buf_puts(out, fs->config_text);
}

static const struct control_file files[] = {
	{ .name = "stats", .read = read_stats },
	{ .name = "stats.json", .read = read_stats_json },
	{ .name = "errors", .read = read_errors },
	{ .name = "config", .read = read_config },
};

#define COUNT ((int)(sizeof(files) / sizeof(files[0])))

const struct control_file *control_file(int number)
{
	return number >= 0 && number < COUNT ? &files[number] : NULL;
}

int control_find(const char *name)
{
	for (int i = 0; i < COUNT; i++)
		if (strcmp(files[i].name, name) == 0)
			return i;
	return -1;
}

mode_t control_mode(int number)
{
	return (files[number].read ? 0444 : 0) | (files[number].write ? 0222 : 0);
}
