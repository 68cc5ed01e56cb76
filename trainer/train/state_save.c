#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "backend/backend.h"
#include "checkpoint/safetensors.h"
#include "model/optimizer.h"
#include "train/state_priv.h"
#include "util/why.h"

#define META_MAX 32

void state_name(char name[STATE_NAME_MAX], const char *state, const char *param)
{
	snprintf(name, STATE_NAME_MAX, "optimizer.%s.%s", state, param);
}

/* ---- arrays --------------------------------------------------------------------------- */

/* Copies of the device's arrays, and their names. */
struct arrays {
	struct tensor *tensor;
	char (*name)[STATE_NAME_MAX];
	void **data;
	size_t n, max;
};

static int arrays_init(struct arrays *a, size_t max)
{
	a->tensor = calloc(max, sizeof(*a->tensor));
	a->name = calloc(max, sizeof(*a->name));
	a->data = calloc(max, sizeof(*a->data));
	a->max = max;
	return a->tensor && a->name && a->data ? 0 : -ENOMEM;
}

static void arrays_done(struct arrays *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->data[i]);
	free(a->tensor);
	free(a->name);
	free(a->data);
}

static int add_array(struct arrays *a, struct backend *b, const struct model_param *p,
                     const char *name, const float *values)
{
	struct tensor *t = &a->tensor[a->n];

	a->data[a->n] = malloc(p->n * sizeof(float));
	if (!a->data[a->n])
		return -ENOMEM;
	snprintf(a->name[a->n], sizeof(a->name[a->n]), "%s", name);
	*t = (struct tensor){ .name = a->name[a->n], .type = TENSOR_F32, .ndim = p->ndim,
	                      .data = a->data[a->n] };
	memcpy(t->shape, p->shape, sizeof(t->shape));
	a->n++;
	return b->ops->download(b, a->data[a->n - 1], values, p->n * sizeof(float));
}

static bool all_finite(const struct arrays *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const float *values = a->data[i];

		for (size_t j = 0; a->tensor[i].type == TENSOR_F32 && j < tensor_bytes(&a->tensor[i]) / 4; j++) {
			if (!isfinite(values[j]))
				return false;
		}
	}
	return true;
}

static int add_bad(struct arrays *a, const struct state *s)
{
	int64_t *list = calloc(s->n_bad + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_bad; i++)
		list[i] = s->bad[i];
	a->data[a->n] = list;
	a->tensor[a->n++] = (struct tensor){ .name = BAD_TENSOR, .type = TENSOR_I64, .ndim = 1,
	                                     .shape = { (int64_t)s->n_bad }, .data = list };
	return 0;
}

static int collect(struct arrays *a, struct backend *b, struct model *m, struct optimizer *o,
                   const struct state *s)
{
	size_t n;
	const struct model_param *p = model_params(m, &n);
	int err = arrays_init(a, n * (1 + OPTIMIZER_STATES) + 1);

	for (size_t i = 0; i < n && !err; i++)
		err = add_array(a, b, &p[i], p[i].name, p[i].value);
	for (int k = 0; k < OPTIMIZER_STATES; k++) {
		for (size_t i = 0; i < n && !err; i++) {
			char name[STATE_NAME_MAX];
			const char *what;
			const float *values = optimizer_state(o, i, k, &what);

			if (!values)
				break;
			state_name(name, what, p[i].name);
			err = add_array(a, b, &p[i], name, values);
		}
	}
	return err ? err : add_bad(a, s);
}

/* ---- words ---------------------------------------------------------------------------- */

struct words {
	struct tensor_meta meta[META_MAX];
	size_t n;
};

static void add_word(struct words *w, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void add_word(struct words *w, const char *key, const char *fmt, ...)
{
	va_list ap;
	char *value;

	va_start(ap, fmt);
	if (vasprintf(&value, fmt, ap) < 0)
		value = NULL;
	va_end(ap);
	w->meta[w->n++] = (struct tensor_meta){ key, value };
}

static char *model_json(const struct model_config *c)
{
	json_t *j = json_pack("{s:b, s:b, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}",
		"video", c->video, "audio", c->audio, "t", c->t, "h", c->h, "w", c->w,
		"crop_h", c->crop_h, "crop_w", c->crop_w, "n_mfcc", c->n_mfcc, "columns", c->columns,
		"video_width", c->video_width, "video_depth", c->video_depth,
		"audio_width", c->audio_width, "audio_depth", c->audio_depth);
	char *text = json_dumps(j, JSON_COMPACT);

	json_decref(j);
	return text;
}

static char *classes_json(const struct state *s)
{
	json_t *list = json_array();
	char *text;

	for (uint32_t i = 0; i < s->n_classes; i++)
		json_array_append_new(list, json_string(s->classes[i]));
	text = json_array_size(list) == s->n_classes ? json_dumps(list, JSON_COMPACT) : NULL;
	json_decref(list);
	return text;
}

static int describe(struct words *w, struct model *m, const struct state *s)
{
	const struct progress *p = &s->progress;
	bool missing = false;

	add_word(w, "format", "%s", STATE_FORMAT);
	add_word(w, "step", "%" PRIu64, p->step);
	add_word(w, "left_out", "%" PRIu64, p->left_out);
	add_word(w, "loss_scale", "%.17g", p->scaler.scale);
	add_word(w, "loss_scale_row", "%" PRId64, p->scaler.row);
	add_word(w, "epoch", "%" PRIu32, p->cursor.epoch);
	add_word(w, "position", "%zu", p->cursor.position);
	/* hexadecimal: exact */
	add_word(w, "epoch_loss", "%a", p->loss);
	add_word(w, "epoch_weight", "%a", p->weight);
	add_word(w, "epoch_hits", "%a", p->hits);
	add_word(w, "rng", "philox4x32-10");
	add_word(w, "rng_key", "%" PRIu64, s->seed);
	add_word(w, "samples_sha256", "%s", s->samples_sha256);
	add_word(w, "settings", "%s", s->settings);
	add_word(w, "environment", "%s", s->environment);
	w->meta[w->n++] = (struct tensor_meta){ "model", model_json(model_config(m)) };
	w->meta[w->n++] = (struct tensor_meta){ "classes", classes_json(s) };
	for (size_t i = 0; i < w->n; i++)
		missing |= !w->meta[i].value;
	return missing ? -ENOMEM : 0;
}

int state_save(const char *path, struct backend *b, struct model *m, struct optimizer *o,
               const struct state *s, struct why *why)
{
	struct arrays arrays = { 0 };
	struct words words = { 0 };
	int err = collect(&arrays, b, m, o, s);

	if (!err)
		err = describe(&words, m, s);
	if (err)
		why_set(why, err, "%s: can't be written: %s", path, strerror(-err));
	else if (!all_finite(&arrays))
		err = why_set(why, -ERANGE, "the weights are not finite any more: a lower lr may help; the last "
		              "checkpoint is from before");
	else
		err = safetensors_write(path, arrays.tensor, arrays.n, words.meta, words.n, why);
	for (size_t i = 0; i < words.n; i++)
		free((char *)words.meta[i].value);
	arrays_done(&arrays);
	return err;
}
