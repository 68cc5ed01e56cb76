/* vec.h - arrays that grow by one element at a time.
 *
 *     struct thing *things;  size_t n, room;
 *
 *     if (vec_grow(&things, n, &room, sizeof(*things)))
 *             return -ENOMEM;
 *     things[n++] = thing;
 *
 * Whoever owns the array frees it with free(), and sets its cap: nothing here does. */
#ifndef S3SAMPLEFS_BASE_VEC_H
#define S3SAMPLEFS_BASE_VEC_H

#include <stddef.h>

/* array: address of the pointer to the elements, NULL at first. n of *room elements of size
 * bytes are used. Makes room for one more, doubling, so that n additions cost n copies at most.
 * Returns 0, or -ENOMEM: all is as it was. */
int vec_grow(void *array, size_t n, size_t *room, size_t size);

#endif
