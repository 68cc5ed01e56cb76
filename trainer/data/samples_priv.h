/* samples_priv.h - where samples come from. */
#ifndef S3SAMPLE_DATA_SAMPLES_PRIV_H
#define S3SAMPLE_DATA_SAMPLES_PRIV_H

#include "data/samples.h"

#define SAMPLES_MAX 50000000u
#define CLASSES_MAX 65536u
#define CLASS_UNKNOWN UINT32_MAX /* of a sample: to be numbered by its label */

/* Appends a copy. Returns 0, -ENOMEM, or -EINVAL with why: a path that leaves DIR, an
 * empty label, too many samples. */
int samples_add(struct samples *s, const struct sample *sample, struct why *why);

/* samples_index.c. -ENOENT without a sentence: there is no index.csv. */
int samples_index(const char *folder, struct samples *s, struct why *why);

/* samples_walk.c */
int samples_walk(const char *folder, struct samples *s, struct why *why);

#endif
