/* job_frames: rows out of packets. */
#include <errno.h>
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "media/need.h"
#include "worker/convert.h"
#include "worker/input.h"
#include "worker/job.h"
#include "worker/request.h"
#include "worker/resize.h"
#include "worker/resize_kernels.h"
#include "worker/session.h"
#include "worker/why.h"

/* What is kept from job to job. job.h's functions have no handle, and a worker
 * does one job at a time: a static it is. */
static struct {
	uint64_t number;                /* of the session */
	uint64_t object_size;
	struct session *session;
	struct convert *convert;
	struct resize *resize;
	struct geometry geometry;       /* that resize was made for */
	uint32_t src_height, src_width;
} kept;

struct frames_job {
	const struct proto_job *job;
	struct job_io *io;
	struct request_frames r;
	bool *done;                     /* of each row: written */
	uint32_t missing;               /* rows to write */
	uint64_t decoded;
	int failed;                     /* -EBADMSG: a row's frame can't be one; why says why */
	char *why;
};

void job_frames_reset(void)
{
	session_free(kept.session);
	convert_free(kept.convert);
	resize_free(kept.resize);
	memset(&kept, 0, sizeof(kept));
}

static int reserve_convert(const struct frames_job *j)
{
	if (!kept.convert)
		kept.convert = convert_new();
	return kept.convert ? 0 : why_set(j->why, -ENOMEM, "no memory");
}

/* Tables for upright frames of this size, which give this job's rows: most videos have frames
 * of one size, but streams of calls and broadcasts change it on the way. */
static int reserve_resize(const struct frames_job *j, uint32_t height, uint32_t width)
{
	const struct geometry *row = &j->r.geometry;
	struct geometry g;
	int err;

	if (geometry_make(height, width, &j->job->spec.frames, &g))
		return why_set(j->why, -EBADMSG, "a frame of it has %ux%u pixels", width, height);
	if (g.row_height != row->row_height || g.row_width != row->row_width)
		return why_set(j->why, -EBADMSG, "its frames change their size from %ux%u to %ux%u, "
		               "and an array of size=native has one size",
		               row->row_width, row->row_height, g.row_width, g.row_height);
	if (kept.resize && kept.src_height == height && kept.src_width == width &&
	    memcmp(&kept.geometry, &g, sizeof(g)) == 0)
		return 0;
	resize_free(kept.resize);
	kept.resize = NULL;
	err = resize_new(height, width, &g, resize_kernels_best(), &kept.resize);
	if (err)
		return why_set(j->why, err, "no memory to resize");
	kept.geometry = g;
	kept.src_height = height;
	kept.src_width = width;
	return 0;
}

/* Makes kept.session stand where this job can go on from. *ret_fresh: at the sync
 * packet, having seen nothing. */
static int reserve_session(const struct frames_job *j, bool *ret_fresh)
{
	char extension[sizeof(j->job->extension) + 1] = "";

	if (!j->job->session || kept.number != j->job->session ||
	    kept.object_size != j->job->object_size)
		job_frames_reset();
	kept.number = j->job->session;
	kept.object_size = j->job->object_size;
	memcpy(extension, j->job->extension, sizeof(j->job->extension));
	*ret_fresh = true;
	if (!kept.session)
		return session_new(&j->r, extension, j->io->in, &kept.session, j->why);
	session_rebind(kept.session, j->io->in);
	*ret_fresh = !session_can_continue(kept.session, &j->r);
	return *ret_fresh ? session_restart(kept.session, &j->r, j->why) : 0;
}

/* Says which bytes will be read, where the table tells: up to the target and the
 * packets that push its frame out. */
static void announce(const struct frames_job *j)
{
	const struct proto_frames *h = j->r.head;
	uint32_t end = need_fed_end(h->target, h->reorder, h->drain, request_end(&j->r));
	struct need_range r;

	if (!(h->table_flags & TABLE_CONTIGUOUS))
		return;
	r = need_span(j->r.packets, session_next_packet(kept.session) - h->first_packet,
	              end - h->first_packet);
	if (r.len)
		input_ahead(j->io->in, r.off, r.len);
}

static int tell_row(const struct frames_job *j, uint32_t row)
{
	struct proto_row message = {.type = PROTO_ROW, .row = row, .job = j->job->job};

	if (send(j->io->socket, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		return why_set(j->why, -EPIPE, "nobody is listening");
	return 0;
}

static int write_frame(const struct frames_job *j, const AVFrame *frame, uint8_t *out)
{
	const struct proto_frames *h = j->r.head;
	struct orientation o = {h->rotation, h->table_flags & TABLE_MIRRORED};
	uint32_t sides[2] = {(uint32_t)frame->height, (uint32_t)frame->width};
	bool swapped = orient_swaps_sides(o);
	const uint8_t *pixels;
	size_t stride;
	int err;

	err = reserve_resize(j, sides[swapped], sides[!swapped]);
	if (err)
		return err;
	err = convert_run(kept.convert, frame, o, resize_window(kept.resize), &pixels, &stride);
	if (err)
		return why_set(j->why, err, "its pixels can't be converted to RGB");
	resize_run(kept.resize, pixels, stride, out);
	return 0;
}

/* Is the frame in hand this row's? */
static bool is_row_of(const struct frames_job *j, const struct proto_frame_row *row)
{
	if (j->r.by_ordinal)
		return row->ordinal == session_ordinal(kept.session);
	return row->packet == session_packet(kept.session);
}

/* The first row that the frame in hand may be. */
static uint32_t first_row(const struct frames_job *j)
{
	uint32_t low = 0, high = j->r.head->n_rows;

	if (!j->r.by_ordinal)
		return request_row_of(&j->r, session_packet(kept.session));
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (j->r.rows[mid].ordinal < session_ordinal(kept.session))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Writes the frame to all rows that are it: a short clip repeats its last one. */
static int emit(struct frames_job *j, const AVFrame *frame)
{
	size_t row_bytes = (size_t)j->r.head->row_bytes;
	const uint8_t *written = NULL;
	bool bad = false;
	int err = 0;

	for (uint32_t i = first_row(j); i < j->r.head->n_rows && !err; i++) {
		const struct proto_frame_row *row = &j->r.rows[i];
		uint8_t *out;

		if (!is_row_of(j, row))
			break;
		if (!row->emit || j->done[i])
			continue;
		out = j->io->out + row->slot * row_bytes;
		if (!written)
			err = write_frame(j, frame, out);
		else if (!bad && out != written)
			memcpy(out, written, row_bytes);
		written = out;
		if (err == -EBADMSG) {
			/* This frame's alone: others may be good. */
			j->failed = err;
			bad = true;
			err = 0;
		}
		if (!err && !bad)
			err = tell_row(j, i);
		j->done[i] = true;
		j->missing--;
	}
	return err;
}

/* Until no row is missing. Returns 0, 1 (some don't come) or -errno. */
static int decode(struct frames_job *j)
{
	const AVFrame *frame = session_in_hand(kept.session);
	int n, err;

	announce(j);
	err = frame ? emit(j, frame) : 0;
	while (!err && j->missing) {
		n = session_next(kept.session, &j->r, &frame, j->why);
		if (n <= 0)
			return n < 0 ? n : 1;
		j->decoded++;
		err = emit(j, frame);
	}
	return err;
}

static int run(struct frames_job *j)
{
	bool fresh;
	int err = reserve_session(j, &fresh);

	if (!err)
		err = reserve_convert(j);
	if (!err)
		err = decode(j);
	/* What a decoder was fed long ago need not come out of it. */
	if (err == 1 && !fresh) {
		err = session_restart(kept.session, &j->r, j->why);
		if (!err)
			err = decode(j);
	}
	if (err == 1)
		err = why_set(j->why, -EAGAIN,
		              "%u of the wanted frames don't come out of the decoder", j->missing);
	return err ? err : j->failed;
}

int job_frames(const struct proto_job *job, struct job_io *io, uint64_t *ret_frames_decoded,
               uint64_t *ret_fed, char *why)
{
	struct frames_job j = {.job = job, .io = io, .why = why};
	int err = request_parse(job, io->input, io->input_size, io->out_size, &j.r, why);

	if (err)
		goto free_request;
	for (uint32_t i = 0; i < j.r.head->n_rows; i++)
		j.missing += j.r.rows[i].emit != 0;
	j.done = calloc((size_t)j.r.head->n_rows + 1, sizeof(*j.done));
	err = j.done ? run(&j) : why_set(why, -ENOMEM, "no memory");
	*ret_frames_decoded = j.decoded;
	*ret_fed = kept.session ? session_next_packet(kept.session) : 0;

free_request:
	free(j.done);
	request_done(&j.r);
	return err;
}
