/* The kernels of the GPU's backend, compiled for the CPU, and what runs them there. */
#include "cuda_on_cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <vector>

#include "backend/cuda_layers.cu"
#include "backend/cuda_loss.cu"
#include "backend/cuda_norm.cu"
#include "backend/cuda_optimizers.cu"
#include "backend/cuda_samples.cu"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

struct cuda_on_cpu_index threadIdx, blockIdx, blockDim, gridDim;
std::function<int(struct CUstream_st *, std::function<void()>)> cuda_on_cpu_queue;

static const size_t stack_size = (size_t)64 << 10; /* bytes */

/* A stack and who runs on it. The sanitizers want to be told of each change. */
struct fiber {
	ucontext_t context;
	void *stack;
	size_t size;
	void *saved; /* the address sanitizer's, while it doesn't run */
	void *tsan;
};

static struct fiber scheduler; /* stack is learned from the sanitizer */
static std::vector<struct fiber> fibers;
static unsigned ended; /* of this block */
static std::function<void()> running;
static bool backwards;

void cuda_on_cpu_backwards(bool is_backwards)
{
	backwards = is_backwards;
}

static void change(struct fiber *from, struct fiber *to, bool last)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(last ? nullptr : &from->saved, to->stack, to->size);
#elif defined(__SANITIZE_THREAD__)
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	(void)last;
	swapcontext(&from->context, &to->context);
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(from->saved, nullptr, nullptr);
#endif
}

static void body(void)
{
#if defined(__SANITIZE_ADDRESS__)
	const void *stack;

	__sanitizer_finish_switch_fiber(nullptr, &stack, &scheduler.size);
	scheduler.stack = const_cast<void *>(stack);
#endif
	running();
	ended++;
	change(&fibers[threadIdx.x], &scheduler, true);
}

void __syncthreads(void)
{
	change(&fibers[threadIdx.x], &scheduler, false);
}

/* One fiber until its next barrier or its end. */
static void resume(unsigned thread)
{
	threadIdx.x = thread;
	change(&scheduler, &fibers[thread], false);
}

static void fibers_init(unsigned threads)
{
	while (fibers.size() < threads) {
		struct fiber f = {};

		f.size = stack_size;
		f.stack = mmap(nullptr, f.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		               0);
		if (f.stack == MAP_FAILED)
			abort();
#if defined(__SANITIZE_THREAD__)
		f.tsan = __tsan_create_fiber(0);
#endif
		fibers.push_back(f);
	}
#if defined(__SANITIZE_THREAD__)
	scheduler.tsan = __tsan_get_current_fiber();
#endif
}

static void fiber_start(struct fiber *f)
{
	getcontext(&f->context);
	f->context.uc_stack.ss_sp = f->stack;
	f->context.uc_stack.ss_size = f->size;
	f->context.uc_link = nullptr;
	makecontext(&f->context, body, 0);
}

static void run_block(unsigned threads)
{
	for (unsigned i = 0; i < threads; i++)
		fiber_start(&fibers[i]);
	ended = 0;
	while (ended < threads) {
		for (unsigned i = 0; i < threads; i++)
			resume(backwards ? threads - 1 - i : i);
		if (ended != 0 && ended != threads) {
			fprintf(stderr, "%u of %u threads ended where others wait at a barrier\n", ended,
			        threads);
			abort();
		}
	}
}

void cuda_on_cpu_run(unsigned blocks, unsigned threads, const std::function<void()> &kernel)
{
	fibers_init(threads);
	running = kernel;
	blockDim.x = threads;
	gridDim.x = blocks;
	for (unsigned i = 0; i < blocks; i++) {
		blockIdx.x = backwards ? blocks - 1 - i : i;
		run_block(threads);
	}
	running = nullptr;
}
