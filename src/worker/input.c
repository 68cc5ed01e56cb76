#include "worker/input.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "media/proto.h"

#define STEP_MIN (64u * 1024)       /* bytes of the first want, and of one after a seek */

struct slot {
	bool held;              /* ours, from its DATA to our RELEASE */
	uint32_t len;
	uint64_t off;
	uint64_t used;          /* clock of the last read */
};

struct input {
	int socket;
	const uint8_t *window;
	uint64_t size;
	int err;                        /* first error told; sticky */
	struct slot slots[PROTO_SLOTS];
	uint64_t clock;
	uint64_t next;                  /* end of the last answer */
	uint32_t step;                  /* bytes of the last want that was a guess */
	uint64_t ahead_off, ahead_end;  /* will be read soon */
	struct input_range *zero;
	size_t n_zero;
};

struct input *input_new(int socket, const uint8_t *window, uint64_t size)
{
	struct input *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	in->socket = socket;
	in->window = window;
	in->size = size;
	in->next = UINT64_MAX;
	return in;
}

void input_free(struct input *in)
{
	if (!in)
		return;
	free(in->zero);
	free(in);
}

uint64_t input_size(const struct input *in)
{
	return in->size;
}

int input_error(const struct input *in)
{
	return in->err;
}

void input_ahead(struct input *in, uint64_t off, uint64_t len)
{
	if (off > in->size)
		off = in->size;
	in->ahead_off = off;
	in->ahead_end = len > in->size - off ? in->size : off + len;
}

static bool is_ahead(const struct input *in, uint64_t off)
{
	return off >= in->ahead_off && off < in->ahead_end;
}

int input_set_zero_ranges(struct input *in, const struct input_range *r, size_t n)
{
	struct input_range *copy = NULL;

	if (n) {
		copy = calloc(n, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, r, n * sizeof(*copy));
	}
	free(in->zero);
	in->zero = copy;
	in->n_zero = n;
	return 0;
}

/* The first zero range that ends behind off, or NULL. */
static const struct input_range *zero_range_from(const struct input *in, uint64_t off)
{
	size_t low = 0, high = in->n_zero;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (off - in->zero[mid].off < in->zero[mid].len || off < in->zero[mid].off)
			high = mid;
		else
			low = mid + 1;
	}
	return low < in->n_zero ? &in->zero[low] : NULL;
}

static int fail(struct input *in, int err)
{
	if (!in->err)
		in->err = err;
	return in->err;
}

static int send_message(struct input *in, const void *message, size_t len)
{
	ssize_t n;

	do
		n = send(in->socket, message, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? 0 : fail(in, -EPIPE);
}

static int release(struct input *in, uint32_t slot)
{
	struct proto_release message = {.type = PROTO_RELEASE, .slot = slot};

	in->slots[slot].held = false;
	return send_message(in, &message, sizeof(message));
}

static struct slot *find_slot(struct input *in, uint64_t off)
{
	for (uint32_t i = 0; i < PROTO_SLOTS; i++) {
		struct slot *s = &in->slots[i];

		if (s->held && off >= s->off && off - s->off < s->len)
			return s;
	}
	return NULL;
}

static uint32_t count_held(const struct input *in)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < PROTO_SLOTS; i++)
		n += in->slots[i].held;
	return n;
}

/* Gives back the slot used longest ago, of those that end at or before `end`. */
static int release_oldest(struct input *in, uint64_t end)
{
	uint32_t oldest = PROTO_SLOTS;

	for (uint32_t i = 0; i < PROTO_SLOTS; i++) {
		const struct slot *s = &in->slots[i];

		if (!s->held || s->off + s->len > end)
			continue;
		if (oldest == PROTO_SLOTS || s->used < in->slots[oldest].used)
			oldest = i;
	}
	return oldest == PROTO_SLOTS ? 0 : release(in, oldest);
}

/* So that the daemon has a slot to answer into. */
static int make_room(struct input *in)
{
	for (uint32_t i = 0; i < PROTO_SLOTS; i++) {
		if (!in->slots[i].held)
			return 0;
	}
	return release_oldest(in, UINT64_MAX);
}

static int accept_data(struct input *in, const struct proto_data *d)
{
	struct slot *s;

	if (d->err)
		return fail(in, d->err < 0 && d->err > -4096 ? d->err : -EIO);
	if (d->slot >= PROTO_SLOTS || in->slots[d->slot].held || d->len == 0 ||
	    d->len > PROTO_SLOT_SIZE || d->off > in->size || d->len > in->size - d->off)
		return fail(in, -EPROTO);
	s = &in->slots[d->slot];
	*s = (struct slot){.held = true, .len = d->len, .off = d->off, .used = ++in->clock};
	return 0;
}

/* Takes one DATA. Returns 1, 0 if there is none yet (only with MSG_DONTWAIT), or -errno. */
static int receive(struct input *in, int flags, uint64_t *ret_off)
{
	union {
		uint32_t type;
		struct proto_data data;
		uint8_t bytes[PROTO_MESSAGE_MAX];
	} m;
	ssize_t n;
	int err;

	do
		n = recv(in->socket, &m, sizeof(m), flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0)
		return fail(in, -EPIPE);
	if (n != sizeof(m.data) || m.type != PROTO_DATA)
		return fail(in, -EPROTO);
	err = accept_data(in, &m.data);
	if (err)
		return err;
	*ret_off = m.data.off;
	return 1;
}

/* Bytes to want at off: what is known to be read soon, else more from time to
 * time while the reads are sequential; nothing that is held or won't be read. */
static uint32_t choose_len(struct input *in, uint64_t off)
{
	const struct input_range *zero = zero_range_from(in, off);
	uint64_t len, end = in->size;

	if (is_ahead(in, off)) {
		len = in->ahead_end - off;
	} else {
		in->step = off == in->next && in->step ? in->step * 2 : STEP_MIN;
		len = in->step;
	}
	if (len > PROTO_SLOT_SIZE)
		len = PROTO_SLOT_SIZE;
	if (in->step > PROTO_SLOT_SIZE)
		in->step = PROTO_SLOT_SIZE;
	if (zero && zero->off < end)
		end = zero->off;
	for (uint32_t i = 0; i < PROTO_SLOTS; i++) {
		const struct slot *s = &in->slots[i];

		if (s->held && s->off > off && s->off < end)
			end = s->off;
	}
	return (uint32_t)(len < end - off ? len : end - off);
}

/* Asks for bytes at off and waits until they are there. */
static int want(struct input *in, uint64_t off)
{
	struct proto_want message = {.type = PROTO_WANT, .off = off, .len = choose_len(in, off)};
	uint64_t end = off + message.len, got = UINT64_MAX;
	int err;

	if (is_ahead(in, off) && end < in->ahead_end && !find_slot(in, end))
		message.ahead = in->ahead_end - end;
	err = make_room(in);
	if (!err)
		err = send_message(in, &message, sizeof(message));
	/* The answer is the DATA that starts at off. Others may come before it, and
	 * take the last slot that it needs. */
	while (!err && got != off) {
		err = receive(in, 0, &got);
		if (err > 0)
			err = got == off ? 0 : make_room(in);
	}
	if (!err)
		in->next = off + find_slot(in, off)->len;
	return err;
}

/* The slot that holds off, asked for if need be. */
static int get_slot(struct input *in, uint64_t off, struct slot **ret)
{
	uint64_t got;
	int n;

	*ret = find_slot(in, off);
	if (*ret)
		return 0;
	/* It may have been sent ahead. */
	do
		n = receive(in, MSG_DONTWAIT, &got);
	while (n > 0);
	if (n < 0)
		return n;
	*ret = find_slot(in, off);
	if (*ret)
		return 0;
	n = want(in, off);
	*ret = find_slot(in, off);
	return n < 0 ? n : *ret ? 0 : fail(in, -EPROTO);
}

ssize_t input_read(struct input *in, uint64_t off, void *buf, size_t len)
{
	const struct input_range *zero;
	struct slot *s;
	size_t n, skip;
	int err;

	if (in->err)
		return in->err;
	if (off >= in->size || len == 0)
		return 0;
	zero = zero_range_from(in, off);
	if (zero && zero->off <= off) {
		uint64_t left = zero->off + zero->len - off, end = in->size - off;

		n = len < left ? len : (size_t)left;
		n = n < end ? n : (size_t)end;
		memset(buf, 0, n);
		return (ssize_t)n;
	}
	err = get_slot(in, off, &s);
	if (err)
		return err;
	skip = (size_t)(off - s->off);
	n = len < s->len - skip ? len : s->len - skip;
	if (zero && n > zero->off - off)
		n = (size_t)(zero->off - off);
	memcpy(buf, in->window + (size_t)(s - in->slots) * PROTO_SLOT_SIZE + skip, n);
	s->used = ++in->clock;
	/* On a way that goes forward, so that the daemon always has slots to send
	 * ahead into. */
	if (is_ahead(in, off) && count_held(in) > PROTO_SLOTS / 2)
		err = release_oldest(in, off + n);
	return err ? err : (ssize_t)n;
}

int input_read_all(struct input *in, uint64_t off, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = input_read(in, off, p, len);

		if (n <= 0)
			return n < 0 ? (int)n : -EBADMSG;
		p += n;
		off += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}
