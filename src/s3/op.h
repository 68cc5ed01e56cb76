/* op.h - one operation on a bucket from its first attempt to its callback:
 * signing, retries, corrections. What an operation asks for and makes of the
 * answer is its kind's (s3.c).
 *
 * An operation lives from op_start to the call of its kind's complete or fail,
 * whichever thread that is on, and frees itself after it. At any time it is in
 * the hands of http, of signer, or of the one thread that runs its hook. */
#ifndef S3SAMPLEFS_S3_OP_H
#define S3SAMPLEFS_S3_OP_H

#include <pthread.h>

#include "base/stats.h"
#include "s3/endpoint.h"
#include "net/http.h"
#include "s3/request.h"
#include "s3/retry.h"
#include "s3/signer.h"
#include "s3/verdict.h"
#include "aws/why.h"

/* What all operations share. */
struct op_client {
	struct endpoint endpoint;
	struct http *http;
	struct signer *signer;
	struct stats *stats;
	unsigned max_attempts;
	uint64_t timeout_ms;
	pthread_mutex_t lock;
	/* lock: */
	struct retry_bucket bucket;
};

#define OP_PARAMS_MAX 6

/* The part of a request that depends on the kind. */
struct op_request {
	struct sigv4_pair params[OP_PARAMS_MAX];
	size_t n_params;
	const char *range;
	const char *if_match;
	char text[64];               /* room for what range or a parameter points to */
};

struct op;

struct op_kind {
	enum verdict_op op;
	enum http_method method;
	enum stat_id counter;
	size_t text_cap;             /* bytes of a body that is text */
	bool of_bucket;              /* key isn't part of the path */
	/* Before each attempt. Returns 0 or -ENOMEM. */
	int (*describe)(struct op *op, struct op_request *ret_request);
	/* NULL: every body is text. Sets op->refused when it refuses. */
	enum http_body (*accept)(struct op *op);
	/* NULL, or called after each attempt, however it ended. */
	void (*ended)(struct op *op);
	/* NULL, or whether all that was asked for has come, however the attempt ended. */
	bool (*is_whole)(struct op *op);
	/* A 2xx arrived. Calls the callback and returns CAUSE_NONE, or says what was
	 * wrong with the answer. */
	enum cause (*complete)(struct op *op);
	void (*fail)(struct op *op, int err, const char *why);
	void (*free)(struct op *op);
};

/* Embedded first in each kind's own struct; zeroed memory. */
struct op {
	struct http_request http;
	const struct op_kind *kind;
	struct op_client *client;
	char *key;                   /* malloc'd, freed by op: whole key; of a listing its prefix */
	enum cause refused;

	/* The engine's own. */
	struct signer_wait wait;
	struct verdict verdict;      /* of the last attempt that failed */
	struct verdict refusal;      /* of the HEAD whose code is being learned */
	struct creds *creds;         /* what that attempt was signed with */
	char region[ENDPOINT_REGION_SIZE];
	unsigned attempts;
	unsigned corrected;          /* bit mask of enum correction */
	bool learning;               /* a GET of one byte is under way to learn a code */
};

void op_start(struct op *op);

/* op_start for what can't be sent at all: calls fail, frees. */
void op_refuse(struct op *op, int err, const char *why);

#endif
