/* Speaks the worker's side of media/proto.h, well or badly, as it is told. */
#include "pool_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "media/proto.h"

struct child {
	const uint8_t *window;
	struct proto_job job;
	int in_fd, out_fd;
	const uint8_t *in;
	uint8_t *out;
	char report[8192];
};

static void die(const char *what)
{
	perror(what);
	exit(3);
}

static void say(const void *message, size_t len)
{
	if (send(PROTO_FD_SOCKET, message, len, MSG_NOSIGNAL) < 0)
		die("pool_child: send");
}

/* -- the honest part -- */

static void say_want(uint64_t off, uint32_t len, uint64_t ahead)
{
	struct proto_want m = { .type = PROTO_WANT, .len = len, .off = off, .ahead = ahead };

	say(&m, sizeof(m));
}

static void say_release(uint32_t slot)
{
	struct proto_release m = { .type = PROTO_RELEASE, .slot = slot };

	say(&m, sizeof(m));
}

static void say_row(const struct child *c, uint32_t row)
{
	struct proto_row m = { .type = PROTO_ROW, .row = row, .job = c->job.job };

	say(&m, sizeof(m));
}

static struct proto_done make_done(const struct child *c, int err, const char *why)
{
	struct proto_done m = {
		.type = PROTO_DONE, .err = err, .job = c->job.job,
		.frames_decoded = 2, .used_us = 1,
	};

	if (!err && c->job.kind != PROTO_FRAMES)
		m.out_len = sizeof(struct child_sum);
	if (why)
		snprintf(m.why, sizeof(m.why), "%s", why);
	return m;
}

static void say_done(const struct child *c, int err, const char *why)
{
	struct proto_done m = make_done(c, err, why);

	say(&m, sizeof(m));
}

static struct proto_data hear_data(void)
{
	struct proto_data m;
	ssize_t n = recv(PROTO_FD_SOCKET, &m, sizeof(m), 0);

	if (n == 0)
		exit(0);
	if (n != (ssize_t)sizeof(m) || m.type != PROTO_DATA)
		die("pool_child: not DATA");
	return m;
}

/* One byte, so that the pool has heard of us. */
static void speak(void)
{
	say_want(0, 1, 0);
	say_release(hear_data().slot);
}

static uint64_t hash_on(uint64_t h, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3; /* FNV-1a, as text_hash64 */
	return h;
}

static int sum(struct child *c)
{
	uint64_t h = text_hash64("", 0), off = 0, size = c->job.object_size;
	struct child_sum *s = (struct child_sum *)c->out;

	while (off < size) {
		uint32_t chunk = c->job.spec.mfcc.n_fft;
		struct proto_data d;

		say_want(off, size - off < chunk ? (uint32_t)(size - off) : chunk, 2 * chunk);
		d = hear_data();
		if (d.err)
			return d.err;
		h = hash_on(h, c->window + (size_t)d.slot * PROTO_SLOT_SIZE, d.len);
		off += d.len;
		say_release(d.slot);
	}
	*s = (struct child_sum){ .hash = h, .size = off, .pid = (uint64_t)getpid() };
	memcpy(s->extension, c->job.extension, sizeof(s->extension));
	return 0;
}

static const struct proto_frames *frames(const struct child *c)
{
	return (const struct proto_frames *)c->in;
}

static void write_row(const struct child *c, uint32_t row)
{
	const struct proto_frames *f = frames(c);
	const struct proto_frame_row *rows = (const void *)(f + 1);
	struct child_row r = {
		.pid = (uint64_t)getpid(), .row = row,
		.input_hash = text_hash64(c->in, c->job.in_size),
	};

	memcpy(c->out + rows[row].slot * f->row_bytes, &r, sizeof(r));
}

static void emit_row(const struct child *c, uint32_t row)
{
	write_row(c, row);
	say_row(c, row);
}

static void emit_rows(const struct child *c)
{
	const struct proto_frames *f = frames(c);
	const struct proto_frame_row *rows = (const void *)(f + 1);
	struct proto_done done = make_done(c, 0, NULL);

	for (uint32_t i = 0; i < f->n_rows; i++) {
		if (rows[i].emit)
			emit_row(c, i);
	}
	done.fed = f->target + 1;
	say(&done, sizeof(done));
}

static void give_report(const struct child *c)
{
	struct proto_done done = make_done(c, 0, NULL);
	struct rlimit cpu;
	struct rusage used;

	getrlimit(RLIMIT_CPU, &cpu);
	getrusage(RUSAGE_SELF, &used);
	done.out_len = (uint64_t)snprintf((char *)c->out, c->job.out_size,
	                                  "cpu limit=%llu\ncpu used=%lld\n%s",
	                                  (unsigned long long)cpu.rlim_cur,
	                                  (long long)(used.ru_utime.tv_sec + used.ru_stime.tv_sec),
	                                  c->report);
	say(&done, sizeof(done));
}

/* -- the other part -- */

static uint64_t count_resized(const struct child *c)
{
	uint64_t n = 0;

	n += ftruncate(c->out_fd, 0) == 0;
	n += ftruncate(c->out_fd, 1 << 24) == 0;
	n += ftruncate(PROTO_FD_WINDOW, 0) == 0;
	n += ftruncate(PROTO_FD_WINDOW, 1 << 26) == 0;
	n += fcntl(c->out_fd, F_ADD_SEALS, F_SEAL_WRITE) == 0;
	n += fcntl(PROTO_FD_WINDOW, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0;
	return n;
}

static void allocate_all(void)
{
	const size_t step = 1 << 20;
	uint8_t *p;

	while ((p = malloc(step)))
		memset(p, 1, step);
	abort();
}

static void send_descriptor(const struct child *c)
{
	struct proto_done done = make_done(c, 0, NULL);
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { &done, sizeof(done) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	int fd = 0;

	*h = (struct cmsghdr){ CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	if (sendmsg(PROTO_FD_SOCKET, &msg, 0) < 0)
		die("pool_child: sendmsg");
}

static void hang(void)
{
	for (;;)
		pause();
}

static void talk_without_listening(void)
{
	for (;;) {
		say_want(0, 1, 0);
		usleep(1000); /* gives the pool the time to answer; it must cope in either case */
		say_release(0);
	}
}

static void say_spoilt_done(const struct child *c)
{
	struct proto_done m = make_done(c, 0, NULL);

	switch ((enum child_act)c->job.spec.mfcc.n_mfcc) {
	case ACT_UNKNOWN_TYPE:
		m.type = 77;
		break;
	case ACT_WRONG_JOB:
		m.job++;
		break;
	case ACT_OUT_LEN:
		m.out_len = c->job.out_size + 1;
		break;
	case ACT_POSITIVE_ERR:
		m.err = EBADMSG;
		break;
	case ACT_FED:
		m.fed = UINT64_MAX;
		break;
	case ACT_FRAMES_DECODED:
		m.frames_decoded = UINT64_MAX;
		break;
	case ACT_CLAIM_STALE:
		m.err = -ESTALE;
		break;
	case ACT_CLAIM_NO_MEMORY:
		m.err = -ENOMEM;
		break;
	case ACT_WHY:
		m.err = -ENODATA;
		memset(m.why, 'x', sizeof(m.why));
		m.why[3] = '\033';
		m.why[5] = '\n';
		m.why[7] = (char)0xff;
		break;
	default:
		break;
	}
	say(&m, sizeof(m));
}

static void hang_up_unread(void)
{
	struct pollfd socket = { .fd = PROTO_FD_SOCKET, .events = POLLIN };

	say_want(0, 1, 0);
	poll(&socket, 1, -1);
	close(PROTO_FD_SOCKET);
	hang();
}

static void say_bad_want(const struct child *c)
{
	uint64_t size = c->job.object_size;

	switch ((enum child_act)c->job.spec.mfcc.n_mfcc) {
	case ACT_WANT_NOTHING:
		say_want(0, 0, 0);
		break;
	case ACT_WANT_PAST_END:
		say_want(size - 1, 2, 0);
		break;
	case ACT_WANT_OVERFLOW:
		say_want(UINT64_MAX - 10, 100, UINT64_MAX);
		break;
	case ACT_WANT_TOO_LONG:
		say_want(0, PROTO_SLOT_SIZE + 1, 0);
		break;
	case ACT_WANT_TWICE:
		say_want(0, 1, 0);
		say_want(0, 1, 0);
		break;
	default:
		break;
	}
	hang();
}

static void do_mfcc(struct child *c)
{
	enum child_act act = (enum child_act)c->job.spec.mfcc.n_mfcc;
	struct child_sum *s = (struct child_sum *)c->out;
	uint8_t junk[2 * PROTO_MESSAGE_MAX] = { PROTO_DONE };
	int err;

	if (act >= ACT_CRASH && act != ACT_CRASH_AT_ONCE)
		speak();
	switch (act) {
	case ACT_SUM:
		err = sum(c);
		say_done(c, err, err ? "the worker's own sentence" : NULL);
		return;
	case ACT_SWALLOW_ERROR:
		sum(c);
		say_done(c, 0, NULL);
		return;
	case ACT_REPORT:
		give_report(c);
		return;
	case ACT_SEALS:
		*s = (struct child_sum){ .hash = count_resized(c) };
		say_done(c, 0, NULL);
		return;
	case ACT_ASK_AHEAD:
		say_want(0, 1, UINT64_MAX);
		hear_data();
		say_done(c, 0, NULL);
		return;
	case ACT_DONE_WHILE_WANTING:
		say_want(0, 1, 0);
		say_done(c, -EBADMSG, "had enough");
		return;
	case ACT_SEND_DESCRIPTOR:
		send_descriptor(c);
		return;
	case ACT_DIE_AFTER_DONE:
		say_done(c, 0, NULL);
		_exit(0);
	case ACT_DONE_TWICE:
		say_done(c, 0, NULL);
		say_done(c, 0, NULL);
		return;
	case ACT_CRASH:
	case ACT_CRASH_AT_ONCE:
		signal(SIGSEGV, SIG_DFL); /* sanitizers would make it an exit status */
		raise(SIGSEGV);
		return;
	case ACT_RAISE:
		signal((int)c->job.spec.mfcc.hop_length, SIG_DFL);
		raise((int)c->job.spec.mfcc.hop_length);
		return;
	case ACT_EXIT:
		_exit(1);
	case ACT_HANG:
		hang();
		return;
	case ACT_HANG_UP:
		close(PROTO_FD_SOCKET);
		hang();
		return;
	case ACT_HANG_UP_UNREAD:
		hang_up_unread();
		return;
	case ACT_BOMB:
		allocate_all();
		return;
	case ACT_SHORT:
		say(junk, sizeof(struct proto_done) - 1);
		return;
	case ACT_EMPTY:
		say(junk, 3);
		return;
	case ACT_LONG:
		say(junk, sizeof(junk));
		return;
	case ACT_ROW_OF_MFCC:
		say_row(c, 0);
		return;
	case ACT_HOARD:
		for (;;) {
			say_want(0, 1, 0);
			hear_data();
		}
	case ACT_RELEASE_FREE:
		say_release(0);
		return;
	case ACT_RELEASE_RANGE:
		say_release(UINT32_MAX);
		return;
	case ACT_DEAF:
		talk_without_listening();
		return;
	case ACT_WANT_NOTHING:
	case ACT_WANT_PAST_END:
	case ACT_WANT_OVERFLOW:
	case ACT_WANT_TOO_LONG:
	case ACT_WANT_TWICE:
		say_bad_want(c);
		return;
	default:
		say_spoilt_done(c);
	}
}

static void do_frames(struct child *c)
{
	switch ((enum child_act)c->job.spec.frames.num_frames) {
	case ACT_ROWS:
		emit_rows(c);
		return;
	case ACT_ROW_THEN_HANG:
		emit_row(c, 0);
		hang();
		return;
	case ACT_ROW_THEN_WANT:
		emit_row(c, 0);
		speak();
		say_done(c, 0, NULL);
		return;
	case ACT_ROW_TWICE:
		emit_row(c, 0);
		emit_row(c, 0);
		return;
	case ACT_ROW_UNASKED:
		say_row(c, 1);
		return;
	case ACT_ROW_RANGE:
		say_row(c, frames(c)->n_rows);
		return;
	default:
		say_done(c, -EINVAL, "no such act");
	}
}

/* -- jobs -- */

/* Returns 1, 0 for a late answer to the job before, -1 at the end. */
static int hear_job(struct child *c)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec iov = { &c->job, sizeof(c->job) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(PROTO_FD_SOCKET, &msg, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	int fds[2] = { -1, -1 };

	if (n <= 0)
		return -1; /* the daemon is done with us */
	if (c->job.type == PROTO_DATA)
		return 0;
	if (n != (ssize_t)sizeof(c->job) || c->job.type != PROTO_JOB ||
	    c->job.magic != PROTO_MAGIC || !h)
		die("pool_child: not a JOB");
	memcpy(fds, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0));
	c->in_fd = c->job.in_size ? fds[0] : -1;
	c->out_fd = c->job.in_size ? fds[1] : fds[0];
	return 1;
}

static void map_memfds(struct child *c)
{
	c->out = mmap(NULL, c->job.out_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->out_fd, 0);
	if (c->out == MAP_FAILED)
		die("pool_child: output");
	c->in = NULL;
	if (c->in_fd >= 0)
		c->in = mmap(NULL, c->job.in_size, PROT_READ, MAP_SHARED, c->in_fd, 0);
	if (c->in == MAP_FAILED)
		die("pool_child: input");
}

static void unmap_memfds(struct child *c)
{
	munmap(c->out, c->job.out_size);
	close(c->out_fd);
	if (c->in_fd >= 0) {
		munmap((void *)(uintptr_t)c->in, c->job.in_size);
		close(c->in_fd);
	}
}

/* As the real one does for its PID namespace: another child of the daemon's serves, and this
 * process waits to be ended. Returns the other's pid. */
static pid_t go_on_as_another(void)
{
	if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL) > 0) {
		close(PROTO_FD_SOCKET);
		hang();
	}
	return getpid();
}

int main(int argc, char **argv)
{
	static struct child c;
	struct proto_started started = { .type = PROTO_STARTED };
	int n;

	if (argc > 0 && strcmp(basename(argv[0]), CHILD_FORKS) == 0)
		started.pid = go_on_as_another();
	child_make_report(c.report, sizeof(c.report));
	c.window = mmap(NULL, (size_t)PROTO_SLOTS * PROTO_SLOT_SIZE, PROT_READ, MAP_SHARED,
	                PROTO_FD_WINDOW, 0);
	if (c.window == MAP_FAILED)
		die("pool_child: window");
	say(&started, sizeof(started));
	while ((n = hear_job(&c)) >= 0) {
		if (n == 0)
			continue;
		map_memfds(&c);
		if (c.job.kind == PROTO_FRAMES)
			do_frames(&c);
		else
			do_mfcc(&c);
		unmap_memfds(&c);
	}
	return 0;
}
