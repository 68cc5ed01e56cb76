/* cmd.h - what the program can be asked to do: a file cmd_NAME.c each, with one function,
 * which is called with a complete configuration, before there are threads. It returns the
 * exit status: 0, 1 for the world outside, 2 for usage and configuration; and has said
 * why, in one sentence. */
#ifndef S3SAMPLEFS_CMD_H
#define S3SAMPLEFS_CMD_H

struct config;

int cmd_mount(const struct config *c);

#endif
