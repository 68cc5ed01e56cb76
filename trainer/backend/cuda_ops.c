/* The functions of the table that are kernels of our own. */
#include <errno.h>

#include "backend/cuda_kernels.h"
#include "backend/cuda_priv.h"

/* The kernels count within a row in 32 bits, as dividing 64 takes longer than the memory. */
static bool row_fits(int a, int b)
{
	return (uint64_t)a * (uint64_t)b <= UINT32_MAX;
}

/* Reports a launch_X. */
static int launched(int error, const char *what)
{
	return cuda_error((cudaError_t)error, what);
}

int cuda_norm_forward(struct backend *b, const struct norm_shape *s, const void *x,
                      const float *gamma, const float *beta, void *y, float *mean, float *rstd)
{
	struct cuda *cuda = cuda_of(b);
	int err = row_fits(s->c / s->groups, s->m) ? cuda_enter(cuda) : -EINVAL;

	if (err)
		return err;
	return launched(launch_norm_forward(cuda->compute, b->activations, s, x, gamma, beta, y, mean,
	                                    rstd), "norm_forward");
}

int cuda_norm_backward(struct backend *b, const struct norm_shape *s, const void *dy,
                       const void *x, const float *gamma, const float *mean, const float *rstd,
                       void *dx, float *dgamma, float *dbeta)
{
	struct cuda *cuda = cuda_of(b);
	void *scratch;
	int err = cuda_enter(cuda);

	if (!err)
		err = cuda_scratch(cuda, norm_backward_scratch(s), &scratch);
	if (err)
		return err;
	return launched(launch_norm_backward(cuda->compute, b->activations, s, dy, x, gamma, mean, rstd,
	                                     dx, dgamma, dbeta, scratch), "norm_backward");
}

int cuda_relu_forward(struct backend *b, size_t n, const void *x, void *y)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	if (err)
		return err;
	return launched(launch_relu_forward(cuda->compute, b->activations, n, x, y), "relu_forward");
}

int cuda_relu_backward(struct backend *b, size_t n, const void *dy, const void *y, void *dx)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	if (err)
		return err;
	return launched(launch_relu_backward(cuda->compute, b->activations, n, dy, y, dx),
	                "relu_backward");
}

int cuda_mean_forward(struct backend *b, int n, int t, int c, int m, const void *x, float *y,
                      int stride)
{
	struct cuda *cuda = cuda_of(b);
	int err = row_fits(t, m) ? cuda_enter(cuda) : -EINVAL;

	if (err)
		return err;
	return launched(launch_mean_forward(cuda->compute, b->activations, n, t, c, m, x, y, stride),
	                "mean_forward");
}

int cuda_mean_backward(struct backend *b, int n, int t, int c, int m, const float *dy, int stride,
                       void *dx)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	if (err)
		return err;
	return launched(launch_mean_backward(cuda->compute, b->activations, n, t, c, m, dy, stride, dx),
	                "mean_backward");
}

int cuda_loss(struct backend *b, const struct loss_shape *s, const float *logits,
              const int32_t *labels, const float *weights, float *loss, int32_t *hit,
              float *dlogits)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	return err ? err : launched(launch_loss(cuda->compute, s, logits, labels, weights, loss, hit,
	                                        dlogits), "loss");
}

int cuda_frames_in(struct backend *b, const struct frames_shape *s, const uint8_t *frames,
                   const struct crop *crops, void *y)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	if (err)
		return err;
	return launched(launch_frames_in(cuda->compute, b->activations, s, frames, crops, y),
	                "frames_in");
}

int cuda_mfcc_in(struct backend *b, int rows, int m, const float *x, void *y)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	if (err)
		return err;
	return launched(launch_mfcc_in(cuda->compute, b->activations, rows, m, x, y), "mfcc_in");
}

int cuda_unscale(struct backend *b, size_t n, float factor, float *g, int32_t *bad)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	return err ? err : launched(launch_unscale(cuda->compute, n, factor, g, bad), "unscale");
}

int cuda_sgd(struct backend *b, const struct sgd_step *s, size_t n, const float *g, float *w,
             float *v)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	return err ? err : launched(launch_sgd(cuda->compute, s, n, g, w, v), "sgd");
}

int cuda_adamw(struct backend *b, const struct adamw_step *s, size_t n, const float *g, float *w,
               float *m, float *v)
{
	struct cuda *cuda = cuda_of(b);
	int err = cuda_enter(cuda);

	return err ? err : launched(launch_adamw(cuda->compute, s, n, g, w, m, v), "adamw");
}
