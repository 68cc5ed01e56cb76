#include "base/vec.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 64 /* elements */

int vec_grow(void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : FIRST;
	void *elements;

	if (n < *room)
		return 0;
	if (*room > SIZE_MAX / 2 || more > SIZE_MAX / size)
		return -ENOMEM;
	/* All pointers to objects look alike, but aren't one type. */
	memcpy(&elements, array, sizeof(elements));
	elements = realloc(elements, more * size);
	if (!elements)
		return -ENOMEM;
	memcpy(array, &elements, sizeof(elements));
	*room = more;
	return 0;
}
