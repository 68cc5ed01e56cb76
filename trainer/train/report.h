/* report.h - what a run tells: log.jsonl for programs, metrics.csv for plots, stderr for
 * people.
 *
 * On a terminal one line is drawn again and again; elsewhere there are plain lines. Losses and
 * accuracies in the files are exact (17 digits): two equal runs differ in times only. */
#ifndef S3SAMPLE_TRAIN_REPORT_H
#define S3SAMPLE_TRAIN_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report;
struct why;

/* One step of training. Sums are over the step's samples of all ranks. */
struct report_step {
	uint64_t step;              /* done, this one included */
	uint32_t epoch;             /* from 0 */
	size_t done, total;         /* training samples of the epoch */
	double weight, loss, hits;
	double epoch_weight, epoch_loss, epoch_hits; /* of the epoch so far */
	double rate;
	double loss_scale;          /* 0: there is none */
};

struct report_epoch {
	uint64_t step;
	uint32_t epoch;
	double weight, loss, hits;              /* training */
	double val_weight, val_loss, val_hits;  /* validation; weight 0: there was none */
};

struct report_config {
	const char *folder;         /* NULL: a rank that tells nothing */
	uint32_t epochs;
	uint32_t log_every;         /* steps */
	size_t samples_per_epoch;   /* training and validation, for the time left */
	bool resumed;
	uint64_t step;              /* metrics.csv keeps rows up to this one, if resumed */
};

/* Returns 0 or -errno with why. Free ends the line on the terminal. */
int report_new(const struct report_config *config, struct report **ret, struct why *why);
void report_free(struct report *r);

/* Time that the device waited for a batch, and that a whole step took: seconds. */
void report_time(struct report *r, double waited, double whole, size_t samples);

/* The first batch is there. */
void report_first_batch(struct report *r);

void report_step(struct report *r, const struct report_step *s);
/* That step's gradients overflowed. */
void report_overflow(struct report *r, uint64_t step, double loss_scale);
void report_epoch(struct report *r, const struct report_epoch *e);
void report_bad(struct report *r, const char *path, const char *reason);

/* {"event": event, key: text}. */
void report_event(struct report *r, const char *event, const char *key, const char *text);

/* A line for people, in place of what is drawn. */
void report_say(struct report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Share of the whole run's time that the device waited. */
double report_wait_share(const struct report *r);

/* 0, or the -errno with which a file could not be written any more. */
int report_error(const struct report *r);

#endif
