/* bad.h - the samples that were left out, each counted once, and why. */
#ifndef S3SAMPLE_TRAIN_BAD_H
#define S3SAMPLE_TRAIN_BAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/loader.h"

struct bad_list;

/* samples: how many there are. Returns 0 or -ENOMEM. */
int bad_new(size_t samples, struct bad_list **ret);
void bad_free(struct bad_list *b);

/* Takes over those of a batch that it doesn't know. *ret_new: how many, the first of them
 * first. Returns 0 or -ENOMEM. */
int bad_add(struct bad_list *b, const struct bad_sample *bad, size_t n, size_t *ret_new);

/* Those of a checkpoint. Returns 0, -ENOMEM, or -EBADMSG: there is no such sample. */
int bad_restore(struct bad_list *b, const uint32_t *samples, size_t n);

size_t bad_count(const struct bad_list *b);

/* In the order in which they were found; valid until the next bad_add. reason is "" for what
 * was restored. */
const struct bad_sample *bad_get(const struct bad_list *b);

/* Their numbers, ascending: malloc'd, or NULL without memory. */
uint32_t *bad_numbers(const struct bad_list *b);

#endif
