/* The GPU's kernels on the CPU (cuda_on_cpu.h) against the reference; twice each, once with
 * all threads in the opposite order. Convolutions and matrix products aren't ours: they are
 * the reference's here. */
#include <stdlib.h>

#include "backend/cuda_kernels.h"
#include "backend/narrow.h"
#include "backend/reference.h"
#include "backend/reference_priv.h"
#include "backend_cases.h"
#include "cuda_on_cpu_control.h"

static int norm_forward(struct backend *b, const struct norm_shape *s, const void *x,
                        const float *gamma, const float *beta, void *y, float *mean, float *rstd)
{
	return launch_norm_forward(NULL, b->activations, s, x, gamma, beta, y, mean, rstd);
}

static int norm_backward(struct backend *b, const struct norm_shape *s, const void *dy,
                         const void *x, const float *gamma, const float *mean, const float *rstd,
                         void *dx, float *dgamma, float *dbeta)
{
	void *scratch = malloc(norm_backward_scratch(s));
	int err;

	if (!scratch)
		abort();
	err = launch_norm_backward(NULL, b->activations, s, dy, x, gamma, mean, rstd, dx, dgamma,
	                           dbeta, scratch);
	free(scratch);
	return err;
}

static int relu_forward(struct backend *b, size_t n, const void *x, void *y)
{
	return launch_relu_forward(NULL, b->activations, n, x, y);
}

static int relu_backward(struct backend *b, size_t n, const void *dy, const void *y, void *dx)
{
	return launch_relu_backward(NULL, b->activations, n, dy, y, dx);
}

static int mean_forward(struct backend *b, int n, int t, int c, int m, const void *x, float *y,
                        int stride)
{
	return launch_mean_forward(NULL, b->activations, n, t, c, m, x, y, stride);
}

static int mean_backward(struct backend *b, int n, int t, int c, int m, const float *dy, int stride,
                         void *dx)
{
	return launch_mean_backward(NULL, b->activations, n, t, c, m, dy, stride, dx);
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
                     const struct crop *crops, void *y)
{
	return launch_frames_in(NULL, b->activations, s, frames, crops, y);
}

static int mfcc_in(struct backend *b, int rows, int m, const float *x, void *y)
{
	return launch_mfcc_in(NULL, b->activations, rows, m, x, y);
}

static int unscale(struct backend *b, size_t n, float factor, float *g, int32_t *bad)
{
	(void)b;
	return launch_unscale(NULL, n, factor, g, bad);
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

static int compare(const char *name, enum precision precision)
{
	struct backend *b;
	struct backend_ops ops;
	int failed;

	if (reference_new(&b) ||
	    (precision != PRECISION_FLOAT32 && narrow_new(b, precision, &b)))
		return 1;
	ops = *b->ops;
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
	ops.unscale = unscale;
	ops.sgd = sgd;
	ops.adamw = adamw;
	b->ops = &ops;
	failed = backend_cases_run(name, &(struct backend_cases){
		.tested = b, .repeats = true, .second_run = cuda_on_cpu_backwards });
	backend_free(b);
	return failed;
}

int main(void)
{
	return compare("kernels", PRECISION_FLOAT32) + compare("kernels, bf16", PRECISION_BF16) +
	       compare("kernels, fp16", PRECISION_FP16);
}
