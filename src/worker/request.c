#include "worker/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/why.h"

#define PACKET_SIZE_MAX (1u << 30)

/* Splits the input into its parts. */
static bool split(const uint8_t *input, size_t len, struct request_frames *r)
{
	const struct proto_frames *h = (const struct proto_frames *)(const void *)input;
	size_t left = len;

	if (!input || left < sizeof(*h) || h->magic != PROTO_MAGIC)
		return false;
	left -= sizeof(*h);
	r->head = h;
	r->rows = (const struct proto_frame_row *)(const void *)(h + 1);
	if (h->n_rows > left / sizeof(*r->rows))
		return false;
	left -= h->n_rows * sizeof(*r->rows);
	r->packets = (const struct table_packet *)(const void *)(r->rows + h->n_rows);
	if (h->n_packets > left / sizeof(*r->packets))
		return false;
	left -= h->n_packets * sizeof(*r->packets);
	r->params = (const uint8_t *)(r->packets + h->n_packets);
	memcpy(r->container, h->container, sizeof(h->container));
	return h->params_len == left;
}

static bool is_head_good(const struct proto_frames *h, const struct spec *spec, size_t out_size)
{
	uint64_t row_bytes = spec_frames_array(&spec->frames, 1, h->row_height,
	                                       h->row_width).row_bytes;

	return h->n_packets > 0 && h->n_packets <= TABLE_PACKETS_MAX &&
	       h->first_packet <= TABLE_PACKETS_MAX && h->target >= h->first_packet && h->target - h->first_packet < h->n_packets &&
	       h->time_base_num > 0 && h->time_base_den > 0 && h->video_stream >= 0 &&
	       h->rotation < 360 && h->rotation % 90 == 0 && h->row_height <= SPEC_SIDE_MAX &&
	       h->row_width <= SPEC_SIDE_MAX && h->row_bytes == row_bytes &&
	       h->n_slots <= SPEC_FRAMES_MAX && h->n_slots * row_bytes <= out_size;
}

static bool are_rows_good(const struct request_frames *r)
{
	for (uint32_t i = 0; i < r->head->n_rows; i++) {
		const struct proto_frame_row *row = &r->rows[i], *before = i ? row - 1 : row;

		if ((row->pts == TABLE_NOPTS) != r->by_ordinal)
			return false;
		if (r->by_ordinal ? row->ordinal < before->ordinal : row->pts < before->pts)
			return false;
		if (row->emit && row->slot >= r->head->n_slots)
			return false;
	}
	/* Output is only counted from the very first packet. */
	return !r->by_ordinal || r->head->first_packet == 0;
}

static bool are_packets_good(const struct request_frames *r, uint64_t object_size)
{
	bool contiguous = r->head->table_flags & TABLE_CONTIGUOUS;

	for (uint32_t i = 0; i < r->head->n_packets; i++) {
		const struct table_packet *p = &r->packets[i];

		if (p->size == 0 || p->size > PACKET_SIZE_MAX)
			return false;
		if (contiguous && (p->pos < 0 || p->size > object_size ||
		                   (uint64_t)p->pos > object_size - p->size))
			return false;
	}
	return true;
}

static int list_packets(struct request_frames *r)
{
	r->row_of = calloc(r->head->n_packets, sizeof(*r->row_of));
	if (!r->row_of)
		return -ENOMEM;
	for (uint32_t i = r->head->n_rows; i-- > 0;) {
		uint32_t packet = r->rows[i].packet;

		if (packet >= r->head->first_packet && packet < request_end(r))
			r->row_of[packet - r->head->first_packet] = i + 1;
	}
	return 0;
}

int request_parse(const struct proto_job *job, const uint8_t *input, size_t len, size_t out_size,
                  struct request_frames *r, char *why)
{
	*r = (struct request_frames){0};
	if (job->spec.kind != SPEC_FRAMES)
		return why_set(why, -EINVAL, "the job's parameters are of another kind");
	if (!split(input, len, r) || !is_head_good(r->head, &job->spec, out_size))
		return why_set(why, -EINVAL, "the job's input is not well-formed");
	r->by_ordinal = r->packets[0].pts == TABLE_NOPTS;
	if (!are_rows_good(r) || !are_packets_good(r, job->object_size))
		return why_set(why, -EINVAL, "the job's rows or packets are not well-formed");
	if (geometry_make(r->head->src_height, r->head->src_width, &job->spec.frames,
	                  &r->geometry) ||
	    r->geometry.row_height != r->head->row_height ||
	    r->geometry.row_width != r->head->row_width)
		return why_set(why, -EINVAL, "the job's sizes don't fit each other");
	return list_packets(r) ? why_set(why, -ENOMEM, "no memory") : 0;
}

void request_done(struct request_frames *r)
{
	free(r->row_of);
	r->row_of = NULL;
}

bool request_may_skip(const struct request_frames *r, uint32_t i)
{
	/* Both fields of a frame or none. */
	while (i > r->head->first_packet && (request_packet(r, i)->flags & TABLE_SECOND))
		i--;
	/* Where output is counted every frame has to come out. */
	return (r->head->table_flags & TABLE_SKIP_NONREF) && !r->head->no_skip && !r->by_ordinal &&
	       i < r->head->target && !r->row_of[i - r->head->first_packet];
}
