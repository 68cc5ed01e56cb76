#include "data/loader_batch.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/samples.h"

/* For `places` things of this size. */
static int alloc(const struct loader_config *config, size_t places, size_t size, void **ret)
{
	const struct loader_allocator *a = &config->allocator;

	if (a->alloc)
		return size > SIZE_MAX / places ? -ENOMEM : a->alloc(a->context, places * size, ret);
	*ret = calloc(places, size);
	return *ret ? 0 : -ENOMEM;
}

static void release(const struct loader_config *config, void *memory)
{
	if (config->allocator.free && memory)
		config->allocator.free(config->allocator.context, memory);
	else
		free(memory);
}

int batch_init(struct batch *b, const struct loader_config *config)
{
	void *frames = NULL, *mfcc = NULL;
	int err = 0;

	b->places = config->plan.batch / config->ranks;
	if (config->spec.video)
		err = alloc(config, b->places, clip_frames_bytes(&config->spec), &frames);
	b->frames = frames;
	if (!err && config->spec.audio)
		err = alloc(config, b->places, clip_mfcc_floats(&config->spec) * sizeof(*b->mfcc),
		            &mfcc);
	b->mfcc = mfcc;
	if (err)
		return err;
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

void batch_done(struct batch *b, const struct loader_config *config)
{
	forget_bad(b);
	release(config, b->frames);
	release(config, b->mfcc);
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
