/* Memory of the host that the GPU can copy from on its own. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda_priv.h"

/* One for each host_alloc: a few, of some megabytes. */
struct pinned {
	struct pinned *next;
	uint8_t *start;
	size_t bytes;
};

int cuda_host_alloc(struct backend *b, size_t bytes, void **ret)
{
	struct cuda *cuda = cuda_of(b);
	struct pinned *p = malloc(sizeof(*p));
	void *start;
	int err;

	if (!p)
		return -ENOMEM;
	err = cuda_enter(cuda);
	if (!err)
		err = cuda_error(cudaHostAlloc(&start, bytes, cudaHostAllocDefault), "host alloc");
	if (err) {
		free(p);
		return err;
	}
	memset(start, 0, bytes);
	*p = (struct pinned){ cuda->pinned, start, bytes };
	cuda->pinned = p;
	*ret = start;
	return 0;
}

void cuda_host_free(struct backend *b, void *host)
{
	struct cuda *cuda = cuda_of(b);
	struct pinned **at = &cuda->pinned, *p;

	if (!host)
		return;
	while (*at && (*at)->start != host)
		at = &(*at)->next;
	p = *at;
	assert(p);
	*at = p->next;
	cuda_enter(cuda);
	/* After a failure nobody has waited for what was on its way. */
	cuda_error(cudaStreamSynchronize(cuda->staging.copy), "host free");
	cuda_error(cudaFreeHost(p->start), "host free");
	free(p);
}

bool cuda_is_pinned(const struct cuda *cuda, const void *host, size_t bytes)
{
	uintptr_t from = (uintptr_t)host;

	for (const struct pinned *p = cuda->pinned; p; p = p->next) {
		uintptr_t start = (uintptr_t)p->start;

		if (from >= start && from - start < p->bytes)
			return bytes <= p->bytes - (from - start);
	}
	return false;
}
