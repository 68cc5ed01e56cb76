/* order.h - in which order samples come, and how each is cropped: functions of seed,
 * epoch and sample alone. */
#ifndef S3SAMPLE_DATA_ORDER_H
#define S3SAMPLE_DATA_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/philox.h"
#include "util/crop.h"

struct clip_spec;

/* Sorts list[0..n) by a 64-bit random number of each, philox_draw(seed, use, a, sample):
 * every permutation is as likely, and where a sample comes depends on nothing but what
 * the list holds. Returns 0 or -ENOMEM. */
int order_sort(uint64_t seed, enum philox_use use, uint32_t a, uint32_t *list, size_t n);

/* The crop of size (h, w) of a training sample in an epoch; flip: mirrored or not by the
 * toss of a coin. */
struct crop order_crop(uint64_t seed, uint32_t epoch, uint32_t sample, const struct clip_spec *spec,
                       int h, int w, bool flip);

/* The one in the middle, for validation. */
struct crop order_centre(const struct clip_spec *spec, int h, int w);

#endif
