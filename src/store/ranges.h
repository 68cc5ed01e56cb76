/* ranges.h - byte ranges of one object: sorted, merged, cut. Pure functions. */
#ifndef S3SAMPLEFS_STORE_RANGES_H
#define S3SAMPLEFS_STORE_RANGES_H

#include <stddef.h>
#include <stdint.h>

/* Bytes off .. off + len. */
struct range {
	uint64_t off;
	uint64_t len;
};

/* Sorts r[0..n) by offset, drops empty ranges, and merges those that overlap,
 * touch, or lie at most gap bytes apart (gap: the bytes that cost less than
 * another request). A range past the end of 64 bits ends there. Returns how
 * many are left, in place. */
size_t ranges_merge(struct range *r, size_t n, uint64_t gap);

/* The fewest pieces of at most max bytes, max > 0, that len bytes make. */
uint64_t ranges_pieces(uint64_t len, uint64_t max);

/* Cuts r into its first piece, of at most max bytes, and the rest: returns the
 * piece and moves r behind it. r must not be empty. */
struct range ranges_cut(struct range *r, uint64_t max);

/* Bytes of all, UINT64_MAX if they are more. */
uint64_t ranges_total(const struct range *r, size_t n);

#endif
