/* main.c - the command s3sample-train. */
#include <stdio.h>

#include "base/log.h"
#include "dist/dist.h"
#include "train/interrupt.h"
#include "train/options.h"
#include "train/run.h"
#include "util/why.h"

static int run(const struct options *o, int *argc, char ***argv, struct why *why)
{
	struct dist *d;
	int status;

	if (o->verbose)
		log_set_level(LOG_LEVEL_DEBUG);
	/* MPI's threads would end the process. */
	interrupt_block();
	if (dist_new(argc, argv, &d, why))
		return 1;
	status = run_train(o, d, why);
	dist_free(d);
	return status;
}

int main(int argc, char *argv[])
{
	struct options o;
	struct why why = { "" };
	int status = options_parse(argc, argv, &o, &why);

	if (!status) {
		if (o.action == OPTIONS_HELP)
			fputs(options_usage(), stdout);
		else if (o.action == OPTIONS_VERSION)
			printf("s3sample-train %s\n", S3SAMPLEFS_VERSION);
		else
			status = run(&o, &argc, &argv, &why);
		options_done(&o);
	}
	if (status == 1 || status == 2)
		fprintf(stderr, "s3sample-train: %s\n", why.text);
	return status;
}
