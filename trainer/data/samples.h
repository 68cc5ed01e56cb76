/* samples.h - which samples there are: paths, labels, classes, and which of them train
 * and which validate.
 *
 * From DIR/index.csv (columns path and label; class, split and etag if there are such;
 * others are ignored), or, where there is none, from the folders below DIR that have a
 * label.txt, in bytewise order. */
#ifndef S3SAMPLE_DATA_SAMPLES_H
#define S3SAMPLE_DATA_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "util/sha256.h"

struct why;

struct sample {
	char *path;             /* of its folder, below DIR */
	char *label;
	char *split;            /* "" if it has none */
	char *etag;             /* "" */
	uint32_t class;
};

struct samples {
	struct sample *sample;
	size_t n;
	char **class;           /* names by number */
	uint32_t n_classes;
	uint32_t *train, *val;  /* numbers of samples, ascending */
	size_t n_train, n_val;
	char sha256[SHA256_HEX_SIZE]; /* of everything above */
};

struct samples_config {
	const char *val_split;  /* the split that validates; NULL: val, valid or validation */
	double val_share;       /* of the training samples, if no split validates */
	uint64_t seed;          /* draws that share */
};

/* Rows whose split validates are val, rows of split test or testing are neither, all
 * others are train. Returns 0, or -errno with why: nothing to train on, one class, a
 * class without training samples, labels and classes that contradict each other. */
int samples_load(const char *folder, const struct samples_config *config, struct samples **ret,
                 struct why *why);
void samples_free(struct samples *s);

#endif
