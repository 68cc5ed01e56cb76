#include "base/heap.h"

#include <limits.h>
#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

void heap_init(void)
{
#ifdef __GLIBC__
	/* Saying it keeps it. */
	mallopt(M_MMAP_THRESHOLD, (int)HEAP_MAPPED);
	/* Beyond 65536 of them, its default, they would be cut from the heap again. */
	mallopt(M_MMAP_MAX, INT_MAX);
#endif
}

void heap_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
