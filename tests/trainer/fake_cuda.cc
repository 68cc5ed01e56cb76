#include "fake_cuda.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include "cuda_on_cpu_control.h"
#include "fake_cuda_priv.h"

/* Says whether it is done, or has to wait. */
typedef std::function<bool()> entry;

struct CUstream_st {
	std::deque<entry> queue;
	bool held;
};

struct CUevent_st {
	unsigned recorded, done; /* records so far, and the last one that was reached */
};

/* Memory of cudaHostAlloc. */
struct pinned {
	size_t size;
	unsigned reads; /* copies from it that are queued */
};

static std::vector<cudaStream_t> streams;
static std::map<const char *, struct pinned> pinned; /* by its start */
static int devices = 1, capability = 9, driver = 13000, live;
static bool code = true;
static thread_local int device = -1;
static unsigned failing, calls, tf32, changed;
static uint32_t random_state = 1;
static thread_local cudaError_t last_error = cudaSuccess;
std::function<bool()> fake_cuda_yield;

/* ---- control ------------------------------------------------------------------------- */

void fake_cuda_seed(unsigned seed)
{
	random_state = seed * 2654435761u + 1;
}

void fake_cuda_capability(int major)
{
	capability = major;
}

void fake_cuda_driver(int version)
{
	driver = version;
}

void fake_cuda_code(bool there)
{
	code = there;
}

void fake_cuda_devices(int n)
{
	devices = n;
}

void fake_cuda_fail(unsigned call)
{
	failing = call;
	calls = 0;
}

unsigned fake_cuda_calls(void)
{
	return calls;
}

int fake_cuda_live(void)
{
	return live;
}

unsigned fake_cuda_tf32(void)
{
	return tf32;
}

unsigned fake_cuda_changed(void)
{
	return changed;
}

unsigned fake_cuda_random(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

bool fake_cuda_fails(void)
{
	return ++calls == failing;
}

void fake_cuda_count(int change)
{
	live += change;
}

void fake_cuda_wrong(const char *what)
{
	fprintf(stderr, "fake CUDA: %s\n", what);
	abort();
}

void fake_cuda_count_tf32(void)
{
	tf32++;
}

float fake_cuda_to_tf32(float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	bits = (bits + 0x1000) & ~UINT32_C(0x1fff);
	memcpy(&v, &bits, sizeof(v));
	return v;
}

int fake_cuda_device(void)
{
	return device;
}

static cudaError_t failed(cudaError_t error)
{
	last_error = error;
	return error;
}

/* For calls that need a device; the error if this one has to fail. */
static cudaError_t enter(cudaError_t error)
{
	if (device < 0)
		fake_cuda_wrong("no device was set");
	return fake_cuda_fails() ? failed(error) : cudaSuccess;
}

/* ---- streams ------------------------------------------------------------------------- */

/* One entry of a stream. */
static bool step(cudaStream_t stream)
{
	if (stream->queue.empty() || !stream->queue.front()())
		return false;
	stream->queue.pop_front();
	return true;
}

/* Others than stream first, so that they are as far as they can be. */
static void run_until(cudaStream_t stream, const std::function<bool()> &reached)
{
	while (!reached()) {
		bool moved = stream && fake_cuda_random() % 2 && step(stream);

		for (size_t i = 0; i < streams.size() && !moved; i++)
			moved = step(streams[(i + fake_cuda_random()) % streams.size()]);
		for (size_t i = 0; i < streams.size() && !moved; i++)
			moved = step(streams[i]);
		if (!moved && !(fake_cuda_yield && fake_cuda_yield()))
			fake_cuda_wrong("streams wait for each other");
	}
}

static void by_chance(void)
{
	for (unsigned n = fake_cuda_random() % 4; n > 0 && !streams.empty(); n--)
		step(streams[fake_cuda_random() % streams.size()]);
}

void fake_cuda_queue_until(cudaStream_t stream, std::function<bool()> work)
{
	if (!stream)
		fake_cuda_wrong("the default stream");
	if (stream->held)
		fake_cuda_wrong("work queued before what has to come first");
	stream->queue.push_back(work);
	by_chance();
}

void fake_cuda_queue(cudaStream_t stream, std::function<void()> work)
{
	fake_cuda_queue_until(stream, [work]() {
		work();
		return true;
	});
}

void fake_cuda_hold(cudaStream_t stream, bool held)
{
	stream->held = held;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *ret, unsigned flags)
{
	cudaError_t error = enter(cudaErrorUnknown);

	if (error)
		return error;
	if (flags != cudaStreamNonBlocking)
		fake_cuda_wrong("a stream that waits for the default stream");
	*ret = new CUstream_st();
	streams.push_back(*ret);
	live++;
	cuda_on_cpu_queue = [](struct CUstream_st *stream, std::function<void()> kernel) {
		cudaError_t launch = enter(cudaErrorLaunchOutOfResources);

		if (!launch && !code)
			launch = failed(cudaErrorNoKernelImageForDevice);

		if (!launch)
			launch = cudaGetLastError();
		if (!launch)
			fake_cuda_queue(stream, kernel);
		return (int)launch;
	};
	return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
	if (!stream->queue.empty())
		fake_cuda_wrong("a stream destroyed at work");
	streams.erase(std::find(streams.begin(), streams.end(), stream));
	delete stream;
	live--;
	return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
	run_until(stream, [=]() { return stream->queue.empty(); });
	return enter(cudaErrorUnknown);
}

/* Not done yet: others may have to run for it. */
static cudaError_t not_ready(void)
{
	if (fake_cuda_yield)
		fake_cuda_yield();
	return failed(cudaErrorNotReady);
}

cudaError_t cudaStreamQuery(cudaStream_t stream)
{
	cudaError_t error = enter(cudaErrorUnknown);

	if (error)
		return error;
	by_chance();
	return stream->queue.empty() ? cudaSuccess : not_ready();
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
	unsigned number = event->recorded;
	cudaError_t error = enter(cudaErrorUnknown);

	if (!error)
		fake_cuda_queue_until(stream, [=]() { return event->done >= number; });
	return error;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *ret, unsigned)
{
	cudaError_t error = enter(cudaErrorUnknown);

	if (error)
		return error;
	*ret = new CUevent_st();
	live++;
	return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
	delete event;
	live--;
	return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
	cudaError_t error = enter(cudaErrorUnknown);
	unsigned number;

	if (error)
		return error;
	number = ++event->recorded;
	fake_cuda_queue(stream, [=]() { event->done = std::max(event->done, number); });
	return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
	cudaError_t error = enter(cudaErrorUnknown);

	if (error)
		return error;
	by_chance();
	return event->done >= event->recorded ? cudaSuccess : not_ready();
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
	run_until(NULL, [=]() { return event->done >= event->recorded; });
	return enter(cudaErrorUnknown);
}

/* ---- memory -------------------------------------------------------------------------- */

static cudaError_t allocate(void **ret, size_t size)
{
	cudaError_t error = enter(cudaErrorMemoryAllocation);

	if (error)
		return error;
	*ret = aligned_alloc(256, (size + 255) / 256 * 256);
	/* Of large ones the beginning: time goes by for the rest. */
	memset(*ret, 0xa5, std::min(size, (size_t)1 << 20));
	live++;
	return cudaSuccess;
}

static cudaError_t release(void *buffer)
{
	live -= buffer != NULL;
	free(buffer);
	return cudaSuccess;
}

cudaError_t cudaMalloc(void **ret, size_t size)
{
	return allocate(ret, size);
}

cudaError_t cudaFree(void *buffer)
{
	return release(buffer);
}

cudaError_t cudaHostAlloc(void **ret, size_t size, unsigned)
{
	cudaError_t error = allocate(ret, size);

	if (!error)
		pinned[(const char *)*ret] = { size, 0 };
	return error;
}

cudaError_t cudaFreeHost(void *buffer)
{
	auto of = pinned.find((const char *)buffer);

	if (of == pinned.end() || of->second.reads != 0)
		fake_cuda_wrong("pinned memory freed twice, or while it is read");
	pinned.erase(of);
	return release(buffer);
}

static bool is_pinned(const void *at, size_t n)
{
	auto of = pinned.upper_bound((const char *)at);

	return of != pinned.begin() &&
	       (const char *)at + n <= std::prev(of)->first + std::prev(of)->second.size;
}

/* The GPU reads these bytes later: what is there then has to be what is there now. */
static void queue_upload(void *to, const void *from, size_t n, cudaStream_t stream)
{
	auto of = pinned.upper_bound((const char *)from);
	auto now = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + n);

	if (!is_pinned(from, n))
		fake_cuda_wrong("an upload from memory that isn't pinned");
	--of;
	of->second.reads++;
	fake_cuda_queue(stream, [=]() {
		changed += memcmp(from, now->data(), n) != 0;
		memcpy(to, from, n);
		of->second.reads--;
	});
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
	cudaError_t error = enter(cudaErrorUnknown);

	if (!error && kind == cudaMemcpyHostToDevice)
		queue_upload(to, from, n, stream);
	else if (!error)
		fake_cuda_queue(stream, [=]() { memcpy(to, from, n); });
	/* The driver waits, as it has to copy twice. */
	if (!error && kind == cudaMemcpyDeviceToHost && !is_pinned(to, n))
		run_until(stream, [=]() { return stream->queue.empty(); });
	return error;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t n, cudaStream_t stream)
{
	cudaError_t error = enter(cudaErrorUnknown);

	if (!error)
		fake_cuda_queue(stream, [=]() { memset(to, value, n); });
	return error;
}

/* ---- devices and errors -------------------------------------------------------------- */

cudaError_t cudaGetDeviceCount(int *ret)
{
	if (fake_cuda_fails())
		return failed(cudaErrorInsufficientDriver);
	if (driver < 13000)
		return failed(cudaErrorInsufficientDriver);
	*ret = devices;
	return devices ? cudaSuccess : failed(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int number)
{
	if (fake_cuda_fails())
		return failed(cudaErrorDevicesUnavailable);
	device = number;
	return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *ret, int number)
{
	if (fake_cuda_fails())
		return failed(cudaErrorUnknown);
	ret->pciBusID = 1 + number;
	snprintf(ret->name, sizeof(ret->name), "Fake GPU");
	ret->major = capability;
	ret->minor = 0;
	ret->multiProcessorCount = 132;
	return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *ret, enum cudaDeviceAttr attribute, int)
{
	if (fake_cuda_fails())
		return failed(cudaErrorInvalidDevice);
	*ret = attribute == cudaDevAttrComputeCapabilityMajor ? capability : 0;
	return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *ret)
{
	*ret = 13000;
	return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *ret)
{
	*ret = driver;
	return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *ret_free, size_t *ret_total)
{
	*ret_free = (size_t)100 << 20;
	*ret_total = (size_t)16 << 30;
	return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
	cudaError_t error = last_error;

	last_error = cudaSuccess;
	return error;
}

const char *cudaGetErrorString(cudaError_t error)
{
	return error == cudaErrorMemoryAllocation ? "out of memory" : "fake error";
}

/* ---- cuBLAS -------------------------------------------------------------------------- */

struct cublasContext {
	cudaStream_t stream;
	void *workspace;
	cublasMath_t math;
};

cublasStatus_t cublasCreate_v2(cublasHandle_t *ret)
{
	if (fake_cuda_fails())
		return CUBLAS_STATUS_ALLOC_FAILED;
	*ret = new cublasContext();
	live++;
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
	delete handle;
	live--;
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int *ret)
{
	*ret = CUBLAS_VERSION;
	return CUBLAS_STATUS_SUCCESS;
}

/* Forgets the workspace, as the real one. */
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
	handle->stream = stream;
	handle->workspace = NULL;
	return fake_cuda_fails() ? CUBLAS_STATUS_NOT_INITIALIZED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t)
{
	handle->workspace = workspace;
	return fake_cuda_fails() ? CUBLAS_STATUS_NOT_INITIALIZED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t, cublasAtomicsMode_t)
{
	return fake_cuda_fails() ? CUBLAS_STATUS_NOT_INITIALIZED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t math)
{
	handle->math = math;
	return fake_cuda_fails() ? CUBLAS_STATUS_NOT_INITIALIZED : CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusString(cublasStatus_t)
{
	return "fake error";
}

/* As cuBLAS's manual has it: columns one behind the other, c (m, n) = alpha op(a) op(b) +
 * beta c with op(a) (m, k), op(b) (k, n). */
cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                              int m, int n, int k, const float *alpha, const float *a, int lda,
                              const float *b, int ldb, const float *beta, float *c, int ldc)
{
	float alpha_now = *alpha, beta_now = *beta;
	bool round = handle->math == CUBLAS_TF32_TENSOR_OP_MATH;

	if (!handle->workspace)
		fake_cuda_wrong("cuBLAS without a workspace of its own");
	if (lda < (op_a == CUBLAS_OP_N ? m : k) || ldb < (op_b == CUBLAS_OP_N ? k : n) || ldc < m)
		return CUBLAS_STATUS_INVALID_VALUE;
	if (fake_cuda_fails())
		return CUBLAS_STATUS_EXECUTION_FAILED;
	tf32 += round;
	fake_cuda_queue(handle->stream, [=]() {
		for (int j = 0; j < n; j++)
		for (int i = 0; i < m; i++) {
			float *to = &c[i + (size_t)j * ldc];
			double sum = 0;

			for (int l = 0; l < k; l++) {
				float x = op_a == CUBLAS_OP_N ? a[i + (size_t)l * lda] : a[l + (size_t)i * lda];
				float y = op_b == CUBLAS_OP_N ? b[l + (size_t)j * ldb] : b[j + (size_t)l * ldb];

				sum += (double)(round ? fake_cuda_to_tf32(x) : x) *
				       (round ? fake_cuda_to_tf32(y) : y);
			}
			*to = (float)(alpha_now * sum + (beta_now != 0 ? beta_now * *to : 0));
		}
	});
	return CUBLAS_STATUS_SUCCESS;
}
