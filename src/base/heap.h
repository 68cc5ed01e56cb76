/* heap.h - the C library's heap, made to give memory back: what isn't counted any more
 * should not be ours any more either. */
#ifndef S3SAMPLEFS_BASE_HEAP_H
#define S3SAMPLEFS_BASE_HEAP_H

#include <stddef.h>

/* Allocations of this size and more are mappings of their own, gone when they are freed.
 * glibc begins so, but raises the size to that of whatever mapping is freed, up to 32 MiB;
 * from then on rows are cut out of one heap, which keeps what isn't at its end. */
#define HEAP_MAPPED ((size_t)128 << 10)

/* Once, before there are threads. */
void heap_init(void);

/* Gives back what was freed of smaller pieces. Takes milliseconds for each 100 MB of them:
 * with no lock held, once much was freed. Any thread. */
void heap_trim(void);

#endif
