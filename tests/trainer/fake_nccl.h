/* fake_nccl.h - the parts of NCCL that the backend calls, among threads of one process that each
 * play a rank, over fake_cuda.h.
 *
 * One of the threads runs at a time, and another one, by chance (fake_cuda_seed), when it asks
 * how far NCCL or the GPU is. Communicators don't block: what was asked for is done some questions
 * later. Values are added in a ring's order, another one for each part of them. */
#ifndef TESTS_TRAINER_FAKE_NCCL_H
#define TESTS_TRAINER_FAKE_NCCL_H

#ifdef __cplusplus
extern "C" {
#endif

/* Runs body as each of so many ranks, and returns when all have returned. */
void fake_nccl_ranks(int ranks, void (*body)(int rank, void *arg), void *arg);

/* To the others this rank is gone, as if its process had been killed. */
void fake_nccl_vanish(void);

/* Sums so far in which ranks differed about the number of values. */
unsigned fake_nccl_mismatches(void);

#ifdef __cplusplus
}
#endif

#endif
