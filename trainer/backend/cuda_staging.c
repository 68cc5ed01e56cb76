#include "backend/cuda_staging.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "backend/cuda_priv.h"

int staging_init(struct staging *s)
{
	return cuda_error(cudaStreamCreateWithFlags(&s->copy, cudaStreamNonBlocking), "copy stream");
}

static void piece_done(struct staging_piece *p)
{
	if (p->used)
		cuda_error(cudaEventDestroy(p->used), "event");
	if (p->copied)
		cuda_error(cudaEventDestroy(p->copied), "event");
	if (p->device)
		cuda_error(cudaFree(p->device), "free");
	if (p->pinned)
		cuda_error(cudaFreeHost(p->pinned), "free pinned");
}

static void ring_done(struct staging_ring *r)
{
	for (size_t i = 0; i < r->n; i++)
		piece_done(&r->piece[i]);
}

void staging_done(struct staging *s)
{
	ring_done(&s->plain);
	ring_done(&s->direct);
	if (s->copy)
		cuda_error(cudaStreamDestroy(s->copy), "copy stream");
}

static int piece_init(struct staging_piece *p, bool direct)
{
	int err = 0;

	*p = (struct staging_piece){ 0 };
	if (!direct)
		err = cuda_error(cudaHostAlloc(&p->pinned, STAGING_PIECE, cudaHostAllocDefault),
		                 "pinned");
	if (!err)
		err = cuda_error(cudaMalloc(&p->device, STAGING_PIECE), "staging");
	if (!err)
		err = cuda_error(cudaEventCreateWithFlags(&p->copied, cudaEventDisableTiming), "event");
	if (!err)
		err = cuda_error(cudaEventCreateWithFlags(&p->used, cudaEventDisableTiming), "event");
	if (err)
		piece_done(p);
	return err;
}

/* One more piece, as the next one. */
static int add(struct staging_ring *r, bool direct)
{
	struct staging_piece p;
	int err = piece_init(&p, direct);

	if (err)
		return err;
	memmove(&r->piece[r->next + 1], &r->piece[r->next], (r->n - r->next) * sizeof(p));
	r->piece[r->next] = p;
	r->n++;
	return 0;
}

/* Makes the next piece one that is free. */
static int get(struct cuda *cuda, struct staging_ring *r, bool direct)
{
	cudaError_t state = r->n > 0 ? cudaEventQuery(r->piece[r->next].used) : cudaErrorNotReady;
	int err;

	if (state != cudaErrorNotReady)
		return cuda_error(state, "staging");
	/* CUDA remembers that as if it were an error of the next launch. */
	(void)cudaGetLastError();
	if (r->n < STAGING_PIECES_MAX) {
		err = add(r, direct);
		/* Too little memory for more is no failure as long as there is one. */
		if (err != -ENOMEM || r->n == 0)
			return err;
	}
	return cuda_wait_event(cuda, r->piece[r->next].used, "staging");
}

/* from: pinned. */
static int send(struct cuda *cuda, struct staging_piece *p, void *buffer, const void *from,
                size_t bytes)
{
	cudaStream_t copy = cuda->staging.copy, compute = cuda->compute;
	int err;

	err = cuda_error(cudaMemcpyAsync(p->device, from, bytes, cudaMemcpyHostToDevice, copy),
	                 "upload");
	if (!err)
		err = cuda_error(cudaEventRecord(p->copied, copy), "event");
	if (!err)
		err = cuda_error(cudaStreamWaitEvent(compute, p->copied, 0), "event");
	if (!err)
		err = cuda_error(cudaMemcpyAsync(buffer, p->device, bytes, cudaMemcpyDeviceToDevice,
		                                 compute), "upload");
	return err ? err : cuda_error(cudaEventRecord(p->used, compute), "event");
}

int staging_upload(struct cuda *cuda, void *buffer, const void *host, size_t bytes, bool pinned)
{
	struct staging_ring *r = pinned ? &cuda->staging.direct : &cuda->staging.plain;
	int err;

	for (size_t at = 0; at < bytes; at += STAGING_PIECE) {
		size_t len = bytes - at < STAGING_PIECE ? bytes - at : STAGING_PIECE;
		const uint8_t *from = (const uint8_t *)host + at;
		struct staging_piece *p;

		err = get(cuda, r, pinned);
		if (err)
			return err;
		p = &r->piece[r->next];
		r->next = (r->next + 1) % r->n;
		if (!pinned)
			from = memcpy(p->pinned, from, len);
		err = send(cuda, p, (uint8_t *)buffer + at, from, len);
		if (err)
			return err;
	}
	return 0;
}
