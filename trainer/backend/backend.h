/* backend.h - the arithmetic of a model, on one device.
 *
 * A backend is a struct of functions (struct backend_ops). There is the plain C
 * reference (reference.h), which defines what each of them computes, and others that
 * compute the same faster: the CPU by oneDNN (cpu.h), a GPU by cuDNN (cuda.h). Tests
 * compare each with the reference, and the reference with finite differences and PyTorch.
 *
 * Buffers belong to whoever allocated them and live on the device: only the
 * backend's functions may look inside. Arrays are dense and in C order: images
 * (N, C, H, W), filters (K, C, R, S), matrices (rows, columns). Values are float32, but
 * for activations (images, what layers make of them, and the gradients of both), which
 * are void * here and of the backend's precision.
 *
 * One thread at a time uses a backend. Functions return 0 or -errno: -ENOMEM, -EINVAL
 * (no such shape), -EIO (the library or the device failed; backend_words says how). Where a
 * function may run behind the caller's back, the failure comes from a later one, at
 * the latest from download. */
#ifndef S3SAMPLE_BACKEND_BACKEND_H
#define S3SAMPLE_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/crop.h"

struct backend;
struct buf;

/* How activations are stored (half.h). Sums are made in float32 or more, whatever they are
 * sums of; a convolution's filters are rounded to the same precision, and so is their
 * gradient. */
enum precision { PRECISION_FLOAT32, PRECISION_BF16, PRECISION_FP16 };

/* x (n, c, h, w), filters (k, c, r, s), y (n, k, out_h, out_w); cross-correlation
 * with zeros around, no bias. */
struct conv_shape {
	int n, c, h, w;
	int k, r, s;
	int stride_h, stride_w;
	int pad_h, pad_w;       /* on both sides */
	bool no_dx;             /* x are samples: conv_backward_data won't be asked for, and needn't work */
};

/* (size + 2 pad - filter) / stride + 1, rounded down; below 1 if there is none. */
int conv_out(int size, int filter, int stride, int pad);
int conv_out_h(const struct conv_shape *s);
int conv_out_w(const struct conv_shape *s);

/* A convolution of one shape, with what its library prepared for it. */
struct conv;

/* x is (n, c, m): m values of each channel, in `groups` groups of neighbouring
 * channels; groups divides c. Y. Wu, K. He, "Group normalization", ECCV 2018:
 * y = (x - mean) * rstd * gamma + beta, rstd = 1 / sqrt(variance + eps), mean and the
 * biased variance over a group of one image. */
struct norm_shape {
	int n, c, m, groups;
	float eps;
};

/* Samples as the disk has them, and what of them the model sees. */
struct frames_shape {
	int n, t;               /* samples, frames of each */
	int h, w;               /* as read: uint8 (n, t, h, w, 3) */
	int crop_h, crop_w;     /* as seen: float (n * t, 3, crop_h, crop_w) */
};

struct loss_shape {
	int n, classes;
	float smoothing;        /* target = (1 - smoothing) onehot + smoothing / classes */
	float scale;            /* of the gradient: loss scale / sum of all weights */
};

/* What one step of an optimizer needs to know besides the four arrays. */
struct sgd_step {
	float lr, momentum, weight_decay;
};

struct adamw_step {
	float lr, beta1, beta2, eps, weight_decay;
	float correction1, correction2; /* 1 - beta^t */
};

struct backend_ops {
	const char *name;

	void (*free)(struct backend *b);

	/* Libraries, their versions, instruction set and threads, "name = value\n"
	 * each: what a bit-exact resume must find again. */
	void (*describe)(struct backend *b, struct buf *out);

	/* bytes > 0; zeroed. */
	int (*alloc)(struct backend *b, size_t bytes, void **ret);
	void (*release)(struct backend *b, void *buffer);
	/* host is free when it returns, unless it lies in memory of host_alloc. */
	int (*upload)(struct backend *b, void *buffer, const void *host, size_t bytes);
	int (*download)(struct backend *b, void *host, const void *buffer, size_t bytes);
	int (*zero)(struct backend *b, void *buffer, size_t bytes);

	/* Memory of the host that the device reads by itself: bytes > 0; zeroed. Everybody may read
	 * and write it, but what was uploaded from it may be read until a download has returned that
	 * began after the upload: until then it may be uploaded again, and not be changed. host_free
	 * waits; NULL is allowed. All of it has to be freed before the backend. */
	int (*host_alloc)(struct backend *b, size_t bytes, void **ret);
	void (*host_free)(struct backend *b, void *host);

	int (*conv_new)(struct backend *b, const struct conv_shape *s, struct conv **ret);
	void (*conv_free)(struct backend *b, struct conv *c);
	int (*conv_forward)(struct backend *b, struct conv *c, const void *x, const float *filters,
	                    void *y);
	/* dx from dy. */
	int (*conv_backward_data)(struct backend *b, struct conv *c, const void *dy,
	                          const float *filters, void *dx);
	/* dfilters from x and dy. */
	int (*conv_backward_filters)(struct backend *b, struct conv *c, const void *x,
	                             const void *dy, float *dfilters);

	/* mean and rstd are (n, groups), for the way back. */
	int (*norm_forward)(struct backend *b, const struct norm_shape *s, const void *x,
	                    const float *gamma, const float *beta, void *y, float *mean,
	                    float *rstd);
	/* dx may be dy. */
	int (*norm_backward)(struct backend *b, const struct norm_shape *s, const void *dy,
	                     const void *x, const float *gamma, const float *mean,
	                     const float *rstd, void *dx, float *dgamma, float *dbeta);

	/* y = max(x, 0), and a NaN stays one; y may be x. */
	int (*relu_forward)(struct backend *b, size_t n, const void *x, void *y);
	/* dx = dy where y > 0, else 0; dx may be dy. */
	int (*relu_backward)(struct backend *b, size_t n, const void *dy, const void *y, void *dx);

	/* x (n, t, c, m) -> the mean over t and m, (n, c), in rows of `stride` floats. */
	int (*mean_forward)(struct backend *b, int n, int t, int c, int m, const void *x, float *y,
	                    int stride);
	int (*mean_backward)(struct backend *b, int n, int t, int c, int m, const float *dy, int stride,
	                     void *dx);

	/* y (n, out) = x (n, in) weights(out, in)^T + bias (out). */
	int (*linear_forward)(struct backend *b, int n, int in, int out, const float *x,
	                      const float *weights, const float *bias, float *y);
	int (*linear_backward)(struct backend *b, int n, int in, int out, const float *x,
	                       const float *weights, const float *dy, float *dx, float *dweights,
	                       float *dbias);

	/* Softmax and cross entropy with label smoothing. loss (n): of each sample, not
	 * weighted; hit (n): 1 if the label has the largest logit, the first of equals;
	 * dlogits = weight * scale * (softmax - target). */
	int (*loss)(struct backend *b, const struct loss_shape *s, const float *logits,
	            const int32_t *labels, const float *weights, float *loss, int32_t *hit,
	            float *dlogits);

	/* Cuts, mirrors, and maps a byte v of colour c to (v / 255 - mean[c]) / std[c] with
	 * ImageNet's mean (0.485 0.456 0.406) and std (0.229 0.224 0.225). */
	int (*frames_in)(struct backend *b, const struct frames_shape *s, const uint8_t *frames,
	                 const struct crop *crops, void *y);
	/* x (float32), y (rows, m): each row shifted to mean 0 and divided by its deviation + 1e-3:
	 * cepstral mean and variance normalisation of each coefficient of each clip. */
	int (*mfcc_in)(struct backend *b, int rows, int m, const float *x, void *y);

	/* g *= factor; *bad becomes 1 if a value of g isn't finite, and else stays. */
	int (*unscale)(struct backend *b, size_t n, float factor, float *g, int32_t *bad);

	/* g += weight_decay * w; v = momentum * v + g; w -= lr * v. (PyTorch's SGD.) */
	int (*sgd)(struct backend *b, const struct sgd_step *s, size_t n, const float *g, float *w,
	           float *v);
	/* I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", 2019, in the
	 * order of operations of PyTorch's AdamW. */
	int (*adamw)(struct backend *b, const struct adamw_step *s, size_t n, const float *g, float *w,
	             float *m, float *v);
};

/* Every backend's struct begins with this one. */
struct backend {
	const struct backend_ops *ops;
	enum precision activations;
};

/* Bytes of an activation: 4 or 2. */
size_t backend_activation_size(const struct backend *b);

/* NULL is allowed. */
void backend_free(struct backend *b);

/* For backends: remembers, for this thread as errno is, what a library said when it failed, logs it
 * at debug and returns err. */
int backend_failed(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* For people: what a library said last when it failed with err in this thread, or what strerror
 * says. Until the thread's next failure. */
const char *backend_words(int err);

#endif
