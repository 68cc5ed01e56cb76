/* need.h - from rows to what they need: packets that are fed, byte ranges of the
 * object, cost. Pure: no I/O, no state.
 *
 * Whoever fetches, announces or tells what a read takes asks here: a job's first bytes
 * (clip_job.c, product.c), what a worker says it will read (worker/frames.c), how much
 * of that is believed (pool_worker.c), what a reader from front to back comes to next
 * (view_raw.c), and what info says that the rows cost (view_info.c). */
#ifndef S3SAMPLEFS_MEDIA_NEED_H
#define S3SAMPLEFS_MEDIA_NEED_H

#include <stdbool.h>
#include <stdint.h>

#include "media/table.h"

struct plan;

/* Bytes off .. off + len of an object; len 0: none. */
struct need_range {
	uint64_t off, len;
};

/* Bytes that cost less than another request: what lies no farther apart is one range. */
#define NEED_GAP 65536u

/* One past the last packet that is fed until the frame of packet `target` is out: with
 * it those that push it out of a decoder that holds `reorder` frames back, unless it is
 * drained. n: packets there are; target < n. */
uint32_t need_fed_end(uint32_t target, uint32_t reorder, bool drain, uint32_t n);

/* All bytes from the first to the last of packets [first, end), which have places. */
struct need_range need_span(const struct table_packet *p, uint32_t first, uint32_t end);

/* Their first bytes: as far as they follow each other forwards at most NEED_GAP apart,
 * at most max of them. */
struct need_range need_head(const struct table_packet *p, uint32_t first, uint32_t end,
                            uint64_t max);

/* Where a container begins, of an object of `size` bytes. */
struct need_range need_container(uint64_t size);

/* Of [off, off + len) what lies inside the object, at most max. off <= size. */
struct need_range need_within(uint64_t off, uint64_t len, uint64_t size, uint64_t max);

/* What to fetch before it is asked for, by a reader that has read `streamed` bytes from
 * front to back and stands at `end`: as much as it has read, within bounds, in pieces of
 * half of that. ahead: where what was fetched so ends. */
struct need_range need_ahead(uint64_t streamed, uint64_t end, uint64_t ahead);

/* What all rows of a plan take. */
struct need_cost {
	uint64_t bytes;         /* of packets that are fed */
	uint32_t packets;       /* that are fed */
	uint32_t ranges;        /* in which those bytes lie */
};
struct need_cost need_cost(const struct table_head *t, const struct plan *plan);

#endif
