/* mfcc_tool - the worker's audio half as a command, for test_mfcc.py.
 *
 *   mfcc_tool mfcc FILE OUT [key=value ...]      job_mfcc
 *   mfcc_tool mono FILE OUT [key=value ...]      mono_open, mono_read to the end
 *   mfcc_tool pcm FILE OUT                       audio_open, audio_read to the end
 *   mfcc_tool compute IN OUT [key=value ...]     mfcc_compute of raw float32
 *   mfcc_tool pieces IN OUT CHUNK KEEP ROOM [key=value ...]  the same, CHUNK samples
 *       a push, KEEP bytes of log mels kept, room for ROOM columns
 *   mfcc_tool resample IN OUT FROM TO CHUNK      resampler, CHUNK samples a push
 *   mfcc_tool time IN OUT REPEAT [key=value ...] compute, printing ms of the fastest run
 *
 * Keys are struct mfcc_spec's; fail_at=OFFSET fail_err=ERRNO make the store fail,
 * out_size= is the room for a result. FILE is read as a worker reads an object: by
 * WANT and DATA. OUT gets raw float32. Prints one line, "ok NAME=VALUE ..." (exit 0)
 * or "error ERRNO SENTENCE" (exit 1); exit 2 is a mistake in the call. */
#include <errno.h>
#include <inttypes.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "serve.h"
#include "worker/audio.h"
#include "worker/avlog.h"
#include "worker/job.h"
#include "worker/mfcc.h"
#include "worker/mono.h"
#include "worker/resample.h"

#define ROOM_DEFAULT (64u << 20)    /* bytes */

struct options {
	struct mfcc_spec spec;
	struct serve_fault fault;
	size_t out_size;
};

static struct options defaults(void)
{
	return (struct options){
		.spec = { .preset = MFCC_LIBROSA, .sr = 22050, .n_mfcc = 20, .n_fft = 2048,
		          .win_length = 2048, .hop_length = 512, .n_mels = 128, .channel = -1,
		          .top_db = 80 },
		.out_size = ROOM_DEFAULT,
	};
}

static bool set_integer(struct options *o, const char *key, long long v)
{
	struct mfcc_spec *s = &o->spec;
	struct { const char *key; uint32_t *field; } fields[] = {
		{ "preset", &s->preset }, { "sr", &s->sr }, { "n_mfcc", &s->n_mfcc },
		{ "n_fft", &s->n_fft }, { "win_length", &s->win_length },
		{ "hop_length", &s->hop_length }, { "n_mels", &s->n_mels },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(key, fields[i].key) == 0) {
			*fields[i].field = (uint32_t)v;
			return true;
		}
	}
	if (strcmp(key, "channel") == 0)
		s->channel = (int32_t)v;
	else if (strcmp(key, "fail_at") == 0)
		o->fault.off = (uint64_t)v;
	else if (strcmp(key, "fail_err") == 0)
		o->fault.err = -(int)v;
	else if (strcmp(key, "out_size") == 0)
		o->out_size = (size_t)v;
	else
		return false;
	return true;
}

static bool set_option(struct options *o, const char *arg)
{
	struct mfcc_spec *s = &o->spec;
	struct { const char *key; double *field; } reals[] = {
		{ "fmin", &s->fmin }, { "fmax", &s->fmax }, { "top_db", &s->top_db },
		{ "lifter", &s->lifter }, { "duration", &s->duration },
	};
	const char *equals = strchr(arg, '=');
	char key[32];

	if (!equals || (size_t)(equals - arg) >= sizeof(key))
		return false;
	memcpy(key, arg, (size_t)(equals - arg));
	key[equals - arg] = '\0';
	for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++) {
		if (strcmp(key, reals[i].key) == 0) {
			*reals[i].field = strtod(equals + 1, NULL);
			return true;
		}
	}
	return set_integer(o, key, strtoll(equals + 1, NULL, 0));
}

static int write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "wb");
	bool good;

	if (!f)
		return -errno;
	good = fwrite(data, 1, len, f) == len;
	if (fclose(f) != 0 || !good)
		return -EIO;
	return 0;
}

static int read_floats(const char *path, struct buf *ret)
{
	char part[65536];
	size_t n;
	FILE *f = fopen(path, "rb");

	if (!f)
		return -errno;
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(ret, part, n);
	fclose(f);
	return buf_error(ret);
}

static int failed(int err, const char *why)
{
	printf("error %d %s\n", -err, why);
	return 1;
}

static const char *extension_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && !strchr(dot, '/') ? dot + 1 : "";
}

static int do_mfcc(struct serve *s, const char *path, const char *out, const struct options *o)
{
	struct proto_job job = { .type = PROTO_JOB, .magic = PROTO_MAGIC, .kind = PROTO_MFCC };
	struct job_io io = { .in = serve_input(s), .out_size = o->out_size };
	char why[PROTO_WHY_MAX] = "";
	size_t len;
	int err;

	job.spec = spec_mfcc(&o->spec);
	snprintf(job.extension, sizeof(job.extension), "%s", extension_of(path));
	io.out = malloc(o->out_size);
	if (!io.out)
		return failed(-ENOMEM, "malloc");
	err = job_mfcc(&job, &io, &len, why);
	if (!err)
		err = write_file(out, io.out, len);
	free(io.out);
	if (err)
		return failed(err, why);
	printf("ok bytes=%zu read=%" PRIu64 "\n", len, serve_bytes(s));
	return 0;
}

static int do_mono(struct serve *s, const char *path, const char *out, const struct options *o)
{
	char why[PROTO_WHY_MAX] = "";
	const float *samples;
	struct mono *m = NULL;
	struct buf all;
	size_t n;
	int err;

	buf_init(&all, SIZE_MAX);
	err = mono_open(serve_input(s), extension_of(path), &o->spec, &m, why);
	while (!err && !(err = mono_read(m, &samples, &n, why)) && n)
		buf_add(&all, samples, n * sizeof(*samples));
	if (!err)
		err = buf_error(&all);
	if (!err)
		err = write_file(out, all.data, all.len);
	mono_close(m);
	if (err)
		failed(err, why);
	else
		printf("ok samples=%zu read=%" PRIu64 "\n", all.len / sizeof(*samples),
		       serve_bytes(s));
	buf_done(&all);
	return err ? 1 : 0;
}

static int do_pcm(struct serve *s, const char *path, const char *out, const struct options *o)
{
	char why[PROTO_WHY_MAX] = "";
	const float *samples;
	struct audio *a;
	struct buf all;
	size_t frames;
	int err;

	(void)o;
	buf_init(&all, SIZE_MAX);
	err = audio_open(serve_input(s), extension_of(path), &a, why);
	if (err)
		return failed(err, why);
	while (!(err = audio_read(a, &samples, &frames, why)) && frames)
		buf_add(&all, samples, frames * audio_channels(a) * sizeof(*samples));
	if (!err)
		err = buf_error(&all);
	if (!err)
		err = write_file(out, all.data, all.len);
	if (err)
		failed(err, why);
	else
		printf("ok rate=%" PRIu32 " channels=%" PRIu32 " frames=%zu read=%" PRIu64 "\n",
		       audio_rate(a), audio_channels(a),
		       all.len / sizeof(*samples) / audio_channels(a), serve_bytes(s));
	audio_close(a);
	buf_done(&all);
	return err ? 1 : 0;
}

typedef int file_command(struct serve *s, const char *path, const char *out,
                         const struct options *o);

static int with_file(file_command *command, const char *path, const char *out,
                     const struct options *o)
{
	struct serve *s;
	int status, err;

	err = serve_start(path, o->fault, &s);
	if (err)
		return failed(err, "serving");
	status = command(s, path, out, o);
	serve_stop(s);
	return status;
}

/* repeat 0: once, without a stopwatch. */
static int do_compute(const char *path, const char *out, const struct options *o, int repeat)
{
	char why[PROTO_WHY_MAX] = "";
	uint64_t columns = 0, best = UINT64_MAX;
	float *result = NULL;
	struct buf in;
	size_t n;
	int err;

	buf_init(&in, SIZE_MAX);
	err = read_floats(path, &in);
	n = in.len / sizeof(float);
	if (!err)
		err = mfcc_check(&o->spec, why);
	if (!err)
		err = mfcc_shape(&o->spec, n, &columns, why);
	if (!err && !(result = calloc(columns, o->spec.n_mfcc * sizeof(*result))))
		err = -ENOMEM;
	for (int i = 0; !err && (i == 0 || i < repeat); i++) {
		uint64_t start = clock_ns();

		err = mfcc_compute(&o->spec, (const float *)(void *)in.data, n, result, why);
		if (clock_ns() - start < best)
			best = clock_ns() - start;
	}
	if (!err)
		err = write_file(out, result, columns * o->spec.n_mfcc * sizeof(*result));
	free(result);
	buf_done(&in);
	if (err)
		return failed(err, why);
	printf("ok columns=%" PRIu64 " ms=%.3f\n", columns, (double)best / 1e6);
	return 0;
}

/* Prints how often the samples were given. */
static int do_pieces(const char *path, const char *out, char *const *arg, const struct options *o)
{
	size_t chunk = strtoul(arg[0], NULL, 10), keep = strtoul(arg[1], NULL, 10);
	size_t room = strtoul(arg[2], NULL, 10), n;
	float *result = calloc(room, o->spec.n_mfcc * sizeof(*result));
	char why[PROTO_WHY_MAX] = "";
	struct mfcc *m = NULL;
	uint64_t columns = 0;
	int passes = 0, err;
	struct buf in;

	buf_init(&in, SIZE_MAX);
	err = read_floats(path, &in);
	n = in.len / sizeof(float);
	if (!err && (!result || chunk == 0))
		err = -ENOMEM;
	if (!err)
		err = mfcc_new(&o->spec, result, room, keep, &m, why);
	if (!err) {
		do {
			passes++;
			err = 0;
			for (size_t i = 0; !err && i < n; i += chunk)
				err = mfcc_push(m, (const float *)(void *)in.data + i,
				                n - i < chunk ? n - i : chunk, why);
			if (err >= 0)
				err = mfcc_finish(m, &columns, why);
		} while (err == 1);
	}
	if (!err)
		err = write_file(out, result, columns * o->spec.n_mfcc * sizeof(*result));
	mfcc_free(m);
	free(result);
	buf_done(&in);
	if (err)
		return failed(err, why);
	printf("ok columns=%" PRIu64 " passes=%d\n", columns, passes);
	return 0;
}

static int do_resample(const char *path, const char *out, const char *const *arg)
{
	size_t n, chunk = strtoul(arg[2], NULL, 10);
	struct resampler *r = NULL;
	struct buf in, result;
	int err;

	buf_init(&in, SIZE_MAX);
	buf_init(&result, SIZE_MAX);
	err = read_floats(path, &in);
	n = in.len / sizeof(float);
	if (!err)
		err = resampler_new((uint32_t)strtoul(arg[0], NULL, 10),
		                    (uint32_t)strtoul(arg[1], NULL, 10), &r);
	for (size_t i = 0; !err && i < n; i += chunk)
		err = resampler_push(r, (const float *)(void *)in.data + i,
		                     n - i < chunk ? n - i : chunk, &result);
	if (!err)
		err = resampler_finish(r, &result);
	if (!err)
		err = write_file(out, result.data, result.len);
	if (err)
		failed(err, "resampling");
	else
		printf("ok samples=%zu\n", result.len / sizeof(float));
	resampler_free(r);
	buf_done(&in);
	buf_done(&result);
	return err ? 1 : 0;
}

static int run(int argc, char **argv)
{
	struct options o = defaults();
	const char *command = argc > 3 ? argv[1] : "";
	bool timed = strcmp(command, "time") == 0 && argc > 4;
	bool pieces = strcmp(command, "pieces") == 0 && argc > 6;

	if (strcmp(command, "resample") == 0 && argc == 7 && strtoul(argv[6], NULL, 10) > 0)
		return do_resample(argv[2], argv[3], (const char *const *)argv + 4);
	for (int i = timed ? 5 : pieces ? 7 : 4; i < argc; i++) {
		if (!set_option(&o, argv[i])) {
			fprintf(stderr, "mfcc_tool: what is %s?\n", argv[i]);
			return 2;
		}
	}
	if (timed)
		return do_compute(argv[2], argv[3], &o, atoi(argv[4]));
	if (pieces)
		return do_pieces(argv[2], argv[3], argv + 4, &o);
	if (strcmp(command, "compute") == 0)
		return do_compute(argv[2], argv[3], &o, 0);
	if (strcmp(command, "mfcc") == 0)
		return with_file(do_mfcc, argv[2], argv[3], &o);
	if (strcmp(command, "mono") == 0)
		return with_file(do_mono, argv[2], argv[3], &o);
	if (strcmp(command, "pcm") == 0)
		return with_file(do_pcm, argv[2], argv[3], &o);
	fprintf(stderr, "mfcc_tool: see the head of mfcc_tool.c\n");
	return 2;
}

int main(int argc, char **argv)
{
	avlog_init();
	return run(argc, argv);
}
