/* mdat.h - where the payload of an mp4's next fragments is, from nothing but the
 * headers of its top-level boxes (ISO/IEC 14496-12). */
#ifndef S3SAMPLEFS_WORKER_MDAT_H
#define S3SAMPLEFS_WORKER_MDAT_H

#include <stddef.h>
#include <stdint.h>

#include "worker/input.h"

struct mdat {
	struct input *in;
	uint64_t next;                  /* offset of the first box not looked at */
	struct input_range *ranges;     /* bytes that nobody needs to read, up to there */
	size_t n, allocated;
};

/* All up to the end of the top-level box around off is taken for payload: a
 * demuxer that stands at off has read what it needs of it. Returns 0 or -errno;
 * mdat_done in any case. */
int mdat_init(struct mdat *m, struct input *in, uint64_t off);
void mdat_done(struct mdat *m);

/* Goes on to the end of the next mdat. Returns 1, 0 when there is none (or
 * nothing more that is a box), or -errno. */
int mdat_next(struct mdat *m);

#endif
