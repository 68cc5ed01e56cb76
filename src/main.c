/* main.c - reads what the user wants, and has the command do it. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/heap.h"
#include "cmd.h"
#include "config/config.h"

static void tell_warnings(const struct config *c)
{
	for (const char *at = c->warnings; at && *at;) {
		int len = (int)strcspn(at, "\n");

		fprintf(stderr, "s3samplefs: warning: %.*s\n", len, at);
		at += len + 1;
	}
}

/* What we hold, credentials above all, is nobody's to read: neither a core nor /proc/PID, where our
 * own user's other processes could look, the decoders among them. */
static void hide_memory(void)
{
#ifndef S3SAMPLEFS_SANITIZE /* which trace their own process */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

int main(int argc, char *argv[])
{
	struct config c;
	char why[CONFIG_WHY_MAX];
	int status;

	hide_memory();
	heap_init();
	status = config_parse(argc, argv, &c, why);
	if (status) {
		fprintf(stderr, "s3samplefs: %s\n", why);
		return status;
	}
	switch (c.action) {
	case CONFIG_HELP:
		fputs(config_usage(), stdout);
		break;
	case CONFIG_VERSION:
		printf("s3samplefs %s\n", S3SAMPLEFS_VERSION);
		break;
	case CONFIG_MOUNT:
		tell_warnings(&c);
		status = cmd_mount(&c);
		break;
	}
	config_done(&c);
	return status;
}
