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
int reference_conv_forward(struct backend *b, struct conv *c, const float *x, const float *filters,
                           float *y);
int reference_conv_backward_data(struct backend *b, struct conv *c, const float *dy,
                                 const float *filters, float *dx);
int reference_conv_backward_filters(struct backend *b, struct conv *c, const float *x,
                                    const float *dy, float *dfilters);

/* reference_layers.c */
int reference_norm_forward(struct backend *b, const struct norm_shape *s, const float *x,
                           const float *gamma, const float *beta, float *y, float *mean,
                           float *rstd);
int reference_norm_backward(struct backend *b, const struct norm_shape *s, const float *dy,
                            const float *x, const float *gamma, const float *mean,
                            const float *rstd, float *dx, float *dgamma, float *dbeta);
int reference_relu_forward(struct backend *b, size_t n, const float *x, float *y);
int reference_relu_backward(struct backend *b, size_t n, const float *dy, const float *y,
                            float *dx);
int reference_mean_forward(struct backend *b, int n, int t, int c, int m, const float *x, float *y,
                           int stride);
int reference_mean_backward(struct backend *b, int n, int t, int c, int m, const float *dy,
                            int stride, float *dx);
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
                        const struct crop *crops, float *y);
int reference_mfcc_in(struct backend *b, int rows, int m, const float *x, float *y);
int reference_sgd(struct backend *b, const struct sgd_step *s, size_t n, const float *g, float *w,
                  float *v);
int reference_adamw(struct backend *b, const struct adamw_step *s, size_t n, const float *g,
                    float *w, float *m, float *v);

#endif
