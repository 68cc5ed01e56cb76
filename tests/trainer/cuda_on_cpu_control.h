/* cuda_on_cpu_control.h - in which order the threads of cuda_on_cpu.h run, and when. */
#ifndef TESTS_TRAINER_CUDA_ON_CPU_CONTROL_H
#define TESTS_TRAINER_CUDA_ON_CPU_CONTROL_H

#include <stdbool.h>

#ifdef __cplusplus
#include <functional>

struct CUstream_st;

/* NULL, or what a launch is handed to instead of running at once. Returns a cudaError_t. */
extern std::function<int(struct CUstream_st *, std::function<void()>)> cuda_on_cpu_queue;

extern "C"
#endif
void cuda_on_cpu_backwards(bool backwards);

#endif
