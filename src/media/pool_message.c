/* What a worker process says, read with the suspicion due to a program that
 * has parsed somebody's media file: copied out, measured, checked, and only
 * then acted on. */
#include "media/pool_worker.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "media/job_kind.h"

#define MESSAGES_AT_ONCE 256    /* then others get their turn */

union message {
	uint32_t type;
	struct proto_want want;
	struct proto_release release;
	struct proto_row row;
	struct proto_done done;
	struct proto_started started;
	uint8_t bytes[PROTO_MESSAGE_MAX];
};

static bool has_free_slot(const struct pool_worker *w)
{
	return w->slots != (1u << PROTO_SLOTS) - 1;
}

static void hear_want(struct pool_worker *w, const struct proto_want *m)
{
	uint64_t size = w->run.job->obj->meta.size;

	if (m->len == 0 || m->len > PROTO_SLOT_SIZE || m->off >= size || m->len > size - m->off) {
		pool_worker_reject(w, "asked for bytes outside the object");
		return;
	}
	if (w->run.wanting || !has_free_slot(w)) {
		pool_worker_reject(w, "asked for more bytes than it may hold");
		return;
	}
	w->run.spoken = true;
	w->run.wanting = true;
	w->run.want_off = m->off;
	w->run.want_len = m->len;
	pool_worker_fetch(w, m->ahead);
}

static void hear_release(struct pool_worker *w, const struct proto_release *m)
{
	if (m->slot >= PROTO_SLOTS || !(w->slots & 1u << m->slot)) {
		pool_worker_reject(w, "released a slot it doesn't have");
		return;
	}
	w->slots &= ~(1u << m->slot);
}

static bool is_to_be_emitted(const struct pool_job *job, uint32_t row)
{
	const struct proto_frames *head = job->input;
	const struct proto_frame_row *rows = (const void *)(head + 1);

	return rows[row].emit == 1;
}

static void hear_row(struct pool_worker *w, const struct proto_row *m)
{
	struct pool_run *run = &w->run;
	struct pool_job *job = run->job;
	uint8_t bit = (uint8_t)(1u << m->row % 8);

	if (m->job != job->id) {
		pool_worker_reject(w, "answered another job than its own");
		return;
	}
	/* n_rows is 0 for other kinds than FRAMES. */
	if (m->row >= run->n_rows || (run->told[m->row / 8] & bit) ||
	    !is_to_be_emitted(job, m->row)) {
		pool_worker_reject(w, "gave a row nobody asked for");
		return;
	}
	run->told[m->row / 8] |= bit;
	run->spoken = true;
	if (job->row && !(job->told && job->told[m->row / 8] & bit))
		job->row(job, run->out.data, m->row);
}

/* The errors that are a decoder's to say. Those of the store come from the
 * store, deadlines are ours. */
static int decoder_error(const struct job_kind *kind, int err)
{
	switch (err) {
	case -EINVAL:
	case -ENODATA:
	case -ENOMEM:
	case -EOPNOTSUPP:
		return err;
	default:
		return err == kind->own_error ? err : -EBADMSG;
	}
}

static void hear_done(struct pool_worker *w, const struct proto_done *m)
{
	const struct pool_job *job = w->run.job;
	const struct job_kind *kind = job_kind(job->kind);
	char why[PROTO_WHY_MAX];

	if (m->job != job->id) {
		pool_worker_reject(w, "answered another job than its own");
		return;
	}
	if (m->err > 0 || (!m->err && !kind->by_rows && m->out_len > job->out_size) ||
	    m->frames_decoded > UINT32_MAX || m->fed > TABLE_PACKETS_MAX) {
		pool_worker_reject(w, "told an impossible result");
		return;
	}
	w->run.spoken = true;
	text_sanitize(why, sizeof(why), m->why, strnlen(m->why, sizeof(m->why)));
	pool_worker_finish(w, m->err ? decoder_error(kind, m->err) : 0,
	                   why[0] ? why : "the object can't be decoded", m);
}

/* Its first word, if it says one before it is on a job. */
static void hear_started(struct pool_worker *w, const struct proto_started *m)
{
	char missing[PROTO_WHY_MAX];

	if (w->has_started || w->has_spoken || m->err > 0 || m->pid < 0 || m->pid > INT32_MAX) {
		pool_worker_reject(w, "told a start that can't be");
		return;
	}
	w->has_started = true;
	text_sanitize(missing, sizeof(missing), m->missing, strnlen(m->missing, sizeof(m->missing)));
	strcpy(m->err ? w->refusal : w->missing, missing);
	if (m->pid && pool_worker_follow(w, (pid_t)m->pid) < 0)
		pool_worker_reject(w, "went on as a process that can't be watched");
}

static bool has_right_length(const union message *m, size_t len)
{
	if (len < sizeof(m->type))
		return false;
	switch (m->type) {
	case PROTO_WANT:
		return len == sizeof(m->want);
	case PROTO_RELEASE:
		return len == sizeof(m->release);
	case PROTO_ROW:
		return len == sizeof(m->row);
	case PROTO_DONE:
		return len == sizeof(m->done);
	case PROTO_STARTED:
		return len == sizeof(m->started);
	default:
		return false;
	}
}

static void hear(struct pool_worker *w, const union message *m, size_t len)
{
	if (!has_right_length(m, len)) {
		pool_worker_reject(w, "sent something that is no message");
		return;
	}
	if (m->type == PROTO_STARTED) {
		hear_started(w, &m->started);
		return;
	}
	if (w->state != POOL_WORKER_BUSY) {
		pool_worker_reject(w, "spoke without having a job");
		return;
	}
	switch (m->type) {
	case PROTO_WANT:
		hear_want(w, &m->want);
		break;
	case PROTO_RELEASE:
		hear_release(w, &m->release);
		break;
	case PROTO_ROW:
		hear_row(w, &m->row);
		break;
	case PROTO_DONE:
		hear_done(w, &m->done);
		break;
	}
	if (!w->has_spoken && (w->state == POOL_WORKER_BUSY || w->state == POOL_WORKER_IDLE))
		w->has_spoken = w->is_new = true;
}

void pool_worker_receive(struct pool_worker *w)
{
	union message m;

	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		ssize_t n;

		if (w->state != POOL_WORKER_IDLE && w->state != POOL_WORKER_BUSY)
			return;
		/* No room for control data: descriptors sent along are dropped by
		 * the kernel. MSG_TRUNC: n is the message's whole length. */
		n = recv(w->proc.socket, &m, sizeof(m), MSG_TRUNC);
		if (n > 0) {
			hear(w, &m, (size_t)n);
		} else if (n < 0 && errno == ECONNRESET) {
			w->run.unread = true; /* told once, before what the peer had sent */
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		} else {
			pool_worker_hung_up(w);
			return;
		}
	}
}
