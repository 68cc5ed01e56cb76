/* Gradients of all ranks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#ifdef HAVE_CUDA
#include "backend/cuda.h"
#endif
#ifdef HAVE_NCCL
#include "backend/cuda_nccl.h"
#endif
#include "dist/dist.h"
#include "train/options.h"
#include "train/run_priv.h"
#include "util/why.h"

int run_describe_rank(struct run *r, struct why *why)
{
	struct reduce_rank *own;
	int err = 0;

	r->rank = calloc(dist_ranks(r->dist), sizeof(*r->rank));
	if (!r->rank)
		return why_no_memory(why);
	own = &r->rank[dist_rank(r->dist)];
	own->wanted = (uint8_t)r->o->reduce;
	own->deterministic = r->o->deterministic;
#ifdef HAVE_NCCL
	own->built = true;
#endif
#ifdef HAVE_CUDA
	_Static_assert(REDUCE_PLACE == CUDA_PLACE, "GPUs have longer names");
	own->gpu = r->o->device == DEVICE_CUDA;
	if (own->gpu && dist_ranks(r->dist) > 1)
		err = cuda_place(r->gpu, own->place);
#endif
	return err ? why_set(why, err, "which GPU this is can't be found out: %s", backend_words(err)) : 0;
}

static int choose(struct run *r, struct why *why)
{
	unsigned ranks = dist_ranks(r->dist);
	const struct reduce_rank own = r->rank[dist_rank(r->dist)];
	struct why against = { "" };
	bool told;
	int err = dist_gather(r->dist, &own, sizeof(own), r->rank);

	if (err)
		return why_set(why, err, "the other ranks can't be reached: %s", strerror(-err));
	err = reduce_choose(r->rank, ranks, &r->nccl, &against);
	if (err) {
		*why = against;
		return err;
	}
	/* On the CPU there is no other way. */
	told = own.gpu && *against.text;
	if (own.gpu)
		why_set(&r->reduce, 0, "gradients of %u ranks are added up %s%s%.900s%s", ranks,
		        r->nccl ? "by NCCL" : "through the host's memory", told ? " (" : "",
		        against.text, told ? ")" : "");
	return 0;
}

#ifdef HAVE_NCCL

static int join(struct run *r, struct why *why)
{
	struct {
		int err;
		uint8_t id[CUDA_NCCL_ID];
	} made = { 0 };
	double together = 0;
	int err;

	if (dist_rank(r->dist) == 0)
		made.err = cuda_nccl_id(made.id);
	err = dist_broadcast(r->dist, &made, sizeof(made));
	/* The id has to have arrived everywhere before anybody waits without helping MPI along. */
	if (!err)
		err = dist_sum_doubles(r->dist, &together, 1);
	if (err)
		return why_set(why, err, "the other ranks can't be reached: %s", strerror(-err));
	err = made.err;
	if (!err) {
		err = cuda_nccl_join(r->backend, made.id, dist_rank(r->dist), dist_ranks(r->dist));
		r->alone = err != 0;
	}
	return err ? why_set(why, err, "the GPUs of the ranks can't be joined by NCCL: %s; NCCL_DEBUG=WARN "
	                     "in the environment tells more, --reduce mpi does without",
	                     backend_words(err)) : 0;
}

#endif

int run_join_ranks(struct run *r, struct why *why)
{
	int err;

	if (dist_ranks(r->dist) == 1)
		return 0;
	err = choose(r, why);
#ifdef HAVE_NCCL
	if (!err && r->nccl)
		err = join(r, why);
#endif
	return err;
}

static int sum_on_host(struct run *r, float *grads, size_t n)
{
	const struct backend_ops *ops = r->backend->ops;
	float *host = malloc(n * sizeof(*host));
	int err;

	if (!host)
		return -ENOMEM;
	err = ops->download(r->backend, host, grads, n * sizeof(*host));
	if (!err)
		err = dist_sum_floats(r->dist, host, n);
	if (!err)
		err = ops->upload(r->backend, grads, host, n * sizeof(*host));
	free(host);
	return err;
}

int run_sum_grads(struct run *r)
{
	size_t n;
	float *grads = model_grads(r->model, &n);

	if (dist_ranks(r->dist) == 1)
		return 0;
#ifdef HAVE_NCCL
	if (r->nccl)
		return cuda_nccl_sum(r->backend, grads, n);
#endif
	return sum_on_host(r, grads, n);
}
