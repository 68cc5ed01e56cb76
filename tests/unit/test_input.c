/* The worker's input against a daemon that is a thread of this test: it holds the
 * other end of the socket, and fails the test when the protocol is broken. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <libavformat/avio.h>
#include <libavutil/error.h>

#include "media/proto.h"
#include "worker/input.h"

#define WANTS_MAX 4096

enum bad { GOOD, BAD_SLOT, BAD_TAKEN, BAD_LEN_ZERO, BAD_LEN_LARGE, BAD_OUTSIDE, BAD_TYPE, BAD_SHORT };

struct daemon {
	/* set before start */
	uint64_t size;
	uint32_t most;          /* answers are at most so long; 0: as wanted */
	unsigned fail_want;     /* the answer to this want (from 1) is -ESTALE */
	unsigned hang_up_want;  /* ... is end-of-file */
	enum bad bad;           /* what is wrong with the first answer */
	bool push;              /* sends what is said to be wanted soon */
	uint64_t push_first;    /* sends 64 KiB from here, unasked, before anything else; 0: no */

	int socket, window_fd;
	uint8_t *window;
	pthread_t thread;
	/* the thread's until it has ended */
	bool taken[PROTO_SLOTS];
	uint64_t off[PROTO_SLOTS];
	struct proto_want wants[WANTS_MAX];
	unsigned n_wants;
	bool waiting;           /* the last want, for a slot */
	uint64_t sent;          /* bytes */
	const char *broken;     /* what the worker did wrong, or NULL */
};

struct world {
	struct daemon d;
	int socket;
	struct input *in;
};

static uint8_t byte_at(uint64_t off)
{
	uint64_t x = off * UINT64_C(0x9e3779b97f4a7c15);

	return (uint8_t)(x >> 56 ^ x >> 32);
}

static int free_slot(const struct daemon *d)
{
	for (int i = 0; i < (int)PROTO_SLOTS; i++) {
		if (!d->taken[i])
			return i;
	}
	return -1;
}

static void send_range(struct daemon *d, uint64_t off, uint64_t len)
{
	int slot = free_slot(d);
	struct proto_data m = {.type = PROTO_DATA, .slot = (uint32_t)slot, .off = off};

	m.len = len < PROTO_SLOT_SIZE ? (uint32_t)len : PROTO_SLOT_SIZE;
	for (uint32_t i = 0; i < m.len; i++)
		d->window[(size_t)slot * PROTO_SLOT_SIZE + i] = byte_at(off + i);
	d->taken[slot] = true;
	d->off[slot] = off;
	d->sent += m.len;
	send(d->socket, &m, sizeof(m), MSG_NOSIGNAL);
}

static void send_bad(struct daemon *d, const struct proto_want *w)
{
	struct proto_data m = {.type = PROTO_DATA, .slot = 0, .len = w->len, .off = w->off};
	size_t len = sizeof(m);

	if (d->bad == BAD_SLOT)
		m.slot = PROTO_SLOTS;
	else if (d->bad == BAD_LEN_ZERO)
		m.len = 0;
	else if (d->bad == BAD_LEN_LARGE)
		m.len = PROTO_SLOT_SIZE + 1;
	else if (d->bad == BAD_OUTSIDE)
		m.off = d->size - m.len + 1;
	else if (d->bad == BAD_TYPE)
		m.type = PROTO_JOB;
	else if (d->bad == BAD_SHORT)
		len = 8;
	else
		m.off = w->off + 1; /* taken twice: not yet the answer */
	send(d->socket, &m, len, MSG_NOSIGNAL);
	if (d->bad == BAD_TAKEN)
		send(d->socket, &m, len, MSG_NOSIGNAL);
}

static void answer(struct daemon *d, const struct proto_want *w)
{
	uint64_t len = d->most && w->len > d->most ? d->most : w->len, off = w->off + w->len;
	uint64_t end = off + w->ahead;

	send_range(d, w->off, len);
	for (; d->push && off < end && free_slot(d) >= 0; off += PROTO_SLOT_SIZE)
		send_range(d, off, end - off);
}

static bool is_on_its_way(const struct daemon *d, uint64_t off)
{
	for (unsigned i = 0; i < PROTO_SLOTS; i++) {
		if (d->taken[i] && d->off[i] == off)
			return true;
	}
	return false;
}

/* false: the conversation ends. */
static bool take_want(struct daemon *d, const struct proto_want *w)
{
	if (d->n_wants == WANTS_MAX || w->len == 0 || w->len > PROTO_SLOT_SIZE || w->off >= d->size ||
	    w->len > d->size - w->off || w->ahead > d->size - w->off - w->len) {
		d->broken = "a want outside of the object";
		return false;
	}
	d->wants[d->n_wants++] = *w;
	if (d->n_wants == d->hang_up_want)
		return false;
	if (d->n_wants == d->fail_want) {
		struct proto_data m = {.type = PROTO_DATA, .err = -ESTALE};

		send(d->socket, &m, sizeof(m), MSG_NOSIGNAL);
	} else if (d->bad != GOOD) {
		send_bad(d, w);
	} else if (!is_on_its_way(d, w->off)) {
		/* what was sent ahead may have taken the last slot; the worker gives one
		 * back when it sees that */
		d->waiting = free_slot(d) < 0;
		if (d->waiting && !d->push && !d->push_first) {
			d->broken = "a want while all slots are held";
			return false;
		}
		if (!d->waiting)
			answer(d, w);
	}
	return true;
}

static bool take_release(struct daemon *d, uint32_t slot)
{
	if (slot >= PROTO_SLOTS || !d->taken[slot]) {
		d->broken = "a slot released that wasn't taken";
		return false;
	}
	d->taken[slot] = false;
	if (d->waiting) {
		d->waiting = false;
		answer(d, &d->wants[d->n_wants - 1]);
	}
	return true;
}

static void *serve(void *arg)
{
	struct daemon *d = arg;
	union {
		uint32_t type;
		struct proto_want want;
		struct proto_release release;
		uint8_t bytes[PROTO_MESSAGE_MAX];
	} m;
	bool more = true;
	ssize_t n;

	if (d->push_first)
		send_range(d, d->push_first, 64 * 1024);
	while (more && (n = recv(d->socket, &m, sizeof(m), 0)) > 0) {
		if (m.type == PROTO_WANT && n == sizeof(m.want)) {
			more = take_want(d, &m.want);
		} else if (m.type == PROTO_RELEASE && n == sizeof(m.release)) {
			more = take_release(d, m.release.slot);
		} else {
			d->broken = "a message that makes no sense";
			more = false;
		}
	}
	shutdown(d->socket, SHUT_RDWR);
	return NULL;
}

static void start(struct world *w)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	w->d.socket = pair[0];
	w->socket = pair[1];
	w->d.window = malloc((size_t)PROTO_SLOTS * PROTO_SLOT_SIZE);
	assert_non_null(w->d.window);
	assert_int_equal(pthread_create(&w->d.thread, NULL, serve, &w->d), 0);
	w->in = input_new(w->socket, w->d.window, w->d.size);
	assert_non_null(w->in);
}

/* Ends both; afterwards the daemon's notes may be read. */
static void stop(struct world *w)
{
	input_free(w->in);
	shutdown(w->socket, SHUT_RDWR);
	pthread_join(w->d.thread, NULL);
	close(w->socket);
	close(w->d.socket);
	free(w->d.window);
	if (w->d.broken)
		fail_msg("%s", w->d.broken);
}

static void assert_bytes(const uint8_t *p, uint64_t off, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != byte_at(off + i))
			fail_msg("wrong byte at %llu", (unsigned long long)(off + i));
	}
}

static void read_and_compare(struct world *w, uint64_t off, size_t len)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	assert_int_equal(input_read_all(w->in, off, p, len), 0);
	assert_bytes(p, off, len);
	free(p);
}

static void sequential_reads_want_more_and_more(void **state)
{
	static const uint32_t lens[] = {65536, 131072, 262144, 524288, 1048576, 1048576, 1048576, 65536};
	struct world w = {.d = {.size = 20 << 20}};

	(void)state;
	start(&w);
	for (uint64_t off = 0; off < 3 << 20; off += 4096)
		read_and_compare(&w, off, 4096);
	read_and_compare(&w, 10 << 20, 10);
	stop(&w);
	assert_int_equal(w.d.n_wants, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(w.d.wants[i].len, lens[i]);
}

static void the_end_is_the_end(void **state)
{
	struct world w = {.d = {.size = 100000}};
	uint8_t p[10];

	(void)state;
	start(&w);
	assert_int_equal(input_size(w.in), 100000);
	read_and_compare(&w, 99990, 10);
	assert_int_equal(input_read(w.in, 99995, p, 10), 5);
	assert_int_equal(input_read(w.in, 100000, p, 10), 0);
	assert_int_equal(input_read(w.in, UINT64_MAX, p, 10), 0);
	assert_int_equal(input_read_all(w.in, 99995, p, 10), -EBADMSG);
	assert_int_equal(input_error(w.in), 0);
	stop(&w);
	assert_int_equal(w.d.n_wants, 1);
	assert_int_equal(w.d.wants[0].len, 10);
}

static void short_answers_are_followed_up(void **state)
{
	struct world w = {.d = {.size = 1 << 20, .most = 1000}};

	(void)state;
	start(&w);
	read_and_compare(&w, 12345, 50000);
	stop(&w);
	assert_int_equal(w.d.n_wants, 50);
}

static void what_will_be_read_is_wanted_exactly(void **state)
{
	struct world w = {.d = {.size = 20 << 20}};

	(void)state;
	start(&w);
	input_ahead(w.in, 1000, (2 << 20) + 77);
	read_and_compare(&w, 1000, (2 << 20) + 77);
	input_ahead(w.in, (20 << 20) - 5, UINT64_MAX);
	read_and_compare(&w, (20 << 20) - 5, 5);
	input_ahead(w.in, UINT64_MAX, UINT64_MAX);
	stop(&w);
	assert_int_equal(w.d.n_wants, 4);
	assert_int_equal(w.d.wants[0].len, 1 << 20);
	assert_int_equal(w.d.wants[0].ahead, (1 << 20) + 77);
	assert_int_equal(w.d.wants[1].ahead, 77);
	assert_int_equal(w.d.wants[2].len, 77);
	assert_int_equal(w.d.sent, (2 << 20) + 77 + 5);
}

static void what_is_sent_ahead_is_not_wanted_again(void **state)
{
	struct world w = {.d = {.size = 40 << 20, .push = true}};

	(void)state;
	start(&w);
	input_ahead(w.in, 0, 40 << 20);
	for (uint64_t off = 0; off < 40 << 20; off += 1 << 16)
		read_and_compare(&w, off, 1 << 16);
	stop(&w);
	assert_int_equal(w.d.sent, 40 << 20);
}

static void unasked_bytes_are_used(void **state)
{
	struct world w = {.d = {.size = 10 << 20, .push_first = 5 << 20}};

	(void)state;
	start(&w);
	/* the answer comes behind what was sent before */
	read_and_compare(&w, 0, 100);
	read_and_compare(&w, (5 << 20) + 50, 65536 - 50);
	stop(&w);
	assert_int_equal(w.d.n_wants, 1);
}

static void random_reads_are_right(void **state)
{
	struct world w = {.d = {.size = (30 << 20) + 321}};
	unsigned seed = 3;

	(void)state;
	start(&w);
	for (int i = 0; i < 500; i++) {
		uint64_t off = (uint64_t)rand_r(&seed) % w.d.size;
		size_t len = 1 + (size_t)rand_r(&seed) % (i % 10 ? 3000 : 2000000);

		if (len > w.d.size - off)
			len = (size_t)(w.d.size - off);
		if (i % 7 == 0)
			input_ahead(w.in, off, len);
		read_and_compare(&w, off, len);
	}
	stop(&w);
}

static void slots_are_kept_for_going_back(void **state)
{
	struct world w = {.d = {.size = 30 << 20}};

	(void)state;
	start(&w);
	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < PROTO_SLOTS; i++)
			read_and_compare(&w, i << 20, 100);
	}
	stop(&w);
	assert_int_equal(w.d.n_wants, PROTO_SLOTS);
}

static void zero_ranges_are_not_wanted(void **state)
{
	static const struct input_range ranges[] = {{100, 200}, {300, 50}, {70000, 900000}, {999000, 1000}};
	struct world w = {.d = {.size = 1000000}};
	uint8_t *p = malloc(1000000);

	(void)state;
	assert_non_null(p);
	start(&w);
	assert_int_equal(input_set_zero_ranges(w.in, ranges, 4), 0);
	assert_int_equal(input_read_all(w.in, 0, p, 1000000), 0);
	for (size_t i = 0; i < 1000000; i++) {
		bool zero = false;

		for (int r = 0; r < 4; r++)
			zero = zero || (i >= ranges[r].off && i < ranges[r].off + ranges[r].len);
		if (p[i] != (zero ? 0 : byte_at(i)))
			fail_msg("byte %zu is wrong", i);
	}
	/* none: all are real again */
	assert_int_equal(input_set_zero_ranges(w.in, NULL, 0), 0);
	read_and_compare(&w, 0, 1000000);
	stop(&w);
	assert_int_equal(w.d.wants[0].len, 100);
	assert_int_equal(w.d.wants[1].off, 350);
	assert_int_equal(w.d.wants[1].len, 65536);
	assert_int_equal(w.d.wants[2].len, 70000 - 350 - 65536);
	assert_int_equal(w.d.wants[3].off, 970000);
	assert_int_equal(w.d.wants[3].len, 29000);
	free(p);
}

static void a_zero_range_may_pass_the_end(void **state)
{
	static const struct input_range all = {0, UINT64_MAX};
	struct world w = {.d = {.size = 1000}};
	uint8_t p[2000];

	(void)state;
	start(&w);
	assert_int_equal(input_set_zero_ranges(w.in, &all, 1), 0);
	assert_int_equal(input_read(w.in, 10, p, sizeof(p)), 990);
	stop(&w);
	assert_int_equal(w.d.n_wants, 0);
}

static void an_error_stays(void **state)
{
	struct world w = {.d = {.size = 10 << 20, .fail_want = 2}};
	uint8_t p[10];

	(void)state;
	start(&w);
	read_and_compare(&w, 0, 10);
	assert_int_equal(input_read(w.in, 5 << 20, p, 10), -ESTALE);
	assert_int_equal(input_error(w.in), -ESTALE);
	assert_int_equal(input_read(w.in, 0, p, 10), -ESTALE);
	stop(&w);
	assert_int_equal(w.d.n_wants, 2);
}

static void a_daemon_that_hangs_up_is_an_error(void **state)
{
	struct world w = {.d = {.size = 10 << 20, .hang_up_want = 1}};
	uint8_t p[10];

	(void)state;
	start(&w);
	assert_int_equal(input_read(w.in, 0, p, 10), -EPIPE);
	assert_int_equal(input_error(w.in), -EPIPE);
	stop(&w);
}

static void answers_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	for (enum bad bad = BAD_SLOT; bad <= BAD_SHORT; bad++) {
		struct world w = {.d = {.size = 10 << 20, .bad = bad}};
		uint8_t p[10];

		start(&w);
		assert_int_equal(input_read(w.in, 0, p, 10), -EPROTO);
		assert_int_equal(input_error(w.in), -EPROTO);
		stop(&w);
	}
}

static void avio_reads_and_seeks(void **state)
{
	struct world w = {.d = {.size = 3 << 20}};
	uint8_t *p = malloc(1 << 20);
	struct input *other;
	AVIOContext *io;

	(void)state;
	assert_non_null(p);
	start(&w);
	io = input_avio(w.in);
	assert_non_null(io);
	assert_int_equal(avio_size(io), 3 << 20);
	assert_int_equal(avio_read(io, p, 1000), 1000);
	assert_bytes(p, 0, 1000);
	assert_int_equal(avio_seek(io, 2 << 20, SEEK_SET), 2 << 20);
	assert_int_equal(avio_read(io, p, 1 << 20), 1 << 20);
	assert_bytes(p, 2 << 20, 1 << 20);
	assert_int_equal(avio_read(io, p, 1), AVERROR_EOF);
	assert_int_equal(avio_seek(io, -100, SEEK_CUR), (3 << 20) - 100);
	assert_int_equal(avio_read(io, p, 200), 100);
	assert_true(avio_seek(io, -1, SEEK_SET) < 0);

	/* another job of the same object goes on in the same place */
	assert_int_equal(avio_seek(io, 1 << 20, SEEK_SET), 1 << 20);
	other = input_new(w.socket, w.d.window, 3 << 20);
	assert_non_null(other);
	input_avio_rebind(io, other);
	assert_int_equal(avio_read(io, p, 100), 100);
	assert_bytes(p, 1 << 20, 100);
	input_avio_free(io);
	input_free(other);
	stop(&w);
	free(p);
}

static void avio_passes_errors_on(void **state)
{
	struct world w = {.d = {.size = 3 << 20, .fail_want = 1}};
	AVIOContext *io;
	uint8_t p[10];

	(void)state;
	start(&w);
	io = input_avio(w.in);
	assert_non_null(io);
	assert_int_equal(avio_read(io, p, 10), AVERROR(ESTALE));
	input_avio_free(io);
	stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequential_reads_want_more_and_more),
		cmocka_unit_test(the_end_is_the_end),
		cmocka_unit_test(short_answers_are_followed_up),
		cmocka_unit_test(what_will_be_read_is_wanted_exactly),
		cmocka_unit_test(what_is_sent_ahead_is_not_wanted_again),
		cmocka_unit_test(unasked_bytes_are_used),
		cmocka_unit_test(random_reads_are_right),
		cmocka_unit_test(slots_are_kept_for_going_back),
		cmocka_unit_test(zero_ranges_are_not_wanted),
		cmocka_unit_test(a_zero_range_may_pass_the_end),
		cmocka_unit_test(an_error_stays),
		cmocka_unit_test(a_daemon_that_hangs_up_is_an_error),
		cmocka_unit_test(answers_that_make_no_sense_are_refused),
		cmocka_unit_test(avio_reads_and_seeks),
		cmocka_unit_test(avio_passes_errors_on),
	};

	return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
