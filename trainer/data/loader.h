/* loader.h - batches of samples, read ahead by threads, handed out in the order of the
 * plan.
 *
 * Readers take samples one by one in that order, each into its place in a batch; a batch
 * is handed out when all its places are filled. What is in it depends on the plan alone,
 * never on which thread was faster. At most `queue` batches are in memory.
 *
 * A sample that can't be read (clip.h) keeps its place, as zeros of weight zero. */
#ifndef S3SAMPLE_DATA_LOADER_H
#define S3SAMPLE_DATA_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/clip.h"
#include "data/plan.h"
#include "util/crop.h"

struct loader;
struct samples;
struct why;

/* Where the frames and MFCC of batches lie, if not in plain memory. alloc: bytes > 0; 0, -ENOMEM
 * or another -errno. Called by whoever calls loader_new and loader_free, and in them. */
struct loader_allocator {
	int (*alloc)(void *context, size_t bytes, void **ret);
	void (*free)(void *context, void *memory);
	void *context;
	const char *kind;       /* of memory, for a sentence: "pinned memory" */
};

struct loader_config {
	const char *folder;     /* {epoch} and {seed} are replaced */
	const struct samples *samples; /* must outlive the loader */
	struct clip_spec spec;
	struct plan plan;
	struct plan_cursor start;
	uint64_t seed;
	unsigned rank, ranks;   /* plan.batch is a multiple of ranks */
	unsigned readers;       /* threads, from 1 */
	unsigned queue;         /* batches, from 2 */
	int crop_h, crop_w;     /* what is seen of spec's h, w; ignored without video */
	bool flip;
	struct loader_allocator allocator; /* zeros: malloc */
};

/* A sample that had to be left out. */
struct bad_sample {
	uint32_t sample;        /* its number in samples */
	char *reason;
};

/* This rank's part of a batch: plan.batch / ranks places. Those without a sample, and
 * bad ones, have weight 0, label 0 and zeros. */
struct batch {
	struct plan_batch plan;
	struct plan_cursor after; /* where the plan is when this batch is done */
	size_t places;
	size_t n;               /* samples of it, from place 0 on, the bad ones included */
	uint8_t *frames;        /* (places, t, h, w, 3), or NULL */
	float *mfcc;            /* (places, n_mfcc, columns), or NULL */
	int32_t *labels;
	float *weights;         /* 1 or 0 */
	struct crop *crops;
	uint32_t *samples;      /* numbers */
	struct bad_sample *bad; /* in order of place */
	size_t n_bad;
};

/* Starts reading at once. Returns 0 or -errno with why. */
int loader_new(const struct loader_config *config, struct loader **ret, struct why *why);

/* Waits for readers in the middle of a file, and frees all batches, the one that was not given
 * back too. NULL is allowed. */
void loader_free(struct loader *l);

/* The next batch, to be given back before the next call. One thread calls. Returns 0; 1
 * at the end of the plan; -EINTR after loader_interrupt; another -errno with why when a
 * file failed in a way that is not its own fault. */
int loader_next(struct loader *l, struct batch **ret, struct why *why);
void loader_give_back(struct loader *l, struct batch *b);

/* Makes loader_next return -EINTR from now on. Any thread, no signal handler. */
void loader_interrupt(struct loader *l);

/* Bytes of the batches in memory. */
size_t loader_memory(const struct loader_config *config);

#endif
