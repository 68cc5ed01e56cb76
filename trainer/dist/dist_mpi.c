/* Built where there is MPI. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <mpi.h>

#include "base/log.h"
#include "dist/dist.h"
#include "util/why.h"

#define NO_MPI "srun --mpi=pmix starts ranks"

struct dist {
	int rank, ranks;        /* of 1: MPI was never started */
	int local;              /* among those on this machine */
};

/* Set by mpirun and srun. Without a launcher MPI would start a daemon of its own for one rank. */
static bool launched(void)
{
	static const char *const names[] = { "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE",
	                                     "PMIX_RANK" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (getenv(names[i]))
			return true;
	}
	return false;
}

static int mpi_error(int code, const char *what)
{
	char text[MPI_MAX_ERROR_STRING] = "";
	int len;

	if (code == MPI_SUCCESS)
		return 0;
	MPI_Error_string(code, text, &len);
	log_debug("MPI: %s: %s", what, text);
	return -EIO;
}

static int find_local_rank(struct dist *d)
{
	MPI_Comm machine;
	int err = mpi_error(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL,
	                                        &machine), "split");

	if (err)
		return err;
	err = mpi_error(MPI_Comm_rank(machine, &d->local), "local rank");
	MPI_Comm_free(&machine);
	return err;
}

/* Each task of srun would be a run of its own, all with one folder for results. */
static int check_srun(struct why *why)
{
	const char *tasks = getenv("SLURM_STEP_NUM_TASKS");

	if (!tasks || strtoul(tasks, NULL, 10) < 2)
		return 0;
	return why_set(why, -EINVAL, "srun started %.20s tasks that know nothing of each other: "
	               "%s", tasks, NO_MPI);
}

int dist_new(int *argc, char ***argv, struct dist **ret, struct why *why)
{
	struct dist *d = malloc(sizeof(*d));
	int err = launched() ? 0 : check_srun(why), level;

	if (err) {
		free(d);
		return err;
	}
	if (!d)
		return why_no_memory(why);
	*d = (struct dist){ 0, 1, 0 };
	if (launched()) {
		err = mpi_error(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level), "init");
		if (!err)
			err = mpi_error(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "init");
		if (!err)
			err = mpi_error(MPI_Comm_rank(MPI_COMM_WORLD, &d->rank), "rank");
		if (!err)
			err = mpi_error(MPI_Comm_size(MPI_COMM_WORLD, &d->ranks), "size");
		if (!err)
			err = find_local_rank(d);
	}
	if (err) {
		free(d);
		return why_set(why, err, "MPI can't be started");
	}
	*ret = d;
	return 0;
}

void dist_free(struct dist *d)
{
	int started;

	if (!d)
		return;
	if (MPI_Initialized(&started) == MPI_SUCCESS && started)
		MPI_Finalize();
	free(d);
}

void dist_abort(struct dist *d, int status)
{
	if (d->ranks > 1)
		MPI_Abort(MPI_COMM_WORLD, status);
}

unsigned dist_rank(const struct dist *d)
{
	return (unsigned)d->rank;
}

unsigned dist_ranks(const struct dist *d)
{
	return (unsigned)d->ranks;
}

unsigned dist_local_rank(const struct dist *d)
{
	return (unsigned)d->local;
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* MPI_Allreduce may add up in any order, and in another one for another message size or host. So
 * each rank gets its part of the values from everybody, adds up in the order of ranks, and hands
 * the sums around: as many bytes as a ring would move. */
struct parts {
	int *count, *offset;    /* of each rank's part */
	float *received;        /* (ranks, own part) */
};

static void parts_done(struct parts *p)
{
	free(p->count);
	free(p->offset);
	free(p->received);
}

static int parts_init(struct parts *p, const struct dist *d, size_t n)
{
	size_t ranks = (size_t)d->ranks, most = (n + ranks - 1) / ranks;

	if (n > INT_MAX)
		return -EOVERFLOW;
	p->count = calloc(ranks, sizeof(*p->count));
	p->offset = calloc(ranks, sizeof(*p->offset));
	p->received = calloc(ranks * most + 1, sizeof(*p->received));
	if (!p->count || !p->offset || !p->received)
		return -ENOMEM;
	for (size_t r = 0; r < ranks; r++) {
		size_t begin = r * most < n ? r * most : n, end = begin + most < n ? begin + most : n;

		p->offset[r] = (int)begin;
		p->count[r] = (int)(end - begin);
	}
	return 0;
}

static int exchange(struct parts *p, const struct dist *d, const float *values)
{
	int own = p->count[d->rank];
	int *counts = calloc((size_t)d->ranks * 2, sizeof(*counts)), *offsets;
	int err;

	if (!counts)
		return -ENOMEM;
	offsets = counts + d->ranks;
	for (int r = 0; r < d->ranks; r++) {
		counts[r] = own;
		offsets[r] = r * own;
	}
	err = mpi_error(MPI_Alltoallv(values, p->count, p->offset, MPI_FLOAT, p->received, counts,
	                              offsets, MPI_FLOAT, MPI_COMM_WORLD), "exchange");
	free(counts);
	return err;
}

int dist_sum_floats(struct dist *d, float *values, size_t n)
{
	struct parts p = { 0 };
	int err;

	if (d->ranks == 1)
		return 0;
	err = parts_init(&p, d, n);
	if (!err)
		err = exchange(&p, d, values);
	if (!err) {
		int own = p.count[d->rank];
		float *sum = values + p.offset[d->rank];

		memcpy(sum, p.received, (size_t)own * sizeof(*sum));
		for (int r = 1; r < d->ranks; r++)
			for (int i = 0; i < own; i++)
				sum[i] += p.received[(size_t)r * own + i];
		err = mpi_error(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, p.count,
		                               p.offset, MPI_FLOAT, MPI_COMM_WORLD), "gather");
	}
	parts_done(&p);
	return err;
}

/* Few values: everybody gets everything. */
int dist_sum_doubles(struct dist *d, double *values, size_t n)
{
	double *all;
	int err;

	if (d->ranks == 1)
		return 0;
	if (n > INT_MAX)
		return -EOVERFLOW;
	all = calloc((size_t)d->ranks * n + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	err = mpi_error(MPI_Allgather(values, (int)n, MPI_DOUBLE, all, (int)n, MPI_DOUBLE,
	                              MPI_COMM_WORLD), "gather");
	for (size_t i = 0; i < n && !err; i++) {
		values[i] = all[i];
		for (int r = 1; r < d->ranks; r++)
			values[i] += all[(size_t)r * n + i];
	}
	free(all);
	return err;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

int dist_broadcast(struct dist *d, void *bytes, size_t n)
{
	if (d->ranks == 1)
		return 0;
	if (n > INT_MAX)
		return -EOVERFLOW;
	return mpi_error(MPI_Bcast(bytes, (int)n, MPI_BYTE, 0, MPI_COMM_WORLD), "broadcast");
}

int dist_gather(struct dist *d, const void *bytes, size_t n, void *all)
{
	if (d->ranks == 1) {
		memcpy(all, bytes, n);
		return 0;
	}
	if (n > INT_MAX)
		return -EOVERFLOW;
	return mpi_error(MPI_Allgather(bytes, (int)n, MPI_BYTE, all, (int)n, MPI_BYTE, MPI_COMM_WORLD),
	                 "gather");
}
