/* reference.h - what every backend computes, in plain C: one thread, sums in double
 * and in the order of the indices, no library. Slow, and right by inspection. */
#ifndef S3SAMPLE_BACKEND_REFERENCE_H
#define S3SAMPLE_BACKEND_REFERENCE_H

struct backend;

/* Returns 0 or -ENOMEM. Free with backend_free. */
int reference_new(struct backend **ret);

#endif
