/* cuda_staging.h - from the host's memory to the GPU's while the GPU computes.
 *
 * A buffer can't be written as long as queued work may read it, and the GPU can copy from
 * the host on its own only out of pinned memory. So what is uploaded goes piece by piece
 *
 *     the caller's memory -> pinned memory -> GPU, a piece's own -> GPU, the buffer
 *                    by the CPU,    on the copy stream,     on the compute stream,
 *
 * and only the last step, which takes microseconds, waits for the work queued before it.
 * Where the caller's memory is pinned, there is no first step.
 *
 * A piece is used again when its last step is done. If the next one isn't free there will
 * be one more, up to PIECES_MAX of PIECE bytes each for either kind of memory (on both sides,
 * or on the GPU alone); then the caller waits. */
#ifndef S3SAMPLE_BACKEND_CUDA_STAGING_H
#define S3SAMPLE_BACKEND_CUDA_STAGING_H

#include <stdbool.h>
#include <stddef.h>

#include <cuda_runtime_api.h>

#define STAGING_PIECE ((size_t)4 << 20) /* bytes */
#define STAGING_PIECES_MAX 64           /* a batch of 256 MiB on its way */

struct cuda;

struct staging_piece {
	void *pinned;       /* NULL for what comes from pinned memory */
	void *device;
	cudaEvent_t copied; /* on the copy stream: device has what pinned has */
	cudaEvent_t used;   /* on the compute stream: the buffer has what device has */
};

struct staging_ring {
	struct staging_piece piece[STAGING_PIECES_MAX];
	size_t n, next; /* pieces there are; the one used longest ago */
};

struct staging {
	cudaStream_t copy;
	struct staging_ring plain, direct; /* for plain memory, and for pinned */
};

/* All return 0, -ENOMEM or -EIO. The device they were made on is the thread's device. */
int staging_init(struct staging *s);

/* Takes zeros and half-built ones. Nothing may be on its way. */
void staging_done(struct staging *s);

/* Queues the copy of host's bytes to buffer behind the work on cuda's compute stream. host is
 * free when it returns; if all of it is pinned, when that stream has come there. May wait for
 * it, as cuda_wait does. */
int staging_upload(struct cuda *cuda, void *buffer, const void *host, size_t bytes, bool pinned);

#endif
