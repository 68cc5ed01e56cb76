/* cuda_rows.cuh - blocks that work on rows of m values, and sum along them.
 *
 * A block is cut into teams of `lanes` threads, a power of 2 near m, each with a row of its
 * own: short rows don't leave most of a block idle. A lane adds up every lanes-th value of
 * the row, then the team adds its lanes' sums in a tree: an order that depends on m alone.
 *
 *     for (size_t first = rows_first(lanes); first < rows; first += rows_step(lanes)) {
 *             size_t row = first + rows_team(lanes);
 *
 * All threads of a block take the same turns, so that they meet at each barrier; a team whose
 * row is not there any more has nothing to add. */
#ifndef S3SAMPLE_BACKEND_CUDA_ROWS_CUH
#define S3SAMPLE_BACKEND_CUDA_ROWS_CUH

#include "backend/cuda_launch.cuh"

/* Values that a lane adds in float32 before it goes on in float64, which is slow on most
 * GPUs and plenty on the others. */
enum { RUN = 16 };

enum { LANES_MIN = 8 };

/* Threads for a row of m values: enough for one value each, at most a block. */
static inline unsigned lanes_for(size_t m)
{
	unsigned lanes = LANES_MIN;

	while (lanes < m && lanes < BLOCK)
		lanes *= 2;
	return lanes;
}

static inline unsigned rows_grid(size_t rows, unsigned lanes)
{
	return grid(rows, BLOCK / lanes);
}

__device__ static inline size_t rows_first(unsigned lanes)
{
	return (size_t)blockIdx.x * (blockDim.x / lanes);
}

__device__ static inline size_t rows_step(unsigned lanes)
{
	return (size_t)gridDim.x * (blockDim.x / lanes);
}

__device__ static inline unsigned rows_team(unsigned lanes)
{
	return threadIdx.x / lanes;
}

__device__ static inline unsigned rows_lane(unsigned lanes)
{
	return threadIdx.x % lanes;
}

/* What is summed: two things at once, as most callers need two. */
struct term {
	float a, b;
};

struct pair {
	double a, b;
};

/* One lane's share of the sums of term_at(i), a struct term, for i in [0, m). */
template <typename Term>
__device__ struct pair lane_sum(unsigned lanes, size_t m, Term term_at)
{
	struct pair total = { 0, 0 };

	for (size_t i = rows_lane(lanes); i < m;) {
		float a = 0, b = 0;

		for (int k = 0; k < RUN && i < m; k++, i += lanes) {
			struct term value = term_at(i);

			a += value.a;
			b += value.b;
		}
		total.a += a;
		total.b += b;
	}
	return total;
}

/* The sums of a team's lanes, to each of them. All threads of the block call it. */
__device__ static inline struct pair team_sum(unsigned lanes, struct pair mine)
{
	__shared__ struct pair sums[BLOCK];
	struct pair *of_team = sums + rows_team(lanes) * lanes;
	unsigned lane = rows_lane(lanes);
	struct pair total;

	of_team[lane] = mine;
	__syncthreads();
	for (unsigned half = lanes / 2; half > 0; half /= 2) {
		if (lane < half) {
			of_team[lane].a += of_team[lane + half].a;
			of_team[lane].b += of_team[lane + half].b;
		}
		__syncthreads();
	}
	total = of_team[0];
	/* The next call writes where others may still read. */
	__syncthreads();
	return total;
}

#endif
