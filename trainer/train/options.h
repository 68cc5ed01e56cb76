/* options.h - what the user asked for: the command line and, below it, an INI file. */
#ifndef S3SAMPLE_TRAIN_OPTIONS_H
#define S3SAMPLE_TRAIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/optimizer.h"
#include "train/reduce.h"

struct buf;
struct why;

enum device { DEVICE_CPU, DEVICE_CUDA };
enum arithmetic { ARITHMETIC_FLOAT32, ARITHMETIC_TF32, ARITHMETIC_BF16, ARITHMETIC_FP16 };
enum modality { MODALITY_AV, MODALITY_VIDEO, MODALITY_AUDIO };

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

struct options {
	enum options_action action;
	char *data, *out, *config;
	enum device device;
	enum arithmetic precision;
	uint32_t loss_scale;            /* a power of two; 0: auto */
	enum reduce reduce;
	uint32_t threads;               /* 0: all CPUs */
	enum modality modality;
	uint32_t epochs, batch;         /* batch: of one rank */
	enum optimizer_kind optimizer;
	enum schedule schedule;
	double lr, momentum, weight_decay, label_smoothing;
	double warmup;                  /* epochs */
	uint32_t seed;
	double val_share;
	char *val_split;                /* NULL: the usual names */
	uint32_t readers, queue;
	uint32_t crop;                  /* pixels; 0: whole frames */
	bool flip;
	double max_bad;                 /* share of all samples */
	uint32_t video_width, video_depth, audio_width, audio_depth;
	uint32_t checkpoint_every;      /* steps; 0: after each epoch */
	uint32_t log_every;             /* steps */
	bool resume, resume_anyway, overwrite, deterministic;
	bool verbose;                   /* what libraries are asked for, and say */
};

/* Reads the command line, and the file it names. Returns 0, or the exit status (2: what was
 * asked for is wrong) with why. options_done after success. */
int options_parse(int argc, char *argv[], struct options *ret, struct why *why);
void options_done(struct options *o);

/* "key = value\n" for all keys; or for those that a resumed run has to have as before. */
void options_print(const struct options *o, struct buf *out);
void options_print_fixed(const struct options *o, struct buf *out);

/* Text of --help. */
const char *options_usage(void);

#endif
