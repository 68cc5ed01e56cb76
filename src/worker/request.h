/* request.h - the input of a FRAMES job (media/proto.h), checked. */
#ifndef S3SAMPLEFS_WORKER_REQUEST_H
#define S3SAMPLEFS_WORKER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/geometry.h"
#include "media/proto.h"

/* Pointers are into the input memfd, which outlives it. */
struct request_frames {
	const struct proto_frames *head;
	const struct proto_frame_row *rows;     /* head->n_rows */
	const struct table_packet *packets;     /* head->n_packets; request_packet finds one */
	const uint8_t *params;                  /* head->params_len bytes */
	char container[sizeof(((struct proto_frames *)0)->container) + 1];
	struct geometry geometry;
	bool by_ordinal;        /* packets have no pts: rows name an output order */
	uint32_t *row_of;       /* of each packet: 1 + the first row that shows it, 0: none does; owned */
};

/* out_size: bytes of the output memfd. Returns 0, -EINVAL (not well-formed) or
 * -ENOMEM; r goes to request_done in any case. */
int request_parse(const struct proto_job *job, const uint8_t *input, size_t len, size_t out_size,
                  struct request_frames *r, char *why);
void request_done(struct request_frames *r);

/* One past the last packet's absolute table index. */
static inline uint32_t request_end(const struct request_frames *r)
{
	return r->head->first_packet + r->head->n_packets;
}

/* By absolute table index, first_packet <= i < request_end. */
static inline const struct table_packet *request_packet(const struct request_frames *r, uint32_t i)
{
	return &r->packets[i - r->head->first_packet];
}

/* The first row that shows packet i (any value): others with it follow side by side.
 * head->n_rows: none does. */
static inline uint32_t request_row_of(const struct request_frames *r, int64_t i)
{
	uint32_t row = i < r->head->first_packet || i >= request_end(r) ? 0 :
	               r->row_of[i - r->head->first_packet];

	return row ? row - 1 : r->head->n_rows;
}

/* May the decoder leave packet i out if no frame refers to it? */
bool request_may_skip(const struct request_frames *r, uint32_t i);

#endif
