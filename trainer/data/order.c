#include "data/order.h"

#include <errno.h>
#include <stdlib.h>

#include "data/clip.h"

struct ranked {
	uint64_t rank;
	uint32_t sample;
};

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->sample < y->sample ? -1 : x->sample > y->sample;
}

int order_sort(uint64_t seed, enum philox_use use, uint32_t a, uint32_t *list, size_t n)
{
	struct ranked *ranked = calloc(n + 1, sizeof(*ranked));

	if (!ranked)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t bits[4];

		philox_draw(seed, use, a, list[i], bits);
		ranked[i] = (struct ranked){ (uint64_t)bits[0] << 32 | bits[1], list[i] };
	}
	qsort(ranked, n, sizeof(*ranked), by_rank);
	for (size_t i = 0; i < n; i++)
		list[i] = ranked[i].sample;
	free(ranked);
	return 0;
}

struct crop order_crop(uint64_t seed, uint32_t epoch, uint32_t sample, const struct clip_spec *spec,
                       int h, int w, bool flip)
{
	struct crop crop;
	uint32_t bits[4];

	philox_draw(seed, PHILOX_AUGMENT, epoch, sample, bits);
	crop.y = (int32_t)philox_below(bits[0], (uint32_t)(spec->h - h + 1));
	crop.x = (int32_t)philox_below(bits[1], (uint32_t)(spec->w - w + 1));
	crop.flip = flip && bits[2] >> 31;
	return crop;
}

struct crop order_centre(const struct clip_spec *spec, int h, int w)
{
	return (struct crop){ .y = (spec->h - h) / 2, .x = (spec->w - w) / 2 };
}
