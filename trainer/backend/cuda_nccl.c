/* NCCL is asked not to block, so that whatever waits can give up when a rank is gone, and tears
 * down what the GPU waits for. */
#include "backend/cuda_nccl.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

#include <nccl.h>

#include "backend/cuda_priv.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"

_Static_assert(CUDA_NCCL_ID == NCCL_UNIQUE_ID_BYTES, "NCCL's ids have another size");

/* Seconds. Ranks of many machines start some time apart. Those that end have nothing left to do. */
#define JOIN_MAX 300
#define LEAVE_MAX 10
#define NO_MAX 0

static int nccl_error(struct cuda *cuda, ncclResult_t result, const char *what)
{
	if (result == ncclSuccess)
		return 0;
	(void)cudaGetLastError();
	return backend_failed(result == ncclRemoteError ? -ECONNRESET : -EIO, "NCCL: %s: %s: %s", what,
	                      ncclGetErrorString(result), ncclGetLastError(cuda->nccl));
}

/* Ends the sums that the GPU is waiting in, too. */
static int give_up(struct cuda *cuda, int err)
{
	ncclComm_t comm = cuda->nccl;

	cuda->nccl = NULL;
	cuda->lost = err;
	if (comm && ncclCommAbort(comm) != ncclSuccess)
		log_debug("NCCL: abort failed");
	return err;
}

/* 0, -EINPROGRESS or another -errno: how far it is with what it was asked for. */
static int progress(struct cuda *cuda, const char *what)
{
	ncclResult_t state = ncclSuccess, result = ncclCommGetAsyncError(cuda->nccl, &state);

	if (result == ncclSuccess && state == ncclInProgress)
		return -EINPROGRESS;
	return nccl_error(cuda, result == ncclSuccess ? state : result, what);
}

/* Waits until NCCL has done, on the host, what the call that returned `result` began. */
static int finish(struct cuda *cuda, ncclResult_t result, unsigned seconds_max, const char *what)
{
	uint64_t end = clock_ns() + seconds_max * UINT64_C(1000000000);
	int err = result == ncclInProgress ? -EINPROGRESS : nccl_error(cuda, result, what);

	while (err == -EINPROGRESS) {
		err = progress(cuda, what);
		if (err == -EINPROGRESS && seconds_max && clock_ns() > end) {
			err = backend_failed(-ETIMEDOUT, "NCCL: %s: nothing for %u s", what, seconds_max);
		}
		if (err == -EINPROGRESS)
			sched_yield();
	}
	return err ? give_up(cuda, err) : 0;
}

int cuda_nccl_id(uint8_t ret[CUDA_NCCL_ID])
{
	ncclUniqueId id;
	ncclResult_t result = ncclGetUniqueId(&id);

	if (result != ncclSuccess)
		return backend_failed(-EIO, "NCCL: id: %s: %s", ncclGetErrorString(result),
		                      ncclGetLastError(NULL));
	memcpy(ret, &id, CUDA_NCCL_ID);
	return 0;
}

int cuda_nccl_join(struct backend *b, const uint8_t id[CUDA_NCCL_ID], unsigned rank, unsigned ranks)
{
	struct cuda *cuda = cuda_of(b);
	ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
	ncclUniqueId unique;
	int err = cuda_enter(cuda);

	if (err)
		return err;
	config.blocking = 0;
	memcpy(&unique, id, CUDA_NCCL_ID);
	return finish(cuda, ncclCommInitRankConfig(&cuda->nccl, (int)ranks, unique, (int)rank, &config),
	              JOIN_MAX, "join");
}

/* What is queued behind the sum has to wait until NCCL has put that on the stream. */
int cuda_nccl_sum(struct backend *b, float *values, size_t n)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	if (err)
		return err;
	if (!cuda->nccl)
		return cuda->lost ? cuda->lost : -ENOTCONN;
	return finish(cuda, ncclAllReduce(values, values, n, ncclFloat32, ncclSum, cuda->nccl,
	                                  cuda->compute), NO_MAX, "sum");
}

int cuda_nccl_check(struct cuda *cuda)
{
	int err = cuda->nccl ? progress(cuda, "sums") : 0;

	return err && err != -EINPROGRESS ? give_up(cuda, err) : 0;
}

void cuda_nccl_leave(struct cuda *cuda)
{
	ncclComm_t comm = cuda->nccl;

	if (!comm || finish(cuda, ncclCommFinalize(comm), LEAVE_MAX, "leave"))
		return;
	nccl_error(cuda, ncclCommDestroy(comm), "leave");
	cuda->nccl = NULL;
}

void cuda_nccl_describe(struct cuda *cuda, struct buf *out)
{
	int version = 0;

	if (!cuda->nccl)
		return;
	nccl_error(cuda, ncclGetVersion(&version), "version");
	buf_printf(out, "nccl = %d.%d.%d\n", version / 10000, version / 100 % 100, version % 100);
}
