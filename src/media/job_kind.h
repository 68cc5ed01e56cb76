/* job_kind.h - what the pool has to know of a kind of job: one row each. What is done with the
 * result is the affair of whoever gives the job; what the worker does, of worker/serve.c. */
#ifndef S3SAMPLEFS_MEDIA_JOB_KIND_H
#define S3SAMPLEFS_MEDIA_JOB_KIND_H

#include <stdbool.h>

#include "media/proto.h"

struct job_kind {
	bool by_rows;          /* the result comes row by row, each told by ROW, as the input lists them;
	                          else as a whole, as long as DONE says */
	bool keeps_decoder;    /* after it a later job of its session may go on */
	bool is_partial;       /* some of it may be had without the bytes that it wants first */
	int own_error;         /* that workers may say of this kind alone; 0: none */
};

const struct job_kind *job_kind(enum proto_kind kind);

#endif
