/* predict.c - the command s3sample-predict: labels of sample folders, by a checkpoint. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/cpu.h"
#include "checkpoint/safetensors.h"
#include "data/clip.h"
#include "data/order.h"
#include "model/model.h"
#include "train/state.h"
#include "util/why.h"

static const char usage[] =
	"Usage: s3sample-predict CHECKPOINT PATH...\n"
	"Prints path, label and probability, separated by tabs, for each folder that holds\n"
	"frames.npy and mfcc.npy, by a checkpoint of s3sample-train. What can't be read is\n"
	"told on stderr, and the exit status is then 1.\n"
	"Manual: man s3sample-train\n";

struct predictor {
	struct backend *backend;
	struct model *model;
	struct model_config config;
	char **classes;
	struct clip_spec spec;
	uint8_t *frames;
	float *mfcc, *logits;
};

static void predictor_done(struct predictor *p)
{
	model_free(p->model);
	backend_free(p->backend);
	state_free_classes(p->classes, p->config.classes);
	free(p->frames);
	free(p->mfcc);
	free(p->logits);
}

static int predictor_init(struct predictor *p, const char *path, struct why *why)
{
	struct safetensors *file;
	int err = state_open(path, &file, why);

	if (err)
		return err;
	err = state_model(file, &p->config, &p->classes, why);
	if (!err && cpu_new(0, &p->backend))
		err = why_set(why, -EIO, "the CPU's library can't be started");
	if (!err)
		err = model_new(p->backend, &p->config, 0, &p->model, why);
	if (!err)
		err = state_load_model(file, p->backend, p->model, why);
	safetensors_free(file);
	if (err)
		return err;
	p->spec = (struct clip_spec){
		.video = p->config.video, .audio = p->config.audio, .t = p->config.t, .h = p->config.h,
		.w = p->config.w, .n_mfcc = p->config.n_mfcc, .columns = p->config.columns,
	};
	p->frames = malloc(clip_frames_bytes(&p->spec) + 1);
	p->mfcc = malloc(clip_mfcc_floats(&p->spec) * sizeof(float) + 1);
	p->logits = calloc((size_t)p->config.classes, sizeof(float));
	return p->frames && p->mfcc && p->logits ? 0 : why_no_memory(why);
}

static int predict(struct predictor *p, const char *path, int *ret_class, double *ret_probability,
                   struct why *why)
{
	const struct crop crop = order_centre(&p->spec, p->config.crop_h, p->config.crop_w);
	const int32_t label = 0;
	const float weight = 1;
	const struct model_input in = { p->frames, &crop, p->mfcc, &label, &weight };
	double sum = 0;
	float loss;
	int32_t hit;
	int best = 0, err = clip_read(path, ".", &p->spec, p->frames, p->mfcc, why);

	if (err)
		return err;
	err = model_load(p->model, &in);
	if (!err)
		err = model_forward(p->model, 0, 1, &loss, &hit);
	if (!err)
		err = model_logits(p->model, p->logits);
	if (err)
		return why_set(why, err, "the device failed: %s", backend_words(err));
	for (int i = 1; i < p->config.classes; i++) {
		if (p->logits[i] > p->logits[best])
			best = i;
	}
	for (int i = 0; i < p->config.classes; i++)
		sum += exp((double)p->logits[i] - p->logits[best]);
	*ret_class = best;
	*ret_probability = 1 / sum;
	return 0;
}

static int predict_all(const char *checkpoint, char *paths[], struct why *why)
{
	struct predictor p = { 0 };
	int status = 0;

	if (predictor_init(&p, checkpoint, why)) {
		fprintf(stderr, "s3sample-predict: %s\n", why->text);
		predictor_done(&p);
		return 1;
	}
	for (; *paths; paths++) {
		double probability = 0;
		int class = 0;

		if (predict(&p, *paths, &class, &probability, why)) {
			fprintf(stderr, "s3sample-predict: %s: %s\n", *paths, why->text);
			status = 1;
			continue;
		}
		printf("%s\t%s\t%.4f\n", *paths, p.classes[class], probability);
	}
	predictor_done(&p);
	if (fflush(stdout)) {
		fprintf(stderr, "s3sample-predict: %s\n", strerror(errno));
		status = 1;
	}
	return status;
}

int main(int argc, char *argv[])
{
	struct why why = { "" };

	if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc == 2 && (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)) {
		printf("s3sample-predict %s\n", S3SAMPLEFS_VERSION);
		return 0;
	}
	if (argc < 3) {
		fputs(usage, stderr);
		return 2;
	}
	return predict_all(argv[1], argv + 2, &why);
}
