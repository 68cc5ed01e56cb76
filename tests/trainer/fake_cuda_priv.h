/* fake_cuda_priv.h - what fake_cuda.cc and fake_cudnn.cc share. */
#ifndef TESTS_TRAINER_FAKE_CUDA_PRIV_H
#define TESTS_TRAINER_FAKE_CUDA_PRIV_H

#include <functional>

#include <cuda_runtime_api.h>

/* Queues work on a stream. */
void fake_cuda_queue(cudaStream_t stream, std::function<void()> work);

/* The same; it says whether it is done, or has to be asked again. */
void fake_cuda_queue_until(cudaStream_t stream, std::function<bool()> work);

/* While it is held, nothing may be queued: something else has to come first. */
void fake_cuda_hold(cudaStream_t stream, bool held);

/* Lets another thread run that plays a rank, for who has to wait; false if there is none. */
extern std::function<bool()> fake_cuda_yield;

/* The device of this thread. */
int fake_cuda_device(void);

/* True if this call is the one that has to fail. */
bool fake_cuda_fails(void);

/* One more (or less) object. */
void fake_cuda_count(int change);

unsigned fake_cuda_random(void);

/* What a tensor core sees of a float32. Counted. */
float fake_cuda_to_tf32(float v);
void fake_cuda_count_tf32(void);

/* Ends the test: a call that the real library would not survive. */
[[noreturn]] void fake_cuda_wrong(const char *what);

#endif
