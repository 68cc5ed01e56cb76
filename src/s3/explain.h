/* explain.h - a verdict as a sentence: cause, bucket and key, status and code,
 * attempts, and what to do where that is plain. Pure. */
#ifndef S3SAMPLEFS_S3_EXPLAIN_H
#define S3SAMPLEFS_S3_EXPLAIN_H

#include <stdint.h>

#include "s3/endpoint.h"
#include "s3/verdict.h"
#include "aws/why.h"

struct explain {
	enum verdict_op op;
	const struct endpoint *endpoint;
	const char *region;          /* asked in */
	const char *key;             /* whole; of a listing its prefix */
	const char *creds_source;    /* NULL: unsigned */
	const char *proxy;           /* NULL: none */
	unsigned attempts;           /* made */
	uint64_t timeout_ms;
};

void explain(char why[AWS_WHY_MAX], const struct verdict *v, const struct explain *about);

#endif
