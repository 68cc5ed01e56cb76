/* host.h - buffers of backends whose device is the host's memory. */
#ifndef S3SAMPLE_BACKEND_HOST_H
#define S3SAMPLE_BACKEND_HOST_H

#include <stddef.h>

struct backend;

int host_alloc(struct backend *b, size_t bytes, void **ret);
void host_release(struct backend *b, void *buffer);
int host_upload(struct backend *b, void *buffer, const void *host, size_t bytes);
int host_download(struct backend *b, void *host, const void *buffer, size_t bytes);
int host_zero(struct backend *b, void *buffer, size_t bytes);

#endif
