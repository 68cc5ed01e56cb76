/* fake_cuda.h - the parts of CUDA's runtime, cuBLAS and cuDNN that the backend calls, on the
 * CPU: for tests of how it calls them, where there is no GPU.
 *
 * Streams are queues. What is queued runs when somebody has to wait for it, or by chance
 * (fake_cuda_seed) earlier: in every order that streams and events allow. Device memory is
 * the host's, so that the address sanitizer sees what runs after its buffer was freed.
 *
 * cuDNN's first choice of algorithm gives other bits in each run, others ask for too much
 * memory, don't exist, or round to TF32 unless forbidden; all fill their workspace and
 * refuse filters at odd addresses. */
#ifndef TESTS_TRAINER_FAKE_CUDA_H
#define TESTS_TRAINER_FAKE_CUDA_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

void fake_cuda_seed(unsigned seed);

/* Devices there are from now on, and the first part of their compute capability. */
void fake_cuda_devices(int n);
void fake_cuda_capability(int major);

/* The driver's version from now on, as CUDA gives it (13000: 13.0, at first); 0: there is none.
 * The runtime is 13.0, and calls both too old. */
void fake_cuda_driver(int version);

/* Whether the kernels were built for the device. */
void fake_cuda_code(bool there);

/* The call with this number from now on, counted from 1, fails; 0: none. Of destructors,
 * none does. */
void fake_cuda_fail(unsigned call);

/* Calls since fake_cuda_fail. */
unsigned fake_cuda_calls(void);

/* Buffers, streams, events, handles and descriptors not freed yet. */
int fake_cuda_live(void);

/* Copies from pinned memory so far that found other bytes there than when they were asked for. */
unsigned fake_cuda_changed(void);

/* Products that rounded to TF32 so far. */
unsigned fake_cuda_tf32(void);

#ifdef __cplusplus
}
#endif

#endif
