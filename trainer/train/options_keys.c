#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "model/branch.h"
#include "train/options_priv.h"

#define LINE WHERE_LINE
#define BOTH (WHERE_LINE | WHERE_FILE)
#define FIXED (WHERE_LINE | WHERE_FILE | WHERE_FIXED)

#define AT(field) offsetof(struct options, field)

_Static_assert(sizeof(enum arithmetic) == sizeof(uint32_t), "KEY_CHOICE sets 32 bits");
_Static_assert(sizeof(enum device) == sizeof(uint32_t), "KEY_CHOICE sets 32 bits");
_Static_assert(sizeof(enum reduce) == sizeof(uint32_t), "KEY_CHOICE sets 32 bits");
_Static_assert(sizeof(enum modality) == sizeof(uint32_t), "KEY_CHOICE sets 32 bits");
_Static_assert(sizeof(enum optimizer_kind) == sizeof(uint32_t), "KEY_CHOICE sets 32 bits");
_Static_assert(sizeof(enum schedule) == sizeof(uint32_t), "KEY_CHOICE sets 32 bits");

/* in the order of enum device */
#ifdef HAVE_CUDA
static const char *const devices[] = { "cpu", "cuda", NULL };
#else
static const char *const devices[] = { "cpu", NULL };
#endif
/* in the order of enum arithmetic */
static const char *const precisions[] = { "float32", "tf32", "bf16", "fp16", NULL };
static const char *const reduces[] = { "auto", "nccl", "mpi", NULL };
static const char *const modalities[] = { "av", "video", "audio", NULL };
static const char *const optimizers[] = { "sgd", "adamw", NULL };
static const char *const schedules[] = { "cosine", "constant", NULL };

/* "1%" or "0.01" */
static int set_max_bad(void *obj, const char *value)
{
	char number[32];
	size_t len = strlen(value);
	double share, unit = 1;

	if (len > 0 && value[len - 1] == '%') {
		unit = 100;
		len--;
	}
	if (len == 0 || len >= sizeof(number))
		return -EINVAL;
	memcpy(number, value, len);
	number[len] = '\0';
	if (text_parse_double(number, &share) || share < 0 || share > unit)
		return -EINVAL;
	((struct options *)obj)->max_bad = share / unit;
	return 0;
}

static void print_max_bad(const void *obj, struct buf *out)
{
	buf_printf(out, "%.15g%%", ((const struct options *)obj)->max_bad * 100);
}

static int set_loss_scale(void *obj, const char *value)
{
	uint64_t scale = 0;

	if (strcmp(value, "auto") != 0 &&
	    (text_parse_uint(value, 1, 1 << 24, &scale) || (scale & (scale - 1))))
		return -EINVAL;
	((struct options *)obj)->loss_scale = (uint32_t)scale;
	return 0;
}

static void print_loss_scale(const void *obj, struct buf *out)
{
	uint32_t scale = ((const struct options *)obj)->loss_scale;

	if (scale)
		buf_printf(out, "%u", scale);
	else
		buf_puts(out, "auto");
}

static const struct key keys[] = {
	{ .name = "data", .kind = KEY_STRING, .where = BOTH, .offset = AT(data),
	  .nonempty = true, .accepts = "a folder" },
	{ .name = "out", .kind = KEY_STRING, .where = BOTH, .offset = AT(out),
	  .nonempty = true, .accepts = "a folder" },
	{ .name = "config", .kind = KEY_STRING, .where = LINE, .offset = AT(config),
	  .nonempty = true, .accepts = "a file" },
	{ .name = "device", .kind = KEY_CHOICE, .where = BOTH, .offset = AT(device),
	  .choices = devices,
#ifndef HAVE_CUDA
	  .accepts = "cpu; this program was built without CUDA",
#endif
	},
	{ .name = "reduce", .kind = KEY_CHOICE, .where = BOTH, .offset = AT(reduce),
	  .choices = reduces },
	{ .name = "precision", .kind = KEY_CHOICE, .where = FIXED, .offset = AT(precision),
	  .choices = precisions },
	{ .name = "loss_scale", .kind = KEY_CUSTOM, .where = FIXED, .offset = 0,
	  .set = set_loss_scale, .print = print_loss_scale,
	  .accepts = "auto, or a power of two from 1 to 16777216" },
	{ .name = "threads", .kind = KEY_UINT, .where = BOTH, .offset = AT(threads),
	  .min = 1, .max = 1024, .word = "auto", .word_value = 0 },
	{ .name = "deterministic", .kind = KEY_BOOL, .where = BOTH, .offset = AT(deterministic) },
	{ .name = "modality", .kind = KEY_CHOICE, .where = FIXED, .offset = AT(modality),
	  .choices = modalities },
	{ .name = "epochs", .kind = KEY_UINT, .where = FIXED, .offset = AT(epochs),
	  .min = 1, .max = 1000000 },
	{ .name = "batch", .kind = KEY_UINT, .where = BOTH, .offset = AT(batch),
	  .min = 1, .max = 65536 },
	{ .name = "optimizer", .kind = KEY_CHOICE, .where = FIXED, .offset = AT(optimizer),
	  .choices = optimizers },
	{ .name = "lr", .kind = KEY_REAL, .where = FIXED, .offset = AT(lr),
	  .min = 0, .max = 1000 },
	{ .name = "momentum", .kind = KEY_REAL, .where = FIXED, .offset = AT(momentum),
	  .min = 0, .max = 1 },
	{ .name = "weight_decay", .kind = KEY_REAL, .where = FIXED, .offset = AT(weight_decay),
	  .min = 0, .max = 10 },
	{ .name = "schedule", .kind = KEY_CHOICE, .where = FIXED, .offset = AT(schedule),
	  .choices = schedules },
	{ .name = "warmup", .kind = KEY_REAL, .where = FIXED, .offset = AT(warmup),
	  .min = 0, .max = 1000000 },
	{ .name = "label_smoothing", .kind = KEY_REAL, .where = FIXED, .offset = AT(label_smoothing),
	  .min = 0, .max = 1 },
	{ .name = "seed", .kind = KEY_UINT, .where = FIXED, .offset = AT(seed),
	  .min = 0, .max = UINT32_MAX },
	{ .name = "val_share", .kind = KEY_REAL, .where = FIXED, .offset = AT(val_share),
	  .min = 0, .max = 0.9 },
	{ .name = "val_split", .kind = KEY_STRING, .where = FIXED, .offset = AT(val_split) },
	{ .name = "readers", .kind = KEY_UINT, .where = BOTH, .offset = AT(readers),
	  .min = 1, .max = 256 },
	{ .name = "queue", .kind = KEY_UINT, .where = BOTH, .offset = AT(queue),
	  .min = 2, .max = 1024 },
	{ .name = "crop", .kind = KEY_UINT, .where = FIXED, .offset = AT(crop),
	  .min = 1, .max = 65536, .word = "none", .word_value = 0 },
	{ .name = "flip", .kind = KEY_BOOL, .where = FIXED, .offset = AT(flip) },
	{ .name = "max_bad", .kind = KEY_CUSTOM, .where = BOTH, .offset = 0,
	  .set = set_max_bad, .print = print_max_bad,
	  .accepts = "a share of the samples, as in 1% or 0.01" },
	{ .name = "video_width", .kind = KEY_UINT, .where = FIXED, .offset = AT(video_width),
	  .min = 1, .max = 1024 },
	{ .name = "video_depth", .kind = KEY_UINT, .where = FIXED, .offset = AT(video_depth),
	  .min = 1, .max = BRANCH_DEPTH_MAX },
	{ .name = "audio_width", .kind = KEY_UINT, .where = FIXED, .offset = AT(audio_width),
	  .min = 1, .max = 1024 },
	{ .name = "audio_depth", .kind = KEY_UINT, .where = FIXED, .offset = AT(audio_depth),
	  .min = 1, .max = BRANCH_DEPTH_MAX },
	{ .name = "checkpoint_every", .kind = KEY_UINT, .where = BOTH, .offset = AT(checkpoint_every),
	  .min = 1, .max = 1000000000, .word = "epoch",
	  .word_value = 0 },
	{ .name = "log_every", .kind = KEY_UINT, .where = BOTH, .offset = AT(log_every),
	  .min = 1, .max = 1000000000 },
	{ .name = "resume", .kind = KEY_BOOL, .where = LINE, .offset = AT(resume) },
	{ .name = "resume_anyway", .kind = KEY_BOOL, .where = LINE, .offset = AT(resume_anyway) },
	{ .name = "overwrite", .kind = KEY_BOOL, .where = LINE, .offset = AT(overwrite) },
	{ .name = "verbose", .kind = KEY_BOOL, .where = LINE, .offset = AT(verbose) },
};

const struct keys option_keys = { keys, sizeof(keys) / sizeof(keys[0]) };
