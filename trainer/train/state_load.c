#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "backend/backend.h"
#include "base/text.h"
#include "checkpoint/safetensors.h"
#include "model/branch.h"
#include "model/optimizer.h"
#include "train/state_priv.h"
#include "util/why.h"

#define SIZE_MAX_EACH 65536

int state_open(const char *path, struct safetensors **ret, struct why *why)
{
	struct safetensors *file;
	const char *format;
	int err = safetensors_read(path, &file, why);

	if (err)
		return err;
	format = safetensors_meta(file, "format");
	if (!format || strcmp(format, STATE_FORMAT) != 0)
		err = why_set(why, -EBADMSG, "%s: is no checkpoint of this program%s%.60s", path,
		              format ? ", but: " : "", format ? format : "");
	else if (!safetensors_meta(file, "checksum"))
		err = why_set(why, -EBADMSG, "%s: is corrupt: it has no checksum", path);
	if (err) {
		safetensors_free(file);
		return err;
	}
	*ret = file;
	return 0;
}

static int incomplete(const char *what, struct why *why)
{
	return why_set(why, -EBADMSG, "the checkpoint is incomplete: %s", what);
}

/* ---- the model's shape ---------------------------------------------------------------- */

/* A size that can be multiplied with two others of its kind. */
static bool is_size(int n)
{
	return n >= 1 && n <= SIZE_MAX_EACH;
}

static bool take_config(json_t *j, struct model_config *c)
{
	int video, audio;

	if (json_unpack(j, "{s:b, s:b, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}",
	                "video", &video, "audio", &audio, "t", &c->t, "h", &c->h, "w", &c->w,
	                "crop_h", &c->crop_h, "crop_w", &c->crop_w, "n_mfcc", &c->n_mfcc,
	                "columns", &c->columns, "video_width", &c->video_width,
	                "video_depth", &c->video_depth, "audio_width", &c->audio_width,
	                "audio_depth", &c->audio_depth) < 0)
		return false;
	c->video = video;
	c->audio = audio;
	if (!video && !audio)
		return false;
	if (video && (!is_size(c->t) || !is_size(c->h) || !is_size(c->w) || !is_size(c->crop_h) ||
	              !is_size(c->crop_w) || c->h < c->crop_h || c->w < c->crop_w ||
	              (int64_t)c->t * c->h * c->w > INT32_MAX / 3 ||
	              c->video_width < 1 || c->video_width > 1024 ||
	              c->video_depth < 1 || c->video_depth > BRANCH_DEPTH_MAX))
		return false;
	return !audio || (is_size(c->n_mfcc) && c->columns >= 1 &&
	                  (int64_t)c->n_mfcc * c->columns <= INT32_MAX && c->audio_width >= 1 &&
	                  c->audio_width <= 1024 && c->audio_depth >= 1 &&
	                  c->audio_depth <= BRANCH_DEPTH_MAX);
}

void state_free_classes(char **classes, int n)
{
	for (int i = 0; i < n && classes; i++)
		free(classes[i]);
	free(classes);
}

static int take_classes(json_t *list, int *ret_n, char ***ret, struct why *why)
{
	size_t n = json_array_size(list);
	char **classes = calloc(n + 1, sizeof(*classes));

	for (size_t i = 0; i < n && classes; i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (name && (classes[i] = strdup(name)))
			continue;
		state_free_classes(classes, (int)n);
		return name ? why_no_memory(why) : incomplete("the classes", why);
	}
	if (!classes)
		return why_no_memory(why);
	*ret_n = (int)n;
	*ret = classes;
	return 0;
}

int state_model(const struct safetensors *file, struct model_config *ret_config,
                char ***ret_classes, struct why *why)
{
	const char *model = safetensors_meta(file, "model"), *classes = safetensors_meta(file, "classes");
	json_t *shape = model ? json_loads(model, 0, NULL) : NULL;
	json_t *list = classes ? json_loads(classes, 0, NULL) : NULL;
	struct model_config c = { .batch = 1 };
	int err;

	if (!take_config(shape, &c))
		err = incomplete("the model's shape", why);
	else if (!json_is_array(list) || json_array_size(list) < 2 || json_array_size(list) > INT32_MAX)
		err = incomplete("the classes", why);
	else
		err = take_classes(list, &c.classes, ret_classes, why);
	json_decref(shape);
	json_decref(list);
	if (!err)
		*ret_config = c;
	return err;
}

/* ---- arrays --------------------------------------------------------------------------- */

static int load_array(const struct safetensors *file, struct backend *b, const char *name,
                      const struct model_param *p, float *to, struct why *why)
{
	struct tensor t;
	bool same;
	int err;

	if (safetensors_tensor(file, name, &t))
		return why_set(why, -EBADMSG, "the checkpoint has no array \"%s\"", name);
	same = t.type == TENSOR_F32 && t.ndim == p->ndim;
	for (int i = 0; i < p->ndim && same; i++)
		same = t.shape[i] == p->shape[i];
	if (!same)
		return why_set(why, -EBADMSG, "the checkpoint's array \"%s\" has another shape than this "
		               "model's", name);
	err = b->ops->upload(b, to, t.data, tensor_bytes(&t));
	return err ? why_set(why, err, "the device: %s", backend_words(err)) : 0;
}

int state_load_model(const struct safetensors *file, struct backend *b, struct model *m,
                     struct why *why)
{
	size_t n;
	const struct model_param *p = model_params(m, &n);
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = load_array(file, b, p[i].name, &p[i], p[i].value, why);
	return err;
}

static int load_optimizer(const struct safetensors *file, struct backend *b, struct model *m,
                          struct optimizer *o, struct why *why)
{
	size_t n;
	const struct model_param *p = model_params(m, &n);
	int err = 0;

	for (int k = 0; k < OPTIMIZER_STATES; k++) {
		for (size_t i = 0; i < n && !err; i++) {
			char name[STATE_NAME_MAX];
			const char *what;
			float *to = optimizer_state(o, i, k, &what);

			if (!to)
				break;
			state_name(name, what, p[i].name);
			err = load_array(file, b, name, &p[i], to, why);
		}
	}
	return err;
}

static int load_bad(const struct safetensors *file, uint32_t **ret, size_t *ret_n, struct why *why)
{
	struct tensor t;
	uint32_t *list;

	if (safetensors_tensor(file, BAD_TENSOR, &t) || t.type != TENSOR_I64 || t.ndim != 1)
		return incomplete("the samples left out", why);
	list = calloc((size_t)t.shape[0] + 1, sizeof(*list));
	if (!list)
		return why_no_memory(why);
	for (int64_t i = 0; i < t.shape[0]; i++) {
		int64_t sample;

		memcpy(&sample, (const char *)t.data + i * (int64_t)sizeof(sample), sizeof(sample));
		list[i] = (uint32_t)sample;
	}
	*ret = list;
	*ret_n = (size_t)t.shape[0];
	return 0;
}

/* ---- words ----------------------------------------------------------------------------- */

/* The line of b that differs from the one of the same key in a, or NULL. */
static const char *first_difference(const char *a, const char *b, size_t *ret_len)
{
	while (*b) {
		size_t len = strcspn(b, "\n");
		const char *found = memmem(a, strlen(a), b, len + (b[len] == '\n'));

		if (!found || (found > a && found[-1] != '\n')) {
			*ret_len = len;
			return b;
		}
		b += len + (b[len] == '\n');
	}
	return NULL;
}

static int compare_text(const char *before, const char *now, const char *kind, struct why *why)
{
	size_t len_before = 0, len_now = 0;
	const char *was, *is;

	if (!before)
		return incomplete(kind, why);
	is = first_difference(before, now, &len_now);
	was = first_difference(now, before, &len_before);
	if (!is && !was)
		return 0;
	return why_set(why, -EINVAL, "the checkpoint was made with another %s: \"%.*s\", now \"%.*s\"; the "
	               "same bits can't come out (--resume-anyway goes on without them)", kind,
	               (int)(was ? len_before : 7), was ? was : "nothing", (int)(is ? len_now : 7),
	               is ? is : "nothing");
}

int state_compare(const struct safetensors *file, const struct state *now, int anyway,
                  struct why *why)
{
	const char *list = safetensors_meta(file, "samples_sha256");
	int err;

	if (!list || strcmp(list, now->samples_sha256) != 0)
		return why_set(why, -EINVAL, "the checkpoint belongs to another list of samples (its SHA-256 "
		               "is %.12s..., this one's %.12s...)", list ? list : "missing",
		               now->samples_sha256);
	if (anyway)
		return 0;
	err = compare_text(safetensors_meta(file, "settings"), now->settings, "setting", why);
	return err ? err : compare_text(safetensors_meta(file, "environment"), now->environment,
	                                "environment", why);
}

static bool take_number(const struct safetensors *file, const char *key, uint64_t max, uint64_t *ret)
{
	const char *text = safetensors_meta(file, key);

	return text && text_parse_uint(text, 0, max, ret) == 0;
}

static bool take_sum(const struct safetensors *file, const char *key, double *ret)
{
	const char *text = safetensors_meta(file, key);
	char *end;

	if (!text || !*text)
		return false;
	*ret = strtod(text, &end);
	return !*end;
}

/* Files from before there were loss scales have none. */
static bool take_scaler(const struct safetensors *file, struct progress *p)
{
	double row = 0, scale = 0;
	int exponent;

	if (safetensors_meta(file, "left_out") &&
	    (!take_number(file, "left_out", p->step, &p->left_out) ||
	     !take_sum(file, "loss_scale", &scale) || !take_sum(file, "loss_scale_row", &row)))
		return false;
	if (scale != 0 && (!(scale >= 1 && scale <= 0x1p24) || frexp(scale, &exponent) != 0.5))
		return false;
	if (!(row >= -64 && row <= 0x1p53))
		return false;
	p->scaler = (struct scaler_state){ scale, (int64_t)row };
	return true;
}

static int load_progress(const struct safetensors *file, struct progress *ret, struct why *why)
{
	struct progress p = { 0 };
	uint64_t epoch, position;

	if (!take_number(file, "step", INT64_MAX, &p.step) ||
	    !take_number(file, "epoch", UINT32_MAX, &epoch) ||
	    !take_number(file, "position", SIZE_MAX >> 1, &position) ||
	    !take_sum(file, "epoch_loss", &p.loss) || !take_sum(file, "epoch_weight", &p.weight) ||
	    !take_sum(file, "epoch_hits", &p.hits) || !take_scaler(file, &p))
		return incomplete("how far it is", why);
	p.cursor = (struct plan_cursor){ .epoch = (uint32_t)epoch, .position = position };
	*ret = p;
	return 0;
}

int state_load(const struct safetensors *file, struct backend *b, struct model *m,
               struct optimizer *o, struct progress *ret, uint32_t **ret_bad, size_t *ret_n_bad,
               struct why *why)
{
	struct progress p;
	int err = load_progress(file, &p, why);

	if (!err)
		err = state_load_model(file, b, m, why);
	if (!err)
		err = load_optimizer(file, b, m, o, why);
	if (!err)
		err = load_bad(file, ret_bad, ret_n_bad, why);
	if (!err)
		*ret = p;
	return err;
}
