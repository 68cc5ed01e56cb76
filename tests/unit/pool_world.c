#include "pool_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "gate_store.h"
#include "store/blocks.h"
#include "sync_store.h"

#define CACHE_BYTES (32u << 20)
#define FETCH_BYTES (4u << 20)

static const size_t sizes[WORLD_OBJECTS] = {
	0, 11, 65535, 65536, 65537, (1u << 20) + 3, (5u << 20) + 12345,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;

static void object_path(const struct world *w, unsigned i, char *path, size_t room)
{
	snprintf(path, room, "%s/clip%u.Mp4", w->folder, i);
}

static void write_object(const struct world *w, unsigned i, const uint8_t *data, size_t size)
{
	char path[128];
	FILE *f;

	object_path(w, i, path, sizeof(path));
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void make_object(struct world *w, unsigned i)
{
	static struct sync_result head;
	uint64_t state = i + 1;
	char key[32];

	w->contents[i] = malloc(sizes[i] + 1);
	assert_non_null(w->contents[i]);
	for (size_t k = 0; k < sizes[i]; k++) {
		state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
		w->contents[i][k] = (uint8_t)(state >> 56);
	}
	write_object(w, i, w->contents[i], sizes[i]);
	snprintf(key, sizeof(key), "clip%u.Mp4", i);
	assert_int_equal(sync_head(w->gate, key, &head), 0);
	w->objects[i] = object_new(key, &head.meta);
	assert_non_null(w->objects[i]);
}

/* pool_child stands beside the test program. */
static void find_child(struct world *w)
{
	ssize_t n = readlink("/proc/self/exe", w->child, sizeof(w->child) - 32);
	char *slash;

	assert_true(n > 0);
	w->child[n] = '\0';
	slash = strrchr(w->child, '/');
	snprintf(slash, 32, "/pool_child");
}

void world_init(struct world *w)
{
	struct store *dir;
	char why[STORE_WHY_MAX];

	memset(w, 0, sizeof(*w));
	find_child(w);
	snprintf(w->folder, sizeof(w->folder), "/tmp/test_pool.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	assert_int_equal(store_dir_open(w->folder, &w->stats, why, &dir), 0);
	w->gate = gate_store_new(dir, &w->stats);
	w->fetch_max = FETCH_BYTES;
	w->blocks = blocks_new(w->gate, CACHE_BYTES, &w->stats);
	assert_non_null(w->blocks);
	for (unsigned i = 0; i < WORLD_OBJECTS; i++)
		make_object(w, i);
}

void world_done(struct world *w)
{
	char path[128];

	pool_free(w->pool); /* of a test that has failed */
	gate_store_set(w->gate, false);
	blocks_free(w->blocks);
	store_free(w->gate);
	for (unsigned i = 0; i < WORLD_OBJECTS; i++) {
		assert_int_equal(w->objects[i]->refs.n, 1);
		object_unref(w->objects[i]);
		free(w->contents[i]);
		object_path(w, i, path, sizeof(path));
		unlink(path);
	}
	rmdir(w->folder);
}

void world_replace_object(struct world *w, unsigned object)
{
	char path[128];

	object_path(w, object, path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	write_object(w, object, (const uint8_t *)"other", 5);
}

/* Those in the folder are the store's, which may still be reading ahead. */
int world_count_descriptors(const struct world *w)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		char target[256] = "";

		if (readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1) >= 0 &&
		    strncmp(target, w->folder, strlen(w->folder)) != 0)
			n++;
	}
	closedir(d);
	return n;
}

int world_make_pool(struct world *w, const char *program, unsigned workers, uint64_t timeout_ms,
                    size_t memory, char *why)
{
	struct pool_options o = {
		.binary = program ? program : w->child, .workers = workers, .worker_memory = memory,
		.timeout_ms = timeout_ms, .blocks = w->blocks, .fetch_max = w->fetch_max,
		.stats = &w->stats,
	};

	w->pool = NULL;
	return pool_new(&o, why, &w->pool);
}

int world_try_pool(struct world *w, const char *program, unsigned workers, uint64_t timeout_ms,
                   size_t memory, char *why)
{
	w->open_before = world_count_descriptors(w);
	return world_make_pool(w, program, workers, timeout_ms, memory, why);
}

void world_start_pool(struct world *w, unsigned workers, uint64_t timeout_ms)
{
	char why[256] = "";
	int err = world_try_pool(w, NULL, workers, timeout_ms, 0, why);

	if (err)
		fail_msg("pool_new: %s", why);
}

void world_stop_pool(struct world *w)
{
	pool_free(w->pool);
	w->pool = NULL;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(world_count_descriptors(w), w->open_before);
}

/* -- requests -- */

static void row(struct pool_job *job, const uint8_t *out, uint32_t i)
{
	struct request *r = (struct request *)job;

	pthread_mutex_lock(&lock);
	r->n_rows++;
	if (i < ROWS) {
		r->times[i]++;
		memcpy(&r->rows[i], out + (size_t)i * ROW_BYTES, sizeof(r->rows[i]));
	}
	pthread_cond_broadcast(&change);
	pthread_mutex_unlock(&lock);
}

static void done(struct pool_job *job, const struct pool_result *result)
{
	struct request *r = (struct request *)job;

	pthread_mutex_lock(&lock);
	r->n_done++;
	r->err = result->err;
	snprintf(r->why, sizeof(r->why), "%s", result->why ? result->why : "");
	r->has_out = result->out != NULL;
	r->out_len = result->out_len;
	if (result->out && result->out_len <= sizeof(r->out))
		memcpy(r->out, result->out, result->out_len);
	r->frames_decoded = result->frames_decoded;
	r->used_us = result->used_us;
	r->fed = result->fed;
	pthread_cond_broadcast(&change);
	pthread_mutex_unlock(&lock);
}

static struct request *new_request(struct world *w, unsigned object)
{
	struct request *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->job.obj = w->objects[object];
	r->job.row = row;
	r->job.done = done;
	return r;
}

struct request *request_mfcc(struct world *w, enum child_act act, unsigned object)
{
	struct request *r = new_request(w, object);

	r->job.kind = PROTO_MFCC;
	r->job.out_size = sizeof(r->out);
	r->job.spec.mfcc.n_mfcc = act;
	r->job.spec.mfcc.n_fft = PROTO_SLOT_SIZE;
	return r;
}

struct request *request_frames(struct world *w, enum child_act act, unsigned object)
{
	struct request *r = new_request(w, object);
	struct proto_frames head = { .n_rows = ROWS, .row_bytes = ROW_BYTES, .n_slots = ROWS };
	struct proto_frame_row *rows = (void *)(r->input.bytes + sizeof(head));

	memcpy(r->input.bytes, &head, sizeof(head));
	for (uint32_t i = 0; i < ROWS; i++)
		rows[i] = (struct proto_frame_row){
			.pts = i, .packet = i, .slot = i, .emit = i % 2 == 0,
		};
	r->job.kind = PROTO_FRAMES;
	r->job.input = r->input.bytes;
	r->job.input_size = sizeof(r->input.bytes);
	r->job.out_size = ROWS * ROW_BYTES;
	r->job.spec.frames.num_frames = act;
	return r;
}

void request_need(struct request *r, uint64_t off, size_t len)
{
	r->job.need_off = off;
	r->job.need_len = len;
}

void request_submit(struct world *w, struct request *r)
{
	pool_submit(w->pool, &r->job);
}

void request_wait(struct request *r)
{
	pthread_mutex_lock(&lock);
	while (!r->n_done)
		pthread_cond_wait(&change, &lock);
	pthread_mutex_unlock(&lock);
}

void request_wait_row(struct request *r)
{
	pthread_mutex_lock(&lock);
	while (!r->n_rows && !r->n_done)
		pthread_cond_wait(&change, &lock);
	assert_true(r->n_rows > 0);
	pthread_mutex_unlock(&lock);
}

bool request_is_done(struct request *r)
{
	bool done;

	pthread_mutex_lock(&lock);
	done = r->n_done > 0;
	pthread_mutex_unlock(&lock);
	return done;
}

void world_wait_a_turn(struct world *w)
{
	/* The end of a dropped job comes before the handing out of its turn. */
	for (int i = 0; i < 2; i++) {
		struct request *r = request_mfcc(w, ACT_SUM, WORLD_SMALL);

		atomic_store(&r->job.dropped, true);
		request_submit(w, r);
		request_wait(r);
		assert_int_equal(r->err, -ECANCELED);
		free(r);
	}
}

int request_run(struct world *w, struct request *r)
{
	request_submit(w, r);
	request_wait(r);
	return r->err;
}

const struct child_sum *request_sum(const struct request *r)
{
	return (const struct child_sum *)(const void *)r->out;
}

void request_expect_sum(const struct world *w, struct request *r, unsigned object)
{
	const struct child_sum *s = request_sum(r);

	assert_string_equal(r->why, "");
	assert_int_equal(r->err, 0);
	assert_int_equal(r->n_done, 1);
	assert_int_equal(r->out_len, sizeof(*s));
	assert_int_equal(s->size, sizes[object]);
	assert_true(s->hash == text_hash64(w->contents[object], sizes[object]));
	assert_string_equal(s->extension, "mp4");
	free(r);
}

void expect_failure(struct world *w, struct request *r, int err, const char *words)
{
	request_run(w, r);
	if (r->err != err || !strstr(r->why, words))
		fail_msg("act %u: %d \"%s\" instead of %d \"%s\"", r->job.spec.mfcc.n_mfcc,
		         r->err, r->why, err, words);
	assert_int_equal(r->n_done, 1);
	assert_false(r->has_out);
	free(r);
}

pid_t expect_service(struct world *w)
{
	struct request *r = request_mfcc(w, ACT_SUM, WORLD_SMALL);
	pid_t pid;

	request_run(w, r);
	pid = (pid_t)request_sum(r)->pid;
	request_expect_sum(w, r, WORLD_SMALL);
	return pid;
}

void kill_and_wait(pid_t pid, int sig)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	assert_true(p.fd >= 0);
	assert_int_equal(kill(pid, sig), 0);
	assert_int_equal(poll(&p, 1, -1), 1);
	close(p.fd);
}

int64_t world_stat(const struct world *w, enum stat_id id)
{
	return stats_get(&w->stats, id);
}
