#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/proto.h"
#include "worker/input.h"

#define WINDOW_SIZE ((size_t)PROTO_SLOTS * PROTO_SLOT_SIZE)

struct serve {
	int file;
	uint64_t size;              /* bytes of file */
	int sockets[2];             /* daemon's, worker's */
	uint8_t *window;
	struct serve_fault fault;
	struct input *input;
	pthread_t thread;
	bool started;
	/* The thread's. */
	bool held[PROTO_SLOTS];     /* slots the worker owns */
	struct proto_want want;     /* not answered yet; len 0: none */
	_Atomic uint64_t bytes;
};

static uint32_t free_slot(const struct serve *s)
{
	for (uint32_t i = 0; i < PROTO_SLOTS; i++)
		if (!s->held[i])
			return i;
	return PROTO_SLOTS;
}

/* Answers the want, once there is a slot for it. False: the worker is gone. */
static bool answer_want(struct serve *s)
{
	struct proto_data data = { .type = PROTO_DATA, .off = s->want.off, .slot = free_slot(s) };
	uint32_t len = s->want.len;

	if (len == 0 || data.slot == PROTO_SLOTS)
		return true;
	s->want.len = 0;
	s->bytes += len;
	if (s->fault.err && data.off + len > s->fault.off) {
		data.err = s->fault.err;
	} else {
		ssize_t n = pread(s->file, s->window + (size_t)data.slot * PROTO_SLOT_SIZE, len,
		                  (off_t)data.off);

		if (n != (ssize_t)len)
			return false;
		data.len = len;
		s->held[data.slot] = true;
	}
	return send(s->sockets[0], &data, sizeof(data), MSG_NOSIGNAL) == sizeof(data);
}

/* False: the worker broke the protocol. */
static bool take_want(struct serve *s, const struct proto_want *want)
{
	if (s->want.len || want->len < 1 || want->len > PROTO_SLOT_SIZE || want->off >= s->size ||
	    want->len > s->size - want->off)
		return false;
	s->want = *want;
	return true;
}

static bool take_release(struct serve *s, const struct proto_release *release)
{
	if (release->slot >= PROTO_SLOTS || !s->held[release->slot])
		return false;
	s->held[release->slot] = false;
	return true;
}

static void *serve_thread(void *arg)
{
	struct serve *s = arg;
	union {
		uint32_t type;
		struct proto_want want;
		struct proto_release release;
		char bytes[PROTO_MESSAGE_MAX];
	} message;
	bool going = true;

	while (going && recv(s->sockets[0], &message, sizeof(message), 0) > 0) {
		if (message.type == PROTO_WANT)
			going = take_want(s, &message.want);
		else if (message.type == PROTO_RELEASE)
			going = take_release(s, &message.release);
		else
			going = false;
		going = going && answer_want(s);
	}
	shutdown(s->sockets[0], SHUT_RDWR);
	return NULL;
}

static int open_parts(struct serve *s, const char *path)
{
	struct stat st;
	int window;

	s->file = open(path, O_RDONLY | O_CLOEXEC);
	if (s->file < 0 || fstat(s->file, &st) < 0)
		return -errno;
	s->size = (uint64_t)st.st_size;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->sockets) < 0)
		return -errno;
	window = memfd_create("window", MFD_CLOEXEC);
	if (window < 0)
		return -errno;
	if (ftruncate(window, (off_t)WINDOW_SIZE) == 0)
		s->window = mmap(NULL, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, window, 0);
	close(window);
	if (!s->window || s->window == MAP_FAILED)
		return -ENOMEM;
	s->input = input_new(s->sockets[1], s->window, s->size);
	return s->input ? 0 : -ENOMEM;
}

int serve_start(const char *path, struct serve_fault fault, struct serve **ret)
{
	struct serve *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->file = s->sockets[0] = s->sockets[1] = -1;
	s->fault = fault;
	err = open_parts(s, path);
	if (!err)
		err = -pthread_create(&s->thread, NULL, serve_thread, s);
	if (err) {
		serve_stop(s);
		return err;
	}
	s->started = true;
	*ret = s;
	return 0;
}

struct input *serve_input(struct serve *s)
{
	return s->input;
}

uint64_t serve_bytes(struct serve *s)
{
	return s->bytes;
}

void serve_stop(struct serve *s)
{
	input_free(s->input);
	if (s->started) {
		shutdown(s->sockets[1], SHUT_RDWR);
		pthread_join(s->thread, NULL);
	}
	if (s->window && s->window != MAP_FAILED)
		munmap(s->window, WINDOW_SIZE);
	for (int i = 0; i < 2; i++)
		if (s->sockets[i] >= 0)
			close(s->sockets[i]);
	if (s->file >= 0)
		close(s->file);
	free(s);
}
