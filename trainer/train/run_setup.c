#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/backend.h"
#include "backend/cpu.h"
#ifdef HAVE_CUDA
#include "backend/cuda.h"
#endif
#include "backend/narrow.h"
#include "checkpoint/safetensors.h"
#include "data/hint.h"
#include "data/order.h"
#include "data/template.h"
#include "dist/dist.h"
#include "train/bad.h"
#include "train/interrupt.h"
#include "train/options.h"
#include "train/report.h"
#include "train/run_priv.h"
#include "util/why.h"

#define PROBES_MAX 100          /* samples looked at for their shape */
#define TEXT_MAX 65536          /* bytes of settings */

/* ---- where results go ----------------------------------------------------------------- */

static int open_out(struct run *r, struct why *why)
{
	const struct options *o = r->o;

	if (dist_rank(r->dist) == 0 && mkdir(o->out, 0777) < 0 && errno != EEXIST)
		return why_set(why, -errno, "%s: %s", o->out, strerror(errno));
	if (asprintf(&r->checkpoint, "%s/checkpoint.safetensors", o->out) < 0) {
		r->checkpoint = NULL;
		return why_no_memory(why);
	}
	if (o->resume && access(r->checkpoint, F_OK) < 0)
		return why_set(why, -ENOENT, "%s: there is no checkpoint to resume from", r->checkpoint);
	if (!o->resume && !o->overwrite && dist_rank(r->dist) == 0 && access(r->checkpoint, F_OK) == 0)
		return why_set(why, -EEXIST, "%s: is there already; --resume goes on with it, --overwrite "
		               "begins anew", r->checkpoint);
	return 0;
}

/* ---- the device ------------------------------------------------------------------------- */

static enum precision activations(const struct options *o)
{
	switch (o->precision) {
	case ARITHMETIC_BF16:
		return PRECISION_BF16;
	case ARITHMETIC_FP16:
		return PRECISION_FP16;
	default:
		return PRECISION_FLOAT32;
	}
}

#ifdef HAVE_CUDA

static int open_cuda(struct run *r, struct why *why)
{
	struct cuda_options options = {
		.deterministic = r->o->deterministic,
		.reduced_precision = r->o->precision == ARITHMETIC_TF32,
		.activations = activations(r->o),
	};
	int devices = cuda_devices(), err;

	if (devices == 0)
		return cuda_why_no_devices(why);
	r->gpu = options.device = (int)(dist_local_rank(r->dist) % (unsigned)devices);
	err = cuda_new(&options, &r->backend);
	return err ? cuda_why(&options, err, why) : 0;
}

#endif

static int open_device(struct run *r, struct why *why)
{
	struct backend *cpu;
	int err;

#ifdef HAVE_CUDA
	if (r->o->device == DEVICE_CUDA)
		return open_cuda(r, why);
#endif
	if (r->o->precision == ARITHMETIC_TF32)
		return why_set(why, -EINVAL, "precision = tf32 needs device = cuda");
	err = cpu_new(r->o->threads, &cpu);
	if (!err && activations(r->o) != PRECISION_FLOAT32)
		err = narrow_new(cpu, activations(r->o), &cpu);
	if (!err)
		r->backend = cpu;
	return err ? why_set(why, err, "the CPU's library can't be started: %s", backend_words(err)) : 0;
}

/* ---- data ------------------------------------------------------------------------------ */

/* What the first sample that can be read looks like, in the order of the list. */
static int probe(struct run *r, const char *folder, struct why *why)
{
	size_t n = r->samples->n_train < PROBES_MAX ? r->samples->n_train : PROBES_MAX;
	struct why first = { "" };
	int err = CLIP_BAD;

	r->spec.video = r->o->modality != MODALITY_AUDIO;
	r->spec.audio = r->o->modality != MODALITY_VIDEO;
	for (size_t i = 0; i < n && err == CLIP_BAD; i++) {
		const char *path = r->samples->sample[r->samples->train[i]].path;

		err = clip_probe(folder, path, &r->spec, why);
		if (err == CLIP_BAD && i == 0)
			why_set(&first, 0, "%.400s: %.500s", path, why->text);
	}
	if (err == CLIP_BAD)
		err = why_set(why, -EINVAL, "none of the first %zu training samples can be used; the first: "
		              "%.900s", n, first.text);
	return err;
}

static int check_crop(struct run *r, struct why *why)
{
	int crop = (int)r->o->crop;

	r->crop_h = crop ? crop : r->spec.h;
	r->crop_w = crop ? crop : r->spec.w;
	if (r->spec.video && (r->crop_h > r->spec.h || r->crop_w > r->spec.w))
		return why_set(why, -EINVAL, "crop = %d: the frames are %d x %d only", crop, r->spec.h,
		               r->spec.w);
	return 0;
}

static int open_data(struct run *r, struct why *why)
{
	const struct samples_config config = { r->o->val_split, r->o->val_share, r->o->seed };
	char *folder = template_expand(r->o->data, 0, r->o->seed, why);
	int err;

	if (!folder)
		return -EINVAL;
	err = samples_load(folder, &config, &r->samples, why);
	if (!err)
		err = probe(r, folder, why);
	if (!err)
		err = check_crop(r, why);
	free(folder);
	if (err)
		return err;
	if (bad_new(r->samples->n, &r->bad))
		return why_no_memory(why);
	r->plan = (struct plan){
		.n_train = r->samples->n_train, .n_val = r->samples->n_val,
		.batch = (size_t)r->o->batch * dist_ranks(r->dist), .epochs = r->o->epochs,
	};
	return 0;
}

/* ---- the model -------------------------------------------------------------------------- */

/* bf16 reaches as far down as float32, and needs none. */
static int new_scaler(struct run *r, struct why *why)
{
	uint32_t scale = r->o->loss_scale;
	const struct scaler_config config = {
		.used = scale > 1 || r->o->precision == ARITHMETIC_FP16,
		.dynamic = scale == 0, .scale = (float)scale,
	};

	int err = scaler_new(r->backend, r->model, &config, &r->scaler);

	return err ? why_set(why, err, "the loss scale: %s", backend_words(err)) : 0;
}

static int build_model(struct run *r, struct why *why)
{
	const struct options *o = r->o;
	const struct model_config config = {
		.video = r->spec.video, .audio = r->spec.audio,
		.t = r->spec.t, .h = r->spec.h, .w = r->spec.w,
		.crop_h = r->crop_h, .crop_w = r->crop_w,
		.n_mfcc = r->spec.n_mfcc, .columns = r->spec.columns,
		.video_width = (int)o->video_width, .video_depth = (int)o->video_depth,
		.audio_width = (int)o->audio_width, .audio_depth = (int)o->audio_depth,
		.classes = (int)r->samples->n_classes, .batch = (int)o->batch,
	};
	int err = model_new(r->backend, &config, o->seed, &r->model, why);

	if (err)
		return err;
	r->schedule = (struct optimizer_config){
		.kind = o->optimizer, .schedule = o->schedule,
		.lr = o->lr, .momentum = o->momentum, .weight_decay = o->weight_decay,
		.warmup = o->warmup * (double)plan_steps(&r->plan),
		.steps = o->epochs * (uint64_t)plan_steps(&r->plan),
	};
	r->loss = calloc(o->batch, sizeof(*r->loss));
	r->hit = calloc(o->batch, sizeof(*r->hit));
	r->shared = calloc(r->plan.batch, sizeof(*r->shared));
	if (!r->loss || !r->hit || !r->shared ||
	    optimizer_new(r->backend, r->model, &r->schedule, &r->optimizer))
		return why_no_memory(why);
	return new_scaler(r, why);
}

/* What has to be the same for the same bits. */
static int describe(struct run *r, struct why *why)
{
	const struct clip_spec *spec = &r->spec;

	options_print_fixed(r->o, &r->settings);
	buf_printf(&r->settings, "batch of all ranks = %zu\n", r->plan.batch);
	if (spec->video)
		buf_printf(&r->settings, "frames = %d x %d x %d\n", spec->t, spec->h, spec->w);
	if (spec->audio)
		buf_printf(&r->settings, "mfcc = %d x %d\n", spec->n_mfcc, spec->columns);
	r->backend->ops->describe(r->backend, &r->environment);
	buf_printf(&r->environment, "ranks = %u\n", dist_ranks(r->dist));
	if (dist_ranks(r->dist) > 1)
		buf_printf(&r->environment, "reduce = %s\n", r->nccl ? "nccl" : "mpi");
	buf_printf(&r->environment, "program = %s\n", S3SAMPLEFS_VERSION);
	return buf_error(&r->settings) || buf_error(&r->environment) ? why_no_memory(why) : 0;
}

static int resume(struct run *r, struct why *why)
{
	const struct state now = {
		.samples_sha256 = r->samples->sha256, .settings = r->settings.data,
		.environment = r->environment.data,
	};
	struct safetensors *file;
	uint32_t *bad = NULL;
	size_t n_bad = 0;
	int err = state_open(r->checkpoint, &file, why);

	if (err)
		return err;
	err = state_compare(file, &now, r->o->resume_anyway, why);
	if (!err)
		err = state_load(file, r->backend, r->model, r->optimizer, &r->progress, &bad, &n_bad, why);
	if (!err && r->progress.cursor.position > r->plan.n_train)
		err = why_set(why, -EBADMSG, "the checkpoint is incomplete: its position is behind the end");
	if (!err) {
		err = bad_restore(r->bad, bad, n_bad);
		if (err)
			why_set(why, err, "the samples left out in the checkpoint: %s", strerror(-err));
	}
	if (!err)
		scaler_restore(r->scaler, &r->progress.scaler);
	free(bad);
	safetensors_free(file);
	r->resumed = !err;
	return err;
}

/* ---- running parts ------------------------------------------------------------------------ */

static int start_report(struct run *r, struct why *why)
{
	const struct report_config config = {
		.folder = dist_rank(r->dist) == 0 ? r->o->out : NULL,
		.epochs = r->o->epochs, .log_every = r->o->log_every,
		.samples_per_epoch = r->plan.n_train + r->plan.n_val,
		.resumed = r->resumed, .step = r->progress.step,
	};
	int err = report_new(&config, &r->report, why);

	if (err)
		return err;
	report_event(r->report, r->resumed ? "resume" : "start", "settings", r->settings.data);
	report_event(r->report, "environment", "environment", r->environment.data);
	report_say(r->report, "%zu samples of %u classes to train on, %zu to validate with",
	           r->plan.n_train, r->samples->n_classes, r->plan.n_val);
	if (*r->reduce.text)
		report_say(r->report, "%s", r->reduce.text);
	if (r->resumed)
		report_say(r->report, "resumed at step %llu, epoch %u",
		           (unsigned long long)r->progress.step, r->progress.cursor.epoch + 1);
	return 0;
}

/* Batches lie where the device can read them by itself. */
static int alloc_batch(void *backend, size_t bytes, void **ret)
{
	struct backend *b = backend;

	return b->ops->host_alloc(b, bytes, ret);
}

static void free_batch(void *backend, void *memory)
{
	struct backend *b = backend;

	b->ops->host_free(b, memory);
}

static int start_loader(struct run *r, struct why *why)
{
	const struct options *o = r->o;
	const struct loader_config config = {
		.folder = o->data, .samples = r->samples, .spec = r->spec, .plan = r->plan,
		.start = r->progress.cursor, .seed = o->seed,
		.rank = dist_rank(r->dist), .ranks = dist_ranks(r->dist),
		.readers = o->readers, .queue = o->queue,
		.crop_h = r->crop_h, .crop_w = r->crop_w, .flip = o->flip,
		.allocator = {
			alloc_batch, free_batch, r->backend,
			o->device == DEVICE_CUDA ? "pinned memory" : NULL,
		},
	};
	int err = loader_new(&config, &r->loader, why);

	if (!err)
		interrupt_watch(r->interrupt, r->loader);
	return err;
}

int run_open_device(struct run *r, struct why *why)
{
	int err;

	buf_init(&r->settings, TEXT_MAX);
	buf_init(&r->environment, TEXT_MAX);
	/* First, so that every thread started later has the signals blocked. */
	err = interrupt_new(&r->interrupt);
	if (err)
		return why_set(why, err, "signals: %s", strerror(-err));
	err = open_out(r, why);
	if (!err)
		err = open_device(r, why);
	return err ? err : run_describe_rank(r, why);
}

int run_setup(struct run *r, struct why *why)
{
	int err = run_join_ranks(r, why);

	if (!err)
		err = open_data(r, why);
	if (!err)
		err = build_model(r, why);
	if (!err)
		err = describe(r, why);
	if (!err && r->o->resume)
		err = resume(r, why);
	if (!err)
		err = start_report(r, why);
	return err ? err : start_loader(r, why);
}

void run_done(struct run *r)
{
	if (r->interrupt)
		interrupt_watch(r->interrupt, NULL);
	/* Its batches are the backend's memory. */
	loader_free(r->loader);
	report_free(r->report);
	bad_free(r->bad);
	scaler_free(r->scaler);
	optimizer_free(r->optimizer);
	model_free(r->model);
	samples_free(r->samples);
	backend_free(r->backend);
	interrupt_free(r->interrupt);
	free(r->rank);
	free(r->checkpoint);
	free(r->loss);
	free(r->hit);
	free(r->shared);
	buf_done(&r->settings);
	buf_done(&r->environment);
}
