/* The GPU's kernels on the CPU (cuda_on_cpu.h) against the reference; twice each, once with
 * all threads in the opposite order. Convolutions and matrix products aren't ours: they are
 * the reference's here. */
#include <stdlib.h>

#include "backend/cuda_kernels.h"
#include "backend/reference.h"
#include "backend/reference_priv.h"
#include "backend_cases.h"
#include "cuda_on_cpu_control.h"

static int norm_forward(struct backend *b, const struct norm_shape *s, const float *x,
                        const float *gamma, const float *beta, float *y, float *mean, float *rstd)
{
	(void)b;
	return launch_norm_forward(NULL, s, x, gamma, beta, y, mean, rstd);
}

static int norm_backward(struct backend *b, const struct norm_shape *s, const float *dy,
                         const float *x, const float *gamma, const float *mean, const float *rstd,
                         float *dx, float *dgamma, float *dbeta)
{
	void *scratch = malloc(norm_backward_scratch(s));
	int err;

	(void)b;
	if (!scratch)
		abort();
	err = launch_norm_backward(NULL, s, dy, x, gamma, mean, rstd, dx, dgamma, dbeta, scratch);
	free(scratch);
	return err;
}

static int relu_forward(struct backend *b, size_t n, const float *x, float *y)
{
	(void)b;
	return launch_relu_forward(NULL, n, x, y);
}

static int relu_backward(struct backend *b, size_t n, const float *dy, const float *y, float *dx)
{
	(void)b;
	return launch_relu_backward(NULL, n, dy, y, dx);
}

static int mean_forward(struct backend *b, int n, int t, int c, int m, const float *x, float *y,
                        int stride)
{
	(void)b;
	return launch_mean_forward(NULL, n, t, c, m, x, y, stride);
}

static int mean_backward(struct backend *b, int n, int t, int c, int m, const float *dy, int stride,
                         float *dx)
{
	(void)b;
	return launch_mean_backward(NULL, n, t, c, m, dy, stride, dx);
}

/* The biases are added to a product without any. */
static int linear_forward(struct backend *b, int n, int in, int out, const float *x,
                          const float *weights, const float *bias, float *y)
{
	float *none = calloc((size_t)out, sizeof(*none)), *product;
	int err;

	product = malloc((size_t)n * out * sizeof(*product));
	if (!none || !product)
		abort();
	err = launch_bias_rows(NULL, n, out, bias, y);
	if (!err)
		err = reference_linear_forward(b, n, in, out, x, weights, none, product);
	for (size_t i = 0; i < (size_t)n * out; i++)
		y[i] += product[i];
	free(product);
	free(none);
	return err;
}

static int linear_backward(struct backend *b, int n, int in, int out, const float *x,
                           const float *weights, const float *dy, float *dx, float *dweights,
                           float *dbias)
{
	int err = reference_linear_backward(b, n, in, out, x, weights, dy, dx, dweights, dbias);

	for (int i = 0; i < out; i++)
		dbias[i] = -1;
	return err ? err : launch_bias_backward(NULL, n, out, dy, dbias);
}

static int loss(struct backend *b, const struct loss_shape *s, const float *logits,
                const int32_t *labels, const float *weights, float *losses, int32_t *hit,
                float *dlogits)
{
	(void)b;
	return launch_loss(NULL, s, logits, labels, weights, losses, hit, dlogits);
}

static int frames_in(struct backend *b, const struct frames_shape *s, const uint8_t *frames,
                     const struct crop *crops, float *y)
{
	(void)b;
	return launch_frames_in(NULL, s, frames, crops, y);
}

static int mfcc_in(struct backend *b, int rows, int m, const float *x, float *y)
{
	(void)b;
	return launch_mfcc_in(NULL, rows, m, x, y);
}

static int sgd(struct backend *b, const struct sgd_step *s, size_t n, const float *g, float *w,
               float *v)
{
	(void)b;
	return launch_sgd(NULL, s, n, g, w, v);
}

static int adamw(struct backend *b, const struct adamw_step *s, size_t n, const float *g, float *w,
                 float *m, float *v)
{
	(void)b;
	return launch_adamw(NULL, s, n, g, w, m, v);
}

int main(void)
{
	struct backend *reference, tested;
	struct backend_ops ops;
	int failed;

	if (reference_new(&reference))
		return 1;
	ops = *reference->ops;
	ops.name = "kernels on the CPU";
	ops.norm_forward = norm_forward;
	ops.norm_backward = norm_backward;
	ops.relu_forward = relu_forward;
	ops.relu_backward = relu_backward;
	ops.mean_forward = mean_forward;
	ops.mean_backward = mean_backward;
	ops.linear_forward = linear_forward;
	ops.linear_backward = linear_backward;
	ops.loss = loss;
	ops.frames_in = frames_in;
	ops.mfcc_in = mfcc_in;
	ops.sgd = sgd;
	ops.adamw = adamw;
	tested = (struct backend){ .ops = &ops };
	failed = backend_cases_run("kernels", &(struct backend_cases){
		.tested = &tested, .repeats = true, .second_run = cuda_on_cpu_backwards });
	backend_free(reference);
	return failed;
}
