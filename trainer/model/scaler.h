/* scaler.h - the factor by which a loss is multiplied so that its gradients don't vanish in fp16,
 * whose smallest number is 6e-8: P. Micikevicius et al., "Mixed precision training", ICLR 2018.
 *
 * Dynamic, with the constants of PyTorch's GradScaler: it begins at 65536, halves when a gradient
 * overflowed (that step is left out) and doubles after 2000 steps without. Unlike there, it stays
 * between 1 and 2^24.
 * With a factor that stays, a step whose gradient overflowed is left out as well.
 *
 * Factors are powers of two, so that they round nothing. */
#ifndef S3SAMPLE_MODEL_SCALER_H
#define S3SAMPLE_MODEL_SCALER_H

#include <stdbool.h>
#include <stdint.h>

struct backend;
struct model;
struct scaler;

struct scaler_config {
	bool used;              /* false: the factor is 1 and no gradient is looked at */
	bool dynamic;
	float scale;            /* of one that stays */
};

/* What a resumed run has to go on with. */
struct scaler_state {
	double scale;
	int64_t row;            /* steps since the last overflow; negative: overflows in a row */
};

/* Returns 0 or -errno, as alloc of the backend. The model must outlive it. */
int scaler_new(struct backend *b, struct model *m, const struct scaler_config *config,
               struct scaler **ret);
void scaler_free(struct scaler *s);

/* The factor of the next step. */
float scaler_scale(const struct scaler *s);

/* Divides the model's gradients by it, once all ranks' are summed, and chooses the next factor.
 * *ret_finite: they may be used. Returns 0 or -errno; -ERANGE if that
 * was the 64th in a row that may not. */
int scaler_unscale(struct scaler *s, bool *ret_finite);

/* A scaler that isn't dynamic keeps its own factor; one without a factor (0) begins anew. */
struct scaler_state scaler_state(const struct scaler *s);
void scaler_restore(struct scaler *s, const struct scaler_state *state);

#endif
