#include "fake_nccl.h"

#include <string.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <nccl.h>

#include "fake_cuda_priv.h"

/* A sum of all ranks. */
struct sum {
	size_t n;
	std::vector<float *> values; /* of each rank whose stream has come here */
	int arrived;
	bool done;
};

/* What the communicators of one id have in common. */
struct world {
	std::vector<int> device; /* of each rank, -1 if it hasn't joined */
	int joined;
	bool lost; /* somebody */
	std::vector<sum> sums;
};

struct ncclComm {
	std::shared_ptr<world> all;
	std::shared_ptr<bool> aborted; /* outlives it in the stream */
	int rank;
	size_t sums;
	bool ready, finalizing, finalized;
	cudaStream_t stream;            /* where something is still to be queued, */
	std::function<bool()> waiting;  /* and what */
};

static std::map<unsigned, std::shared_ptr<world>> worlds; /* by the number in their id */
static unsigned next_id, mismatches;

/* ---- one thread at a time ------------------------------------------------------------ */

static std::mutex mutex;
static std::condition_variable turned;
static std::vector<bool> alive;
static int turn;
static unsigned turns;
static thread_local int me = -1;

static void pass_on_locked(void)
{
	size_t first = fake_cuda_random() % alive.size();

	for (size_t i = 0; i < alive.size(); i++) {
		if (alive[(first + i) % alive.size()]) {
			turn = (int)((first + i) % alive.size());
			break;
		}
	}
	turned.notify_all();
}

/* Lets others go on. False if there are none. */
static bool yield(void)
{
	std::unique_lock<std::mutex> lock(mutex);

	if (me < 0)
		return false;
	if (++turns > 1000000)
		fake_cuda_wrong("ranks wait for each other");
	pass_on_locked();
	turned.wait(lock, []() { return turn == me; });
	return true;
}

static void be_rank(int rank, void (*body)(int rank, void *arg), void *arg)
{
	std::unique_lock<std::mutex> lock(mutex);

	me = rank;
	turned.wait(lock, []() { return turn == me; });
	lock.unlock();
	body(rank, arg);
	lock.lock();
	alive[(size_t)rank] = false;
	pass_on_locked();
}

void fake_nccl_ranks(int ranks, void (*body)(int rank, void *arg), void *arg)
{
	std::vector<std::thread> threads;

	alive.assign((size_t)ranks, true);
	turns = 0;
	turn = 0;
	fake_cuda_yield = yield;
	for (int r = 0; r < ranks; r++)
		threads.emplace_back(be_rank, r, body, arg);
	for (auto &t : threads)
		t.join();
	fake_cuda_yield = nullptr;
	worlds.clear();
}

void fake_nccl_vanish(void)
{
	for (auto &w : worlds)
		w.second->lost = true;
}

unsigned fake_nccl_mismatches(void)
{
	return mismatches;
}

/* ---- communicators ------------------------------------------------------------------- */

ncclResult_t ncclGetVersion(int *ret)
{
	*ret = NCCL_VERSION_CODE;
	return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t)
{
	return "fake error";
}

const char *ncclGetLastError(ncclComm_t)
{
	return "no reason";
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *ret)
{
	if (fake_cuda_fails())
		return ncclSystemError;
	next_id++;
	memset(ret, 0x5a, sizeof(*ret));
	memcpy(ret->internal + 60, &next_id, sizeof(next_id));
	worlds[next_id] = std::make_shared<world>();
	return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *ret, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t *config)
{
	unsigned number;
	std::shared_ptr<world> w;

	memcpy(&number, id.internal + 60, sizeof(number));
	if (config->blocking != 0 || worlds.find(number) == worlds.end() || rank < 0 || rank >= ranks)
		return ncclInvalidArgument;
	if (fake_cuda_fails())
		return ncclSystemError;
	w = worlds[number];
	if (w->joined == 0)
		w->device.assign((size_t)ranks, -1);
	if ((size_t)ranks != w->device.size() || w->device[(size_t)rank] >= 0)
		return ncclInvalidArgument;
	for (int other : w->device)
		w->lost |= other == fake_cuda_device();
	w->device[(size_t)rank] = fake_cuda_device();
	w->joined++;
	*ret = new ncclComm{ w, std::make_shared<bool>(false), rank, 0, false, false, false, NULL, nullptr };
	fake_cuda_count(1);
	return ncclInProgress;
}

/* Whether all is done that the communicator was asked for. */
static bool go_on(ncclComm_t comm)
{
	if (!comm->ready)
		comm->ready = comm->all->joined == (int)comm->all->device.size();
	if (comm->stream && comm->ready && fake_cuda_random() % 2 == 0) {
		fake_cuda_hold(comm->stream, false);
		fake_cuda_queue_until(comm->stream, comm->waiting);
		comm->stream = NULL;
	}
	if (comm->finalizing && fake_cuda_random() % 2 == 0)
		comm->finalized = true;
	return comm->ready && !comm->stream && comm->finalizing == comm->finalized;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *ret)
{
	if (fake_cuda_fails())
		return ncclSystemError;
	yield();
	if (comm->all->lost)
		*ret = ncclRemoteError;
	else
		*ret = go_on(comm) ? ncclSuccess : ncclInProgress;
	return ncclSuccess;
}

static void end(ncclComm_t comm)
{
	if (comm->stream)
		fake_cuda_hold(comm->stream, false);
	delete comm;
	fake_cuda_count(-1);
}

ncclResult_t ncclCommAbort(ncclComm_t comm)
{
	*comm->aborted = true;
	comm->all->lost = true;
	end(comm);
	return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm)
{
	if (fake_cuda_fails())
		return ncclSystemError;
	comm->finalizing = true;
	return ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm)
{
	if (!comm->finalized)
		fake_cuda_wrong("a communicator destroyed at work");
	end(comm);
	return ncclSuccess;
}

/* ---- sums ---------------------------------------------------------------------------- */

static void add_up(sum &s)
{
	size_t ranks = s.values.size();

	for (size_t i = 0; i < s.n; i++) {
		size_t first = i / 16 % ranks;
		float total = s.values[first][i];

		for (size_t r = 1; r < ranks; r++)
			total += s.values[(first + r) % ranks][i];
		for (float *v : s.values)
			v[i] = total;
	}
	s.done = true;
}

static sum &sum_number(world &w, size_t number, size_t n)
{
	if (number == w.sums.size())
		w.sums.push_back({ n, std::vector<float *>(w.device.size()), 0, false });
	return w.sums[number];
}

ncclResult_t ncclAllReduce(const void *from, void *to, size_t n, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream)
{
	std::shared_ptr<world> w = comm->all;
	std::shared_ptr<bool> aborted = comm->aborted;
	size_t number = comm->sums++, rank = (size_t)comm->rank;

	if (from != to || type != ncclFloat32 || op != ncclSum || !comm->ready || comm->stream ||
	    comm->finalizing)
		return ncclInvalidUsage;
	if (fake_cuda_fails())
		return ncclSystemError;
	if (sum_number(*w, number, n).n != n) {
		mismatches++;
		w->lost = true;
	}
	fake_cuda_hold(stream, true);
	comm->stream = stream;
	comm->waiting = [=]() {
		sum &s = w->sums[number];

		if (*aborted)
			return true;
		if (!s.values[rank]) {
			s.values[rank] = (float *)to;
			s.arrived++;
		}
		/* Values of a rank that aborted may be gone. */
		if (!s.done && !w->lost && s.arrived == (int)s.values.size())
			add_up(s);
		return s.done;
	};
	return ncclInProgress;
}
