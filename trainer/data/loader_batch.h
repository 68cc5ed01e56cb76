/* loader_batch.h - the memory of one batch. */
#ifndef S3SAMPLE_DATA_LOADER_BATCH_H
#define S3SAMPLE_DATA_LOADER_BATCH_H

#include "data/loader.h"

/* Returns 0, -ENOMEM or what the allocator returned; batch_done takes half-built ones, and zeros. */
int batch_init(struct batch *b, const struct loader_config *config);
void batch_done(struct batch *b, const struct loader_config *config);

/* Empties it: no bad samples, the places from n on zero. */
void batch_reset(struct batch *b, const struct loader_config *config, size_t n);

/* Makes a place one that doesn't count, for this reason. Returns 0 or -ENOMEM. */
int batch_mark_bad(struct batch *b, const struct loader_config *config, size_t place,
                   const char *reason);

/* Bad samples in order of place, whichever was found first. */
void batch_sort_bad(struct batch *b);

#endif
