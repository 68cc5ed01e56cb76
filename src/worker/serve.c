#include "worker/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "worker/avlog.h"
#include "worker/input.h"
#include "worker/preload.h"
#include "worker/sandbox.h"
#include "worker/why.h"

#define JOB_DESCRIPTORS 2       /* input and output memfd */

/* A JOB as it came: owns its descriptors. */
struct request {
	struct proto_job job;
	int fds[JOB_DESCRIPTORS];
	int n_fds;
};

static void request_done(struct request *q)
{
	for (int i = 0; i < q->n_fds; i++)
		close(q->fds[i]);
	q->n_fds = 0;
}

static void take_descriptors(struct msghdr *msg, struct request *q)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		q->n_fds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		if (q->n_fds > JOB_DESCRIPTORS)
			q->n_fds = JOB_DESCRIPTORS;
		memcpy(q->fds, CMSG_DATA(c), (size_t)q->n_fds * sizeof(int));
	}
}

/* The next message. *ret_is_job false: one that was sent ahead to a job that
 * has ended. Returns 1, 0 at end-of-file or -errno. */
static int receive(int socket, struct request *q, bool *ret_is_job)
{
	union {
		char bytes[CMSG_SPACE(JOB_DESCRIPTORS * sizeof(int))];
		struct cmsghdr align;
	} control;
	union {
		struct proto_job job;
		uint8_t bytes[PROTO_MESSAGE_MAX];
	} m;
	struct iovec iov = {&m, sizeof(m)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
	                     .msg_controllen = sizeof(control)};
	ssize_t n;

	q->n_fds = 0;
	do
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	take_descriptors(&msg, q);
	*ret_is_job = n == sizeof(m.job) && m.job.type == PROTO_JOB && m.job.magic == PROTO_MAGIC;
	if (*ret_is_job)
		q->job = m.job;
	return 1;
}

int serve_map(int fd, uint64_t size, int protection, uint8_t **ret)
{
	off_t end;
	void *p;

	*ret = NULL;
	if (size == 0)
		return 0;
	end = lseek(fd, 0, SEEK_END); /* fstat() asks by path as well, which the filter refuses */
	if (end < 0)
		return -errno;
	if (size > (uint64_t)end || size > SIZE_MAX)
		return -EINVAL;
	p = mmap(NULL, (size_t)size, protection, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

static void unmap(const uint8_t *p, uint64_t size)
{
	if (p)
		munmap((void *)(uintptr_t)p, (size_t)size);
}

static int open_io(const struct request *q, int socket, const uint8_t *window, struct job_io *io,
                   char *why)
{
	const struct proto_job *job = &q->job;
	uint8_t *input = NULL, *out = NULL;
	int err = 0;

	if (job->object_size > INT64_MAX || q->n_fds != (job->in_size ? 2 : 1))
		return why_set(why, -EINVAL, "the job is not well-formed");
	if (job->in_size)
		err = serve_map(q->fds[0], job->in_size, PROT_READ, &input);
	if (!err)
		err = serve_map(q->fds[q->n_fds - 1], job->out_size, PROT_READ | PROT_WRITE, &out);
	if (err) {
		unmap(input, job->in_size);
		return why_set(why, err, "the job's memory can't be mapped: %s", strerror(-err));
	}
	*io = (struct job_io){
		.in = input_new(socket, window, job->object_size),
		.input = input,
		.input_size = (size_t)job->in_size,
		.out = out,
		.out_size = (size_t)job->out_size,
		.socket = socket,
	};
	return io->in ? 0 : why_set(why, -ENOMEM, "no memory");
}

static void close_io(struct job_io *io)
{
	input_free(io->in);
	unmap(io->input, io->input_size);
	unmap(io->out, io->out_size);
}

int serve_job(const struct proto_job *job, struct job_io *io, struct proto_done *done)
{
	size_t len = 0;
	int err;

	if (job->object_size == 0)
		return why_set(done->why, -EBADMSG, "the object is empty");
	switch (job->kind) {
	case PROTO_PROBE:
		err = job_probe(job, io, &len, done->why);
		break;
	case PROTO_FRAMES:
		err = job_frames(job, io, &done->frames_decoded, &done->fed, done->why);
		break;
	case PROTO_MFCC:
		err = job_mfcc(job, io, &len, done->why);
		break;
	case PROTO_SOUND:
		err = job_sound(job, io, &len, done->why);
		break;
	default:
		err = why_set(done->why, -EINVAL, "an unknown kind of job");
	}
	if (!err)
		done->out_len = len;
	return err;
}

/* What FFmpeg said last, behind our own sentence. */
static void add_library_line(char *why)
{
	size_t len = strnlen(why, PROTO_WHY_MAX);

	if (avlog_last()[0] && len + 4 < PROTO_WHY_MAX)
		snprintf(why + len, PROTO_WHY_MAX - len, " (%.*s)", (int)(PROTO_WHY_MAX - len - 4),
		         avlog_last());
}

static void run(const struct request *q, int socket, const uint8_t *window, serve_job_fn *do_job,
                struct proto_done *done)
{
	struct job_io io = {0};
	int err;

	avlog_clear();
	/* What an open decoder holds would be missing for a job that doesn't go on with it. */
	if (q->job.kind != PROTO_FRAMES || !q->job.session)
		job_frames_reset();
	err = open_io(q, socket, window, &io, done->why);
	if (!err) {
		err = do_job(&q->job, &io, done);
		if (input_error(io.in))
			err = why_set(done->why, input_error(io.in),
			              "the object's bytes can't be had");
		else if (err)
			add_library_line(done->why);
	}
	close_io(&io);
	/* A session is only as good as its last job. */
	if (err || q->job.kind != PROTO_FRAMES || !q->job.session)
		job_frames_reset();
	done->err = err;
}

int serve(int socket, const uint8_t *window, serve_job_fn *do_job)
{
	struct request q = {0};
	bool is_job = false;
	int n;

	while ((n = receive(socket, &q, &is_job)) > 0) {
		struct proto_done done = {.type = PROTO_DONE, .job = q.job.job};
		uint64_t start = clock_ns();

		if (is_job) {
			run(&q, socket, window, do_job, &done);
			done.used_us = (clock_ns() - start) / 1000;
		}
		request_done(&q);
		if (is_job && send(socket, &done, sizeof(done), MSG_NOSIGNAL) < 0)
			return -errno;
	}
	return n;
}

static bool is_started_by_daemon(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(PROTO_FD_SOCKET, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET && lseek(PROTO_FD_WINDOW, 0, SEEK_END) > 0;
}

int serve_main(int argc, char **argv, serve_job_fn *do_job)
{
	const char *name = argc > 0 ? argv[0] : "s3samplefs-worker";
	bool require = argc == 2 && strcmp(argv[1], PROTO_ARG_REQUIRE) == 0;
	char why[PROTO_WHY_MAX] = "";
	uint8_t *window = NULL;
	int err;

	if (argc > (require ? 2 : 1) || !is_started_by_daemon()) {
		fprintf(stderr, "%s: decodes media for s3samplefs, which starts it by itself\n",
		        name);
		return 2;
	}
	avlog_init();
	preload();
	err = serve_map(PROTO_FD_WINDOW, (uint64_t)PROTO_SLOTS * PROTO_SLOT_SIZE, PROT_READ, &window);
	if (err)
		why_set(why, err, "the window can't be mapped: %s", strerror(-err));
	else
		err = sandbox_enter(PROTO_FD_SOCKET, require, why);
	if (err) {
		fprintf(stderr, "%s: can't start: %s\n", name, why);
		return 1;
	}
	err = serve(PROTO_FD_SOCKET, window, do_job);
	job_frames_reset();
	return err ? 1 : 0;
}
