/* reference_priv.h - the reference's functions, by subject. */
#ifndef S3SAMPLE_BACKEND_REFERENCE_PRIV_H
#define S3SAMPLE_BACKEND_REFERENCE_PRIV_H

#include "backend/backend.h"

struct conv {
	struct conv_shape shape;
};

/* reference_conv.c */
int reference_conv_new(struct backend *b, const struct conv_shape *s, struct conv **ret);
void reference_conv_free(struct backend *b, struct conv *c);
int reference_conv_forward(struct backend *b, struct conv *c, const void *x, const float *filters,
                           void *y);
int reference_conv_backward_data(struct backend *b, struct conv *c, const void *dy,
                                 const float *filters, void *dx);
int reference_conv_backward_filters(struct backend *b, struct conv *c, const void *x,
                                    const void *dy, float *dfilters);

/* reference_layers.c */
int reference_norm_forward(struct backend *b, const struct norm_shape *s, const void *x,
                           const float *gamma, const float *beta, void *y, float *mean,
                           float *rstd);
int reference_norm_backward(struct backend *b, const struct norm_shape *s, const void *dy,
                            const void *x, const float *gamma, const float *mean,
                            const float *rstd, void *dx, float *dgamma, float *dbeta);
int reference_relu_forward(struct backend *b, size_t n, const void *x, void *y);
int reference_relu_backward(struct backend *b, size_t n, const void *dy, const void *y,
                            void *dx);
int reference_mean_forward(struct backend *b, int n, int t, int c, int m, const void *x, float *y,
                           int stride);
int reference_mean_backward(struct backend *b, int n, int t, int c, int m, const float *dy,
                            int stride, void *dx);
int reference_linear_forward(struct backend *b, int n, int in, int out, const float *x,
                             const float *weights, const float *bias, float *y);
int reference_linear_backward(struct backend *b, int n, int in, int out, const float *x,
                              const float *weights, const float *dy, float *dx, float *dweights,
                              float *dbias);

/* reference_ends.c: what stands at the two ends of a model, and its optimizers */
int reference_loss(struct backend *b, const struct loss_shape *s, const float *logits,
                   const int32_t *labels, const float *weights, float *loss, int32_t *hit,
                   float *dlogits);
int reference_frames_in(struct backend *b, const struct frames_shape *s, const uint8_t *frames,
                        const struct crop *crops, void *y);
int reference_mfcc_in(struct backend *b, int rows, int m, const float *x, void *y);
int reference_unscale(struct backend *b, size_t n, float factor, float *g, int32_t *bad);
int reference_sgd(struct backend *b, const struct sgd_step *s, size_t n, const float *g, float *w,
                  float *v);
int reference_adamw(struct backend *b, const struct adamw_step *s, size_t n, const float *g,
                    float *w, float *m, float *v);

#endif
