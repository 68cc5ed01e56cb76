/* cpu_priv.h - what the files of the CPU's backend share. */
#ifndef S3SAMPLE_BACKEND_CPU_PRIV_H
#define S3SAMPLE_BACKEND_CPU_PRIV_H

#include <oneapi/dnnl/dnnl.h>

#include "backend/backend.h"

/* Operands of a convolution in oneDNN's own layout, while it runs. One of each is
 * enough for all convolutions, as they run one after the other. */
enum scratch { SCRATCH_IMAGES_IN, SCRATCH_IMAGES_OUT, SCRATCH_FILTERS, SCRATCH_N };

struct cpu {
	struct backend base; /* first */
	dnnl_engine_t engine;
	dnnl_stream_t stream;
	unsigned threads;
	void *scratch[SCRATCH_N];
	size_t scratch_size[SCRATCH_N];
};

static inline struct cpu *cpu_of(struct backend *b)
{
	return (struct cpu *)b;
}

/* oneDNN's codes as -errno; what: for the log. */
int cpu_error(dnnl_status_t status, const char *what);

/* cpu_conv.c */
int cpu_conv_new(struct backend *b, const struct conv_shape *s, struct conv **ret);
void cpu_conv_free(struct backend *b, struct conv *c);
int cpu_conv_forward(struct backend *b, struct conv *c, const void *x, const float *filters,
                     void *y);
int cpu_conv_backward_data(struct backend *b, struct conv *c, const void *dy,
                           const float *filters, void *dx);
int cpu_conv_backward_filters(struct backend *b, struct conv *c, const void *x, const void *dy,
                              float *dfilters);

/* cpu_loops.c */
int cpu_norm_forward(struct backend *b, const struct norm_shape *s, const void *x,
                     const float *gamma, const float *beta, void *y, float *mean, float *rstd);
int cpu_norm_backward(struct backend *b, const struct norm_shape *s, const void *dy,
                      const void *x, const float *gamma, const float *mean, const float *rstd,
                      void *dx, float *dgamma, float *dbeta);
int cpu_relu_forward(struct backend *b, size_t n, const void *x, void *y);
int cpu_relu_backward(struct backend *b, size_t n, const void *dy, const void *y, void *dx);
int cpu_mean_forward(struct backend *b, int n, int t, int c, int m, const void *x, float *y,
                     int stride);
int cpu_mean_backward(struct backend *b, int n, int t, int c, int m, const float *dy, int stride,
                      void *dx);
int cpu_frames_in(struct backend *b, const struct frames_shape *s, const uint8_t *frames,
                  const struct crop *crops, void *y);
int cpu_mfcc_in(struct backend *b, int rows, int m, const float *x, void *y);
int cpu_unscale(struct backend *b, size_t n, float factor, float *g, int32_t *bad);
int cpu_sgd(struct backend *b, const struct sgd_step *s, size_t n, const float *g, float *w,
            float *v);
int cpu_adamw(struct backend *b, const struct adamw_step *s, size_t n, const float *g, float *w,
              float *m, float *v);

#endif
