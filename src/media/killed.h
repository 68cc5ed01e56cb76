/* killed.h - objects whose decoders were killed from outside, with no other at work: for a
 * while they aren't tried again. By object and kind of job; what is in memory of them is
 * served all the same. No lock of its own: all under samples.lock. */
#ifndef S3SAMPLEFS_MEDIA_KILLED_H
#define S3SAMPLEFS_MEDIA_KILLED_H

#include <stdint.h>

#include "media/samples.h"

struct killed;                        /* a set; NULL: the empty one */

/* Remembers it for ttl_ms (UINT64_MAX: for ever) from now_ms. Out of memory: doesn't. */
void killed_note(struct killed **set, uint64_t object, uint64_t kind, uint64_t now_ms, uint64_t ttl_ms,
                 const char *why);

/* Why not to try, valid until the set changes; NULL: nothing is known against it. */
const char *killed_why(struct killed **set, uint64_t object, uint64_t kind, uint64_t now_ms);

void killed_free(struct killed **set);

#endif
