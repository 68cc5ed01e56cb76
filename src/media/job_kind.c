#include "media/job_kind.h"

#include <errno.h>

static const struct job_kind kinds[] = {
	/* It was larger than there was room for: to be made again with more. */
	[PROTO_PROBE] = { .own_error = -ENOSPC },
	/* A frame didn't come out where the table says: to be tried otherwise. */
	[PROTO_FRAMES] = { .by_rows = true, .keeps_decoder = true, .is_partial = true, .own_error = -EAGAIN },
	[PROTO_MFCC] = { 0 },
	[PROTO_SOUND] = { 0 },
};

const struct job_kind *job_kind(enum proto_kind kind)
{
	return &kinds[kind];
}
