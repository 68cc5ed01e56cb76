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

void staging_done(struct staging *s)
{
	for (size_t i = 0; i < s->n; i++)
		piece_done(&s->piece[i]);
	if (s->copy)
		cuda_error(cudaStreamDestroy(s->copy), "copy stream");
}

static int piece_init(struct staging_piece *p)
{
	int err;

	*p = (struct staging_piece){ 0 };
	err = cuda_error(cudaHostAlloc(&p->pinned, STAGING_PIECE, cudaHostAllocDefault), "pinned");
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
static int add(struct staging *s)
{
	struct staging_piece p;
	int err = piece_init(&p);

	if (err)
		return err;
	memmove(&s->piece[s->next + 1], &s->piece[s->next], (s->n - s->next) * sizeof(p));
	s->piece[s->next] = p;
	s->n++;
	return 0;
}

/* Makes the next piece one that is free. */
static int get(struct staging *s)
{
	cudaError_t state = s->n > 0 ? cudaEventQuery(s->piece[s->next].used) : cudaErrorNotReady;
	int err;

	if (state != cudaErrorNotReady)
		return cuda_error(state, "staging");
	/* CUDA remembers that as if it were an error of the next launch. */
	(void)cudaGetLastError();
	if (s->n < STAGING_PIECES_MAX) {
		err = add(s);
		/* Too little memory for more is no failure as long as there is one. */
		if (err != -ENOMEM || s->n == 0)
			return err;
	}
	return cuda_error(cudaEventSynchronize(s->piece[s->next].used), "staging");
}

static int send(struct staging *s, cudaStream_t compute, struct staging_piece *p, void *buffer,
                size_t bytes)
{
	int err;

	err = cuda_error(cudaMemcpyAsync(p->device, p->pinned, bytes, cudaMemcpyHostToDevice, s->copy),
	                 "upload");
	if (!err)
		err = cuda_error(cudaEventRecord(p->copied, s->copy), "event");
	if (!err)
		err = cuda_error(cudaStreamWaitEvent(compute, p->copied, 0), "event");
	if (!err)
		err = cuda_error(cudaMemcpyAsync(buffer, p->device, bytes, cudaMemcpyDeviceToDevice,
		                                 compute), "upload");
	return err ? err : cuda_error(cudaEventRecord(p->used, compute), "event");
}

int staging_upload(struct staging *s, cudaStream_t compute, void *buffer, const void *host,
                   size_t bytes)
{
	int err;

	for (size_t at = 0; at < bytes; at += STAGING_PIECE) {
		size_t len = bytes - at < STAGING_PIECE ? bytes - at : STAGING_PIECE;
		struct staging_piece *p;

		err = get(s);
		if (err)
			return err;
		p = &s->piece[s->next];
		s->next = (s->next + 1) % s->n;
		memcpy(p->pinned, (const uint8_t *)host + at, len);
		err = send(s, compute, p, (uint8_t *)buffer + at, len);
		if (err)
			return err;
	}
	return 0;
}
