/* cuda_nccl.h - sums over the GPUs of several ranks, by NCCL. Built where there is NCCL
 * (HAVE_NCCL).
 *
 * All ranks have to join, with an id that one of them made and told the others, each with a
 * GPU of its own; and then to add up the same numbers of values in the same order. NCCL chooses
 * in which order it adds, by the GPUs' connections, and need not choose the same in the next run;
 * what comes out is the same on all ranks.
 *
 * Where a rank is gone, the others' functions that wait for the GPU (upload, download, release)
 * give up what it was asked for as soon as NCCL notices. All that return something fail
 * from then on, with -ECONNRESET where NCCL says that a rank was lost. */
#ifndef S3SAMPLE_BACKEND_CUDA_NCCL_H
#define S3SAMPLE_BACKEND_CUDA_NCCL_H

#include <stddef.h>
#include <stdint.h>

struct backend;

#define CUDA_NCCL_ID 128 /* bytes */

/* An id for one cuda_nccl_join of all ranks. Whoever makes it has to be there until all have
 * joined. Returns 0 or -EIO. */
int cuda_nccl_id(uint8_t ret[CUDA_NCCL_ID]);

/* Waits for the others. b is a backend of cuda_new that hasn't joined yet. Returns 0, -ECONNRESET
 * (one of the others is gone), -ETIMEDOUT (they didn't come within minutes) or -EIO; b can only be
 * freed then. backend_free leaves, which all ranks should do at about the same time. */
int cuda_nccl_join(struct backend *b, const uint8_t id[CUDA_NCCL_ID], unsigned rank, unsigned ranks);

/* Replaces n values, float32 in a buffer of b, by their sums over all ranks, behind the work queued
 * before. Returns 0, -ENOTCONN (b hasn't joined), -ECONNRESET or -EIO. */
int cuda_nccl_sum(struct backend *b, float *values, size_t n);

#endif
