/* worker_tool WORKER FILE EXTENSION [key=value...] - plays the daemon for one
 * local file, so that a test can drive the real worker binary.
 *
 * Options: data_limit=BYTES (RLIMIT_DATA), cpu_limit=SECONDS, deadline=SECONDS a
 * job, fail_want=N (the N-th want of a job gets -EIO).
 *
 * Reads commands from stdin, one a line, answers each with one line of JSON:
 *
 *     probe
 *     frames SESSION FIRST N TARGET NO_SKIP DRAIN REORDER  HEIGHT WIDTH MODE
 *            N_ROWS  then for each row: PTS PACKET ORDINAL SLOT EMIT
 *
 * PTS may be "none". The answer to `frames` is followed by out_len bytes: as many
 * slots as rows. `frames` works on the table that the last `probe` gave. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "media/geometry.h"
#include "media/proto.h"

static struct {
	const char *worker, *extension;
	int file;
	uint64_t size;
	uint64_t data_limit, cpu_limit, deadline_s, fail_want;
} options = {.cpu_limit = 60, .deadline_s = 60};

static struct {
	pid_t pid, group;
	int socket;
	uint8_t *window;
	int window_fd;
} worker;

static uint8_t *table;          /* of the last probe */
static size_t table_len;

/* What happened in one job. */
struct outcome {
	struct proto_done done;
	uint64_t wants, bytes;
	uint32_t *rows, n_rows;
	int status;             /* of a worker that died, else 0 */
	bool late;
};

static void die(const char *what)
{
	fprintf(stderr, "worker_tool: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *must(void *p)
{
	if (!p)
		die("malloc");
	return p;
}

static int make_memfd(uint64_t size, uint8_t **ret)
{
	int fd = memfd_create("worker_tool", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		die("memfd");
	*ret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*ret == MAP_FAILED)
		die("mmap");
	return fd;
}

static void limit(__rlimit_resource_t resource, uint64_t value)
{
	struct rlimit r = {value, value};

	if (value)
		setrlimit(resource, &r);
}

static void run_worker(int socket)
{
	/* Out of the way of the numbers they will get. */
	int s = fcntl(socket, F_DUPFD, 10), w = fcntl(worker.window_fd, F_DUPFD, 10);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	if (dup2(s, PROTO_FD_SOCKET) < 0 || dup2(w, PROTO_FD_WINDOW) < 0)
		_exit(126);
	limit(RLIMIT_DATA, options.data_limit);
	limit(RLIMIT_CPU, options.cpu_limit);
	execl(options.worker, options.worker, (char *)NULL);
	_exit(127);
}

/* The process that serves may be another one than was started. */
static void hear_started(void)
{
	struct proto_started m;
	int status;

	worker.group = worker.pid;
	/* Nothing comes from one that can't even start: what it was is seen with the first job. */
	if (recv(worker.socket, &m, sizeof(m), 0) != sizeof(m) || m.type != PROTO_STARTED || !m.pid)
		return;
	kill(worker.pid, SIGKILL);
	waitpid(worker.pid, &status, 0);
	worker.pid = (pid_t)m.pid;
}

static void start_worker(void)
{
	int pair[2];

	if (!worker.window)
		worker.window_fd = make_memfd((uint64_t)PROTO_SLOTS * PROTO_SLOT_SIZE, &worker.window);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		die("socketpair");
	worker.pid = fork();
	if (worker.pid < 0)
		die("fork");
	if (worker.pid == 0)
		run_worker(pair[1]);
	close(pair[1]);
	worker.socket = pair[0];
	hear_started();
}

static int stop_worker(void)
{
	int status = 0;
	siginfo_t info;

	close(worker.socket);
	while (waitid(P_PID, (id_t)worker.pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	kill(-worker.group, SIGKILL); /* its namespace's init */
	while (waitpid(worker.pid, &status, 0) < 0 && errno == EINTR)
		;
	while (waitpid(-worker.group, NULL, 0) > 0)
		;
	worker.pid = 0;
	return status;
}

static void send_job(const struct proto_job *job, const int *fds, size_t n_fds)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov = {(void *)(uintptr_t)job, sizeof(*job)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
	                     .msg_controllen = CMSG_SPACE(n_fds * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	if (sendmsg(worker.socket, &msg, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		die("sendmsg");
}

/* The daemon's side of the window. */
struct window {
	bool taken[PROTO_SLOTS];
	uint64_t off[PROTO_SLOTS];
	bool wanted;                    /* a want waits for a slot */
	struct proto_want want;
	uint64_t ahead, ahead_end;      /* bytes to send unasked while there are slots */
};

static int free_slot(const struct window *w)
{
	for (int i = 0; i < (int)PROTO_SLOTS; i++) {
		if (!w->taken[i])
			return i;
	}
	return -1;
}

static void send_data(struct window *w, uint64_t off, uint64_t len, struct outcome *o)
{
	struct proto_data d = {.type = PROTO_DATA, .slot = (uint32_t)free_slot(w), .off = off};

	d.len = len > PROTO_SLOT_SIZE ? PROTO_SLOT_SIZE : (uint32_t)len;
	if (options.fail_want && o->wants == options.fail_want) {
		d.err = -EIO;
	} else {
		if (pread(options.file, worker.window + (size_t)d.slot * PROTO_SLOT_SIZE, d.len,
		          (off_t)off) != (ssize_t)d.len)
			die("pread");
		w->taken[d.slot] = true;
		w->off[d.slot] = off;
		o->bytes += d.len;
	}
	send(worker.socket, &d, sizeof(d), MSG_NOSIGNAL);
}

static void fill_window(struct window *w, struct outcome *o)
{
	if (w->wanted && free_slot(w) >= 0) {
		w->wanted = false;
		w->ahead = w->want.off + w->want.len;
		w->ahead_end = w->ahead + w->want.ahead;
		send_data(w, w->want.off, w->want.len, o);
	}
	while (!w->wanted && w->ahead < w->ahead_end && free_slot(w) >= 0) {
		uint64_t left = w->ahead_end - w->ahead;
		uint64_t len = left < PROTO_SLOT_SIZE ? left : PROTO_SLOT_SIZE;

		send_data(w, w->ahead, len, o);
		w->ahead += len;
	}
}

static void take_want(struct window *w, const struct proto_want *want, struct outcome *o)
{
	if (w->wanted || want->len == 0 || want->len > PROTO_SLOT_SIZE || want->off >= options.size ||
	    want->len > options.size - want->off ||
	    want->ahead > options.size - want->off - want->len) {
		fprintf(stderr, "worker_tool: bad want\n");
		exit(1);
	}
	o->wants++;
	/* What was sent ahead and has crossed with the want is its answer. */
	for (uint32_t i = 0; i < PROTO_SLOTS; i++) {
		if (w->taken[i] && w->off[i] == want->off)
			return;
	}
	w->wanted = true;
	w->want = *want;
}

/* Serves the worker until it is done, dead or late. */
static void serve(struct outcome *o)
{
	uint64_t deadline = clock_ms() + options.deadline_s * 1000;
	struct window w = {0};
	union {
		uint32_t type;
		struct proto_want want;
		struct proto_release release;
		struct proto_row row;
		struct proto_done done;
		uint8_t bytes[PROTO_MESSAGE_MAX];
	} m;

	for (;;) {
		uint64_t now = clock_ms();
		struct pollfd p = {worker.socket, POLLIN, 0};
		ssize_t n;

		if (now >= deadline || poll(&p, 1, (int)(deadline - now)) == 0) {
			o->late = true;
			kill(worker.pid, SIGKILL);
		}
		n = recv(worker.socket, &m, sizeof(m), 0);
		if (n <= 0) {
			o->status = stop_worker();
			return;
		}
		if (m.type == PROTO_WANT) {
			take_want(&w, &m.want, o);
		} else if (m.type == PROTO_RELEASE && m.release.slot < PROTO_SLOTS) {
			w.taken[m.release.slot] = false;
		} else if (m.type == PROTO_ROW) {
			o->rows = must(realloc(o->rows, (o->n_rows + 1) * sizeof(*o->rows)));
			o->rows[o->n_rows++] = m.row.row;
		} else if (m.type == PROTO_DONE) {
			o->done = m.done;
			return;
		} else {
			fprintf(stderr, "worker_tool: unknown message\n");
			exit(1);
		}
		fill_window(&w, o);
	}
}

static void run_job(struct proto_job *job, const int *fds, size_t n_fds, struct outcome *o)
{
	static uint64_t number;

	memset(o, 0, sizeof(*o));
	if (!worker.pid)
		start_worker();
	job->type = PROTO_JOB;
	job->magic = PROTO_MAGIC;
	job->job = ++number;
	job->object_size = options.size;
	snprintf(job->extension, sizeof(job->extension), "%s", options.extension);
	send_job(job, fds, n_fds);
	serve(o);
}

static void print_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

static void print_outcome(struct outcome *o)
{
	printf("\"err\":%d,\"late\":%s,\"status\":%d,\"wants\":%" PRIu64 ",\"bytes\":%" PRIu64
	       ",\"decoded\":%" PRIu64 ",\"fed\":%" PRIu64 ",\"used_us\":%" PRIu64 ",\"why\":",
	       o->done.err, o->late ? "true" : "false", o->status, o->wants, o->bytes,
	       o->done.frames_decoded, o->done.fed, o->done.used_us);
	o->done.why[sizeof(o->done.why) - 1] = '\0';
	print_string(o->done.why);
	printf(",\"rows\":[");
	for (uint32_t i = 0; i < o->n_rows; i++)
		printf("%s%u", i ? "," : "", o->rows[i]);
	printf("]");
	free(o->rows);
}

static void print_table(const struct table_head *h)
{
	const struct table_packet *p = table_packets(h);

	printf(",\"table\":{\"flags\":%u,\"container\":\"%s\",\"video_stream\":%d,\"audio_stream\":%d,"
	       "\"rotation\":%u,\"width\":%u,\"height\":%u,\"time_base\":[%d,%d],\"rate\":[%u,%u],"
	       "\"colour\":\"%s\",\"params_len\":%u,\"streams\":[",
	       h->flags, h->container, h->video_stream, h->audio_stream, h->rotation, h->width, h->height,
	       h->time_base_num, h->time_base_den, h->avg_rate_num, h->avg_rate_den, h->colour,
	       h->params_len);
	for (uint32_t i = 0; i < h->n_streams && i < TABLE_STREAMS_MAX; i++) {
		const struct table_stream *s = &h->streams[i];

		printf("%s{\"type\":\"%c\",\"selected\":%d,\"codec\":\"%s\",\"width\":%u,\"height\":%u,"
		       "\"sample_rate\":%u,\"channels\":%u,\"duration_us\":%" PRId64 ",\"detail\":\"%s\"}",
		       i ? "," : "", s->type, s->selected, s->codec, s->width, s->height, s->sample_rate,
		       s->channels, s->duration_us, s->detail);
	}
	printf("],\"packets\":[");
	for (uint32_t i = 0; i < h->n_packets; i++)
		printf("%s[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%u,%u]", i ? "," : "", p[i].pts,
		       p[i].dts, p[i].pos, p[i].duration, p[i].size, p[i].flags);
	printf("]}");
}

static void probe(void)
{
	struct proto_job job = {.kind = PROTO_PROBE, .out_size = PROTO_TABLE_MAX};
	char why[256] = "";
	struct outcome o;
	uint8_t *out;
	int fd = make_memfd(job.out_size, &out);

	run_job(&job, &fd, 1, &o);
	free(table);
	table_len = o.done.err || o.status ? 0 : (size_t)o.done.out_len;
	table = must(malloc(table_len + 1));
	memcpy(table, out, table_len);
	printf("{");
	print_outcome(&o);
	if (table_len) {
		int err = table_check(table, table_len, options.size, why);

		printf(",\"check\":%d,\"check_why\":", err);
		print_string(why);
		if (!err)
			print_table((const struct table_head *)(void *)table);
	}
	printf("}\n");
	munmap(out, job.out_size);
	close(fd);
}

static uint64_t next_number(void)
{
	char *word = strtok(NULL, " \n"), *end;
	uint64_t v;

	if (!word) {
		fprintf(stderr, "worker_tool: too few words\n");
		exit(1);
	}
	if (strcmp(word, "none") == 0)
		return (uint64_t)TABLE_NOPTS;
	v = word[0] == '-' ? (uint64_t)strtoll(word, &end, 10) : strtoull(word, &end, 10);
	if (*end) {
		fprintf(stderr, "worker_tool: '%s' is no number\n", word);
		exit(1);
	}
	return v;
}

/* The input memfd's contents from the rest of the command line. */
static uint8_t *make_input(struct proto_job *job, uint64_t *ret_size, uint64_t *ret_row_bytes)
{
	const struct table_head *t = (const struct table_head *)(void *)table;
	struct proto_frames h = {.magic = PROTO_MAGIC, .table_flags = t->flags, .rotation = t->rotation,
		.time_base_num = t->time_base_num, .time_base_den = t->time_base_den,
		.video_stream = t->video_stream, .src_height = t->height, .src_width = t->width,
		.params_len = t->params_len};
	struct geometry g;
	uint8_t *input, *p;

	memcpy(h.container, t->container, sizeof(h.container));
	job->session = next_number();
	h.first_packet = (uint32_t)next_number();
	h.n_packets = (uint32_t)next_number();
	h.target = (uint32_t)next_number();
	h.no_skip = (uint32_t)next_number();
	h.drain = (uint32_t)next_number();
	h.reorder = (uint32_t)next_number();
	h.at_end = h.first_packet + h.n_packets == t->n_packets;
	job->spec.kind = SPEC_FRAMES;
	job->spec.frames.height = (uint32_t)next_number();
	job->spec.frames.width = (uint32_t)next_number();
	job->spec.frames.resize = (uint32_t)next_number();
	h.n_rows = (uint32_t)next_number();
	if (geometry_make(t->height, t->width, &job->spec.frames, &g))
		die("geometry");
	h.row_height = g.row_height;
	h.row_width = g.row_width;
	h.row_bytes = (uint64_t)g.row_height * g.row_width * 3;
	h.n_slots = h.n_rows;

	*ret_row_bytes = h.row_bytes;
	*ret_size = sizeof(h) + h.n_rows * sizeof(struct proto_frame_row) +
	            h.n_packets * sizeof(struct table_packet) + h.params_len;
	p = input = must(malloc(*ret_size));
	memcpy(p, &h, sizeof(h));
	p += sizeof(h);
	for (uint32_t i = 0; i < h.n_rows; i++, p += sizeof(struct proto_frame_row)) {
		struct proto_frame_row row = {.pts = (int64_t)next_number()};

		row.packet = (uint32_t)next_number();
		row.ordinal = (uint32_t)next_number();
		row.slot = (uint32_t)next_number();
		row.emit = (uint32_t)next_number();
		memcpy(p, &row, sizeof(row));
	}
	memcpy(p, table_packets(t) + h.first_packet, h.n_packets * sizeof(struct table_packet));
	memcpy(p + h.n_packets * sizeof(struct table_packet), table_params(t), h.params_len);
	job->out_size = h.n_slots * h.row_bytes;
	return input;
}

static void frames(void)
{
	struct proto_job job = {.kind = PROTO_FRAMES};
	uint64_t row_bytes;
	uint8_t *in, *out, *contents = make_input(&job, &job.in_size, &row_bytes);
	int fds[2] = {make_memfd(job.in_size, &in), make_memfd(job.out_size, &out)};
	struct outcome o;

	memcpy(in, contents, job.in_size);
	run_job(&job, fds, 2, &o);
	printf("{");
	print_outcome(&o);
	printf(",\"row_bytes\":%" PRIu64 ",\"out_len\":%" PRIu64 "}\n", row_bytes, job.out_size);
	fwrite(out, 1, job.out_size, stdout);
	munmap(in, job.in_size);
	munmap(out, job.out_size);
	close(fds[0]);
	close(fds[1]);
	free(contents);
}

static void take_option(const char *arg)
{
	static const struct {
		const char *key;
		uint64_t *value;
	} known[] = {
		{"data_limit=", &options.data_limit}, {"cpu_limit=", &options.cpu_limit},
		{"deadline=", &options.deadline_s}, {"fail_want=", &options.fail_want},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strncmp(arg, known[i].key, strlen(known[i].key)) == 0) {
			*known[i].value = strtoull(arg + strlen(known[i].key), NULL, 10);
			return;
		}
	}
	fprintf(stderr, "worker_tool: unknown option %s\n", arg);
	exit(1);
}

int main(int argc, char **argv)
{
	char *line = NULL, *word;
	size_t room = 0;
	struct stat st;

	if (argc < 4) {
		fprintf(stderr, "usage: worker_tool WORKER FILE EXTENSION [key=value...]\n");
		return 1;
	}
	options.worker = argv[1];
	options.extension = argv[3];
	for (int i = 4; i < argc; i++)
		take_option(argv[i]);
	options.file = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (options.file < 0 || fstat(options.file, &st) != 0)
		die(argv[2]);
	options.size = (uint64_t)st.st_size;
	while (getline(&line, &room, stdin) > 0) {
		word = strtok(line, " \n");
		if (word && strcmp(word, "probe") == 0)
			probe();
		else if (word && strcmp(word, "frames") == 0 && table_len)
			frames();
		else
			die("unknown command");
		fflush(stdout);
	}
	free(line);
	free(table);
	return worker.pid ? WEXITSTATUS(stop_worker()) : 0;
}
