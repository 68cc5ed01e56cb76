#include "media/pool_worker.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/blob.h"
#include "base/log.h"
#include "base/stats.h"
#include "base/text.h"
#include "media/fetch.h"
#include "media/job_kind.h"
#include "media/need.h"
#include "store/blocks.h"

#define WHY_MAX 512
#define AHEAD_MAX (16u << 20)     /* bytes a worker may have fetched ahead of a want */
#define YOUNG_NS 2000000000u      /* a process that ends within this has ended at its start */
#define KILLS_ALONE 2u            /* that may be no accident */

void pool_worker_init(struct pool_worker *w, const struct pool_options *o, struct fetch_box *box,
                      int epoll, unsigned index)
{
	*w = (struct pool_worker){ .options = o, .box = box, .epoll = epoll, .index = index };
}

static int watch(struct pool_worker *w, int fd, unsigned is_pidfd)
{
	struct epoll_event ev = {
		.events = EPOLLIN, .data.u64 = (uint64_t)w->index << 1 | is_pidfd,
	};

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int pool_worker_start(struct pool_worker *w, char *why)
{
	int err = worker_proc_spawn(w->options->binary, w->options->worker_memory,
	                            w->options->require_sandbox, why, &w->proc);
	bool killed;

	if (err)
		return err;
	err = watch(w, w->proc.socket, 0);
	if (!err)
		err = watch(w, w->proc.pidfd, 1);
	if (err) {
		snprintf(why, WORKER_PROC_WHY_MAX, "can't watch a decoder process: %s",
		         strerror(-err));
		worker_proc_kill(&w->proc);
		worker_proc_reap(&w->proc, true, w->how, &killed);
		return err;
	}
	w->state = POOL_WORKER_IDLE;
	w->started_ns = w->idle_since_ns = clock_ns();
	w->has_started = w->has_spoken = false;
	w->is_new = false;
	w->missing[0] = w->refusal[0] = '\0';
	w->slots = 0;
	w->session = 0;
	stats_add(w->options->stats, STAT_worker_starts, 1);
	return 0;
}

/* -- the end of a job -- */

static void run_done(struct pool_run *run)
{
	memfd_done(&run->out);
	free(run->told);
	*run = (struct pool_run){ 0 };
}

static void end_process(struct pool_worker *w)
{
	if (w->state == POOL_WORKER_DYING)
		return;
	/* Level-triggered: its end-of-file would wake us until the reaping. */
	epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->proc.socket, NULL);
	worker_proc_kill(&w->proc);
	w->state = POOL_WORKER_DYING;
}

void pool_count_error(struct stats *stats, int err)
{
	if (err == -ECANCELED)
		stats_add(stats, STAT_jobs_dropped, 1);
	else if (err && err != -ESHUTDOWN)
		stats_add(stats, STAT_decode_errors, 1);
}

static void count(struct stats *stats, const struct pool_result *result)
{
	pool_count_error(stats, result->err);
	stats_add(stats, STAT_frames_decoded, (int64_t)result->frames_decoded);
	stats_add(stats, STAT_decode_us, (int64_t)result->used_us);
}

/* The decoder stays open only after a job that went well. */
static void remember_session(struct pool_worker *w, const struct pool_job *job,
                             const struct pool_result *result)
{
	bool open = !result->err && job_kind(job->kind)->keeps_decoder;

	w->session = open ? job->session : 0;
	w->fed = open ? result->fed : 0;
}

void pool_worker_finish(struct pool_worker *w, int err, const char *why,
                        const struct proto_done *done)
{
	struct pool_run run = w->run;
	uint64_t elapsed_us = (clock_ns() - run.begun_ns) / 1000;
	struct pool_result result = { .err = err, .why = err ? why : NULL, .used_us = elapsed_us };

	if (run.store_err && err != -ESHUTDOWN) {
		result.err = run.store_err;
		result.why = run.store_why;
	}
	if (done) {
		result.frames_decoded = done->frames_decoded;
		result.fed = done->fed;
		if (done->used_us < elapsed_us)
			result.used_us = done->used_us;
	}
	if (!result.err) {
		result.out = run.out.data;
		result.out_len = job_kind(run.job->kind)->by_rows ? run.job->out_size : (size_t)done->out_len;
	}
	remember_session(w, run.job, &result);
	count(w->options->stats, &result);
	w->run = (struct pool_run){ 0 };
	w->slots = 0;
	if (w->state == POOL_WORKER_BUSY) {
		w->state = POOL_WORKER_IDLE;
		w->idle_since_ns = clock_ns();
	}
	result.killed = run.killed;
	result.by_decoder = done && result.err && !run.store_err;
	free(run.job->told);
	run.job->told = NULL;
	run.job->done(run.job, &result);
	run_done(&run);
}

/* The job goes back to the pool, which gives it to another worker. What was handed
 * over stays so. */
static void give_back(struct pool_worker *w)
{
	struct pool_run *run = &w->run;
	struct pool_job *job = run->job;

	for (size_t i = 0; job->told && i < (size_t)run->n_rows / 8 + 1; i++)
		job->told[i] |= run->told[i];
	if (!job->told) {
		job->told = run->told;
		run->told = NULL;
	}
	w->back = job;
	run_done(run);
}

/* The process is no more. That is the job's fault if it happened at work on it.
 * A job that was never read is innocent; one that nothing was said about may
 * be, and gets one more try. */
static void lose(struct pool_worker *w, const char *why)
{
	struct pool_run *run = &w->run;

	if (run->spoken || (run->job->tried && !run->unread)) {
		pool_worker_finish(w, -EBADMSG, why, NULL);
		return;
	}
	if (!run->unread)
		run->job->tried = true;
	give_back(w);
}

/* The process was killed from outside: done again, with no other job running, in case it
 * was for want of memory. What is killed all the same will be killed again. */
static void lose_killed(struct pool_worker *w)
{
	struct pool_run *run = &w->run;
	struct pool_job *job = run->job;
	char why[WHY_MAX];

	/* Who has spoken of the job has read it: what it left unread was bytes. */
	run->unread = run->unread && !run->spoken;
	job->killed_alone += !run->unread && !run->shared;
	if (run->store_err || atomic_load(&job->dropped)) {
		pool_worker_finish(w, -ECANCELED, POOL_DROPPED_WHY, NULL);
	} else if (job->killed_alone >= KILLS_ALONE) {
		run->killed = true;
		snprintf(why, sizeof(why), "the decoder process %s, %u times with no other one at work: is the "
		         "machine or its cgroup out of memory?", w->how, job->killed_alone);
		pool_worker_finish(w, -ENOMEM, why, NULL);
	} else {
		job->alone |= !run->unread;
		give_back(w);
	}
}

void pool_worker_reject(struct pool_worker *w, const char *what)
{
	char why[WHY_MAX];

	end_process(w);
	if (!w->run.job) {
		log_warn("an idle decoder process was killed: it %s", what);
		return;
	}
	log_warn("the decoder process for \"%s\" was killed: it %s", w->run.job->obj->key, what);
	snprintf(why, sizeof(why), "the decoder process misbehaved: it %s", what);
	lose(w, why);
}

int pool_worker_follow(struct pool_worker *w, pid_t pid)
{
	int err = worker_proc_follow(&w->proc, pid);

	return err ? err : watch(w, w->proc.pidfd, 1); /* closing the first one ended its watch */
}

void pool_worker_hung_up(struct pool_worker *w)
{
	/* Either it is ending, then a kill changes nothing, or it pretends. The job
	 * waits for the exit status, which makes the better sentence. */
	end_process(w);
}

void pool_worker_expire(struct pool_worker *w, uint64_t now_ns)
{
	struct pool_run *run = &w->run;
	double s = (double)w->options->timeout_ms / 1000;
	char why[WHY_MAX];

	if (!run->job || now_ns < run->deadline_ns)
		return;
	if (run->wanting)
		snprintf(why, sizeof(why), "not decoded within %g s: still waiting for the store "
		         "to give bytes %" PRIu64 " to %" PRIu64, s, run->want_off,
		         run->want_off + run->want_len - 1);
	else
		snprintf(why, sizeof(why), "not decoded within %g s", s);
	end_process(w);
	log_warn("the decoder process for \"%s\" was killed: %s", run->job->obj->key, why);
	pool_worker_finish(w, -ETIMEDOUT, why, NULL);
}

/* Nobody else can have seen it at work: a broken program, not a broken file. */
static bool ended_at_its_start(const struct pool_worker *w)
{
	bool heard_of_a_job = w->run.job && !w->run.unread;

	return !w->has_spoken && !heard_of_a_job && clock_ns() - w->started_ns < YOUNG_NS;
}

void pool_worker_reap(struct pool_worker *w)
{
	char why[WHY_MAX];
	bool killed;

	pool_worker_receive(w); /* a DONE may have been its last word */
	if (w->state == POOL_WORKER_NONE || !worker_proc_reap(&w->proc, false, w->how, &killed))
		return;
	w->stillborn = ended_at_its_start(w);
	w->state = POOL_WORKER_NONE;
	w->session = 0;
	stats_add(w->options->stats, STAT_worker_deaths, 1);
	if (!w->run.job) {
		if (!w->stillborn) /* of those the pool tells, once */
			log_warn("an idle decoder process %s", w->how);
		return;
	}
	log_warn("the decoder process for \"%s\" %s", w->run.job->obj->key, w->how);
	snprintf(why, sizeof(why), "the decoder process %s", w->how);
	if (killed)
		lose_killed(w);
	else
		lose(w, why);
}

void pool_worker_stop(struct pool_worker *w)
{
	bool killed;

	if (w->state == POOL_WORKER_NONE)
		return;
	end_process(w);
	if (w->run.job)
		pool_worker_finish(w, -ESHUTDOWN, "the filesystem is being unmounted", NULL);
	worker_proc_reap(&w->proc, true, w->how, &killed);
	w->state = POOL_WORKER_NONE;
}

/* -- the start of a job -- */

/* Ours to check: input comes from the planner, but a wrong n_rows would be an
 * overrun here. */
static int run_prepare_rows(struct pool_run *run, const struct pool_job *job)
{
	const struct proto_frames *head = job->input;

	if (!job_kind(job->kind)->by_rows)
		return 0;
	if (!head || job->input_size < sizeof(*head))
		return -EINVAL;
	if (head->n_rows > (job->input_size - sizeof(*head)) / sizeof(struct proto_frame_row))
		return -EINVAL;
	run->n_rows = head->n_rows;
	run->told = calloc(1, (size_t)head->n_rows / 8 + 1);
	return run->told ? 0 : -ENOMEM;
}

/* The part of the key after its last dot, as a hint: only what looks like one. */
static void copy_extension(char *dst, size_t size, const char *key)
{
	const char *dot = strrchr(key, '.');
	size_t n = 0;

	memset(dst, 0, size);
	if (!dot || strlen(dot + 1) >= size)
		return;
	for (const char *p = dot + 1; *p; p++) {
		if (!isalnum((unsigned char)*p)) {
			memset(dst, 0, size);
			return;
		}
		dst[n++] = (char)tolower((unsigned char)*p);
	}
}

static void make_job_message(const struct pool_job *job, struct proto_job *m)
{
	memset(m, 0, sizeof(*m));
	m->type = PROTO_JOB;
	m->magic = PROTO_MAGIC;
	m->kind = (uint32_t)job->kind;
	m->job = job->id;
	m->session = job->session;
	m->object_size = job->obj->meta.size;
	m->in_size = job->input ? job->input_size : 0;
	m->out_size = job->out_size;
	copy_extension(m->extension, sizeof(m->extension), job->obj->key);
	m->spec = job->spec;
}

/* Sends m with n descriptors. Returns 0 or -errno; -EPIPE: nobody there. */
static int send_job(int socket, struct proto_job *m, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(socket, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Makes the two memfds, sends them; only our mapping of the output stays. */
static int run_send(struct pool_worker *w, const struct pool_job *job)
{
	struct pool_run *run = &w->run;
	struct memfd in = { .fd = -1 };
	struct proto_job m;
	size_t n = 0;
	int fds[2], err;

	if (job->input) {
		err = memfd_copy("s3samplefs-input", job->input, job->input_size, &in);
		if (err)
			return err;
		fds[n++] = in.fd;
	}
	err = memfd_new("s3samplefs-output", job->out_size, PROT_READ, &run->out);
	if (!err) {
		fds[n++] = run->out.fd;
		make_job_message(job, &m);
		err = send_job(w->proc.socket, &m, fds, n);
		memfd_close(&run->out);
	}
	memfd_done(&in);
	return err;
}

void pool_worker_give(struct pool_worker *w, struct pool_job *job, uint64_t id)
{
	struct pool_run *run = &w->run;
	char why[WHY_MAX];
	int err;

	*run = (struct pool_run){ .job = job, .begun_ns = clock_ns() };
	run->deadline_ns = run->begun_ns + w->options->timeout_ms * 1000000;
	if (!job->id)
		stats_add(w->options->stats, STAT_decode_jobs, 1);
	job->id = id;
	w->state = POOL_WORKER_BUSY;
	err = run_prepare_rows(run, job);
	if (!err) {
		worker_proc_limit_cpu(&w->proc, w->options->timeout_ms / 1000 + 1);
		err = run_send(w, job);
	}
	if (err == -EPIPE || err == -ECONNRESET) {
		run->unread = true; /* it died while idle; reaping gives the job back */
		end_process(w);
	} else if (err) {
		snprintf(why, sizeof(why), "can't hand the job to a decoder process: %s",
		         strerror(-err));
		pool_worker_finish(w, err == -ENOMEM || err == -EINVAL ? err : -EIO, why, NULL);
	}
}

/* -- bytes for the worker -- */

static void send_data(struct pool_worker *w, const struct proto_data *data)
{
	/* At most PROTO_SLOTS of these can be unread by an honest worker, and a
	 * socket holds more: a full one is the worker's doing. */
	if (send(w->proc.socket, data, sizeof(*data), MSG_NOSIGNAL) < 0 && errno == EAGAIN)
		pool_worker_reject(w, "doesn't read what it asked for");
}

static void answer_error(struct pool_worker *w, int err, const char *why)
{
	struct pool_run *run = &w->run;
	struct proto_data data = { .type = PROTO_DATA, .err = err, .off = run->want_off };

	run->wanting = false;
	if (!run->store_err) {
		run->store_err = err;
		snprintf(run->store_why, sizeof(run->store_why), "%s", why);
	}
	send_data(w, &data);
}

static void answer_bytes(struct pool_worker *w, const struct blob *bytes)
{
	struct pool_run *run = &w->run;
	unsigned slot = (unsigned)__builtin_ctz(~w->slots); /* hear_want saw a free one */
	struct proto_data data = {
		.type = PROTO_DATA, .slot = slot, .len = run->want_len, .off = run->want_off,
	};

	run->wanting = false;
	w->slots |= 1u << slot;
	memcpy(w->proc.window.data + (size_t)slot * PROTO_SLOT_SIZE, blob_data(bytes),
	       run->want_len);
	send_data(w, &data);
}

void pool_worker_bytes(struct pool_worker *w, struct fetch *f)
{
	const struct pool_run *run = &w->run;

	if (w->state == POOL_WORKER_BUSY && run->job->id == f->job && run->wanting) {
		if (f->err)
			answer_error(w, f->err, f->why);
		else
			answer_bytes(w, f->bytes);
	}
	fetch_free(f);
}

void pool_worker_drop(struct pool_worker *w)
{
	if (w->state == POOL_WORKER_BUSY && w->run.wanting && atomic_load(&w->run.job->dropped))
		answer_error(w, -ECANCELED, POOL_DROPPED_WHY);
}

void pool_worker_fetch(struct pool_worker *w, uint64_t ahead)
{
	const struct pool_run *run = &w->run;
	struct object *obj = run->job->obj;
	uint64_t end = run->want_off + run->want_len;
	struct need_range r;
	int err;

	if (atomic_load(&run->job->dropped)) {
		answer_error(w, -ECANCELED, POOL_DROPPED_WHY);
		return;
	}
	err = fetch_start(w->box, w->options->blocks, obj, run->want_off, run->want_len,
	                      w->index, run->job->id);

	if (err) {
		answer_error(w, err, "no memory to read the object");
		return;
	}
	r = need_within(end, ahead, obj->meta.size, AHEAD_MAX);
	if (r.len)
		blocks_ahead(w->options->blocks, obj, r.off, r.len);
}
