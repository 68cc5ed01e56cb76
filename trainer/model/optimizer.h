/* optimizer.h - steps of SGD with momentum or of AdamW, and the rate of each. */
#ifndef S3SAMPLE_MODEL_OPTIMIZER_H
#define S3SAMPLE_MODEL_OPTIMIZER_H

#include <stddef.h>
#include <stdint.h>

struct backend;
struct model;
struct optimizer;

enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAMW };
enum schedule { SCHEDULE_COSINE, SCHEDULE_CONSTANT };

struct optimizer_config {
	enum optimizer_kind kind;
	enum schedule schedule;
	double lr;              /* the largest */
	double momentum;        /* SGD */
	double weight_decay;
	double warmup;          /* steps over which the rate rises from 0 */
	uint64_t steps;         /* at the end of which a cosine is at 0 */
};

/* AdamW's beta1, beta2 and eps are PyTorch's: 0.9, 0.999, 1e-8. */

#define OPTIMIZER_STATES 2 /* arrays for each parameter: momentum; or both moments */

/* Returns 0 or -ENOMEM. The model must outlive it. */
int optimizer_new(struct backend *b, struct model *m, const struct optimizer_config *config,
                  struct optimizer **ret);
void optimizer_free(struct optimizer *o);

/* State i of parameter p, on the device, and its name ("momentum", "exp_avg",
 * "exp_avg_sq"); NULL where this optimizer has no such state. */
float *optimizer_state(struct optimizer *o, size_t p, int i, const char **ret_name);

/* The rate of a step, counted from 0: warm-up (step + 1) / warmup, then half a cosine down
 * to 0 (I. Loshchilov, F. Hutter, "SGDR", 2017, without restarts), or constant. */
double optimizer_rate(const struct optimizer_config *config, uint64_t step);

/* Changes the model's values by its gradients. step: of the schedule, as above; changes: the
 * steps before it without those left out (scaler.h), for AdamW's corrections. Returns 0 or
 * -errno. */
int optimizer_step(struct optimizer *o, uint64_t step, uint64_t changes);

#endif
