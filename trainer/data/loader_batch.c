#include "data/loader_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/samples.h"

int batch_init(struct batch *b, const struct loader_config *config)
{
	size_t frames = clip_frames_bytes(&config->spec), mfcc = clip_mfcc_floats(&config->spec);

	b->places = config->plan.batch / config->ranks;
	if (config->spec.video && !(b->frames = calloc(b->places, frames)))
		return -ENOMEM;
	if (config->spec.audio && !(b->mfcc = calloc(b->places, mfcc * sizeof(*b->mfcc))))
		return -ENOMEM;
	b->labels = calloc(b->places, sizeof(*b->labels));
	b->weights = calloc(b->places, sizeof(*b->weights));
	b->crops = calloc(b->places, sizeof(*b->crops));
	b->samples = calloc(b->places, sizeof(*b->samples));
	b->bad = calloc(b->places, sizeof(*b->bad));
	return b->labels && b->weights && b->crops && b->samples && b->bad ? 0 : -ENOMEM;
}

static void forget_bad(struct batch *b)
{
	for (size_t i = 0; i < b->n_bad; i++)
		free(b->bad[i].reason);
	b->n_bad = 0;
}

void batch_done(struct batch *b)
{
	forget_bad(b);
	free(b->frames);
	free(b->mfcc);
	free(b->labels);
	free(b->weights);
	free(b->crops);
	free(b->samples);
	free(b->bad);
}

static void clear_places(struct batch *b, const struct loader_config *config, size_t first, size_t n)
{
	size_t frames = clip_frames_bytes(&config->spec), mfcc = clip_mfcc_floats(&config->spec);

	if (n == 0)
		return;
	if (b->frames)
		memset(b->frames + first * frames, 0, n * frames);
	if (b->mfcc)
		memset(b->mfcc + first * mfcc, 0, n * mfcc * sizeof(*b->mfcc));
	memset(b->labels + first, 0, n * sizeof(*b->labels));
	memset(b->weights + first, 0, n * sizeof(*b->weights));
	memset(b->crops + first, 0, n * sizeof(*b->crops));
}

void batch_reset(struct batch *b, const struct loader_config *config, size_t n)
{
	forget_bad(b);
	b->n = n;
	clear_places(b, config, n, b->places - n);
}

int batch_mark_bad(struct batch *b, const struct loader_config *config, size_t place,
                   const char *reason)
{
	char *copy = strdup(reason);

	if (!copy)
		return -ENOMEM;
	clear_places(b, config, place, 1);
	/* The place for now; batch_sort_bad needs it. */
	b->bad[b->n_bad++] = (struct bad_sample){ (uint32_t)place, copy };
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct bad_sample *x = a, *y = b;

	return x->sample < y->sample ? -1 : x->sample > y->sample;
}

void batch_sort_bad(struct batch *b)
{
	qsort(b->bad, b->n_bad, sizeof(*b->bad), by_place);
	for (size_t i = 0; i < b->n_bad; i++)
		b->bad[i].sample = b->samples[b->bad[i].sample];
}
