/* plan.h - from a packet table and a frames_spec to the frames that are the
 * rows of the array: which frame each row shows, and from which sync packet its
 * decoding starts. Pure arithmetic in integers of the stream's time base; no
 * I/O, no decoding, no state.
 *
 * Shown frames are those that decode from a sync packet in the file and lie
 * inside the edit list, in output order. */
#ifndef S3SAMPLEFS_MEDIA_PLAN_H
#define S3SAMPLEFS_MEDIA_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "media/spec.h"
#include "media/table.h"

struct plan_row {
	int64_t pts;        /* of the shown frame; TABLE_NOPTS: known by ordinal only */
	uint32_t ordinal;   /* its number in output order, from 0, among the shown frames */
	uint32_t packet;    /* table index of its packet */
	uint32_t sync;      /* table index of the sync packet decoding starts from */
	uint32_t first;     /* the first row that shows this same frame (its own number, mostly) */
};

struct plan {
	uint32_t n_rows;
	uint32_t n_shown;   /* shown frames of the clip */
	uint32_t reorder;   /* frames a decoder must hold back: has_b_frames */
	bool by_ordinal;    /* the file has no pts: rows are counted from the first packet */
	int64_t start, duration;  /* time base units: pts of the first shown frame; to the end of the last */
	struct plan_row rows[];   /* ascending pts */
};

/* t has passed table_check. Returns 0 and a malloc'd plan, or -ENODATA (no video stream),
 * -EBADMSG (no frame can be shown), -ENOMEM; why[256] filled. */
int plan_make(const struct table_head *t, const struct frames_spec *s, char *why, struct plan **ret_plan);

/* The sync packet before table index `sync` in decode order, or -1. */
int64_t plan_sync_before(const struct table_head *t, uint32_t sync);

/* How many packets must be held back so that frames come out in the order of
 * their pts: the largest number of packets before any packet, in decode order, that are shown after it,
 * where a sync packet that is shown no later than one before it begins anew. At most TABLE_REORDER_MAX. */
uint32_t plan_reorder(const struct table_head *t);

#endif
