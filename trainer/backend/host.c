#include "backend/host.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64 /* bytes: a cache line, and the widest vector */

int host_alloc(struct backend *b, size_t bytes, void **ret)
{
	void *buffer;

	(void)b;
	if (bytes > SIZE_MAX - ALIGNMENT)
		return -ENOMEM;
	bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	buffer = aligned_alloc(ALIGNMENT, bytes);
	if (!buffer)
		return -ENOMEM;
	memset(buffer, 0, bytes);
	*ret = buffer;
	return 0;
}

void host_release(struct backend *b, void *buffer)
{
	(void)b;
	free(buffer);
}

int host_upload(struct backend *b, void *buffer, const void *host, size_t bytes)
{
	(void)b;
	memcpy(buffer, host, bytes);
	return 0;
}

int host_download(struct backend *b, void *host, const void *buffer, size_t bytes)
{
	(void)b;
	memcpy(host, buffer, bytes);
	return 0;
}

int host_zero(struct backend *b, void *buffer, size_t bytes)
{
	(void)b;
	memset(buffer, 0, bytes);
	return 0;
}
