/* dist.h - the ranks of a job: who we are among how many, sums over all, and bytes for all.
 *
 * Sums are made in the order of the ranks, whatever arrives first: they are the same bits on
 * every rank and in every run. Calls have to be made by all ranks in the same order. One
 * thread of each calls. */
#ifndef S3SAMPLE_DIST_DIST_H
#define S3SAMPLE_DIST_DIST_H

#include <stddef.h>

struct dist;
struct why;

/* One rank, unless a launcher of MPI started us. Returns 0 or -errno with why. */
int dist_new(int *argc, char ***argv, struct dist **ret, struct why *why);
void dist_free(struct dist *d);

/* Ends all ranks at once, where this one failed alone and the others wait for it. Returns only
 * if there is one rank. */
void dist_abort(struct dist *d, int status);

unsigned dist_rank(const struct dist *d);
unsigned dist_ranks(const struct dist *d);

/* Our number among the ranks on this machine, from 0: which of its devices is ours. */
unsigned dist_local_rank(const struct dist *d);

/* Replaces each value by its sum over all ranks. Returns 0 or -errno. */
int dist_sum_floats(struct dist *d, float *values, size_t n);
int dist_sum_doubles(struct dist *d, double *values, size_t n);

/* Everybody gets rank 0's bytes. Returns 0 or -errno. */
int dist_broadcast(struct dist *d, void *bytes, size_t n);

/* Everybody gets the bytes of all, (ranks, n) in all. Returns 0 or -errno. */
int dist_gather(struct dist *d, const void *bytes, size_t n, void *all);

#endif
