/* view_mfcc.c - type = mfcc: float32 (n_mfcc, T) .npy of an object's sound. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/text.h"
#include "format/npy.h"
#include "media/samples.h"
#include "store/object.h"
#include "view/view_keys.h"
#include "view/view_priv.h"

struct mfcc_read {
	struct view *view;
	uint64_t off;
	size_t len;
	view_read_fn *done;
	void *arg;
};

static struct spec_array fixed_array(const struct mfcc_spec *s)
{
	return spec_mfcc_array(s, mfcc_columns(s, mfcc_fixed_samples(s)));
}

static struct spec_array array_of(const struct view *v, const struct blob *values)
{
	return spec_mfcc_array(&v->cfg.mfcc, spec_mfcc_columns_of(&v->cfg.mfcc, blob_len(values)));
}

static uint64_t file_size(const struct spec_array *a)
{
	return npy_header_size(a->descr, a->shape, a->n_dims) + a->bytes;
}

static int write_header(const struct spec_array *a, struct buf *out)
{
	return npy_header(a->descr, a->shape, a->n_dims, out);
}

static bool mfcc_size(const struct view *v, const struct object *obj, uint64_t *ret_size)
{
	struct spec_array a;

	(void)obj;
	if (v->cfg.mfcc.duration <= 0)
		return false;
	a = fixed_array(&v->cfg.mfcc);
	*ret_size = file_size(&a);
	return true;
}

struct mfcc_probe {
	struct view *view;
	view_size_fn *done;
	void *arg;
};

/* The full length is only known by decoding; the array is then kept, so that
 * reading it costs nothing more. */
static void probe_answer(void *arg, int err, const char *why, struct blob *values)
{
	struct mfcc_probe *p = arg;
	struct spec_array a = { 0 };

	if (!err)
		a = array_of(p->view, values);
	p->done(p->arg, err, why, err ? 0 : file_size(&a));
	free(p);
}

static void mfcc_probe(struct view *v, struct object *obj, const struct wanted *wanted, view_size_fn *done, void *arg)
{
	struct mfcc_probe *p = calloc(1, sizeof(*p));

	if (!p) {
		done(arg, -ENOMEM, "not enough memory", 0);
		return;
	}
	*p = (struct mfcc_probe){ v, done, arg };
	samples_mfcc(v->env.samples, obj, &v->cfg.mfcc, wanted, probe_answer, p);
}

static void read_answer(void *arg, int err, const char *why, struct blob *values)
{
	struct mfcc_read *r = arg;
	const struct mfcc_spec *s = &r->view->cfg.mfcc;
	struct blob *zeros = NULL;
	struct spec_array a;
	struct buf header;

	buf_init(&header, VIEW_HEADER_MAX);
	if (err == -ENODATA && r->view->cfg.missing == MISSING_ZEROS && s->duration > 0) {
		/* A silent clip among samples that have sound. */
		zeros = blob_new((size_t)fixed_array(s).bytes);
		err = zeros ? 0 : -ENOMEM;
		why = NULL;
		values = zeros;
		if (zeros)
			memset(blob_writable(zeros), 0, blob_len(zeros));
	}
	if (!err) {
		a = array_of(r->view, values);
		err = write_header(&a, &header);
	}
	if (err)
		r->done(r->arg, err, why ? why : "not enough memory", NULL, 0);
	else
		view_reply_parts(header.data, header.len, blob_data(values), blob_len(values), r->off, r->len, r->done,
		                 r->arg);
	buf_done(&header);
	blob_unref(zeros);
	free(r);
}

static void mfcc_read(struct view_file *f, uint64_t off, size_t len, const struct wanted *wanted, view_read_fn *done,
                      void *arg)
{
	struct view *v = f->node->view;
	struct mfcc_read *r = calloc(1, sizeof(*r));

	if (!r) {
		done(arg, -ENOMEM, "not enough memory", NULL, 0);
		return;
	}
	*r = (struct mfcc_read){ v, off, len, done, arg };
	samples_mfcc(v->env.samples, f->node->obj, &v->cfg.mfcc, wanted, read_answer, r);
}

static bool is_laid_out(struct view_file *f, const struct blob *values)
{
	struct spec_array a;
	struct buf header;
	int err;

	if (view_file_is_laid_out(f))
		return f->row_bytes == blob_len(values);
	buf_init(&header, VIEW_HEADER_MAX);
	a = array_of(f->node->view, values);
	write_header(&a, &header);
	err = view_file_lay_out(f, &header, blob_len(values));
	buf_done(&header);
	return err == 0;
}

static bool mfcc_read_now(struct view_file *f, uint64_t off, size_t len, struct view_span *ret)
{
	struct view *v = f->node->view;
	struct blob *values = samples_mfcc_now(v->env.samples, f->node->obj, &v->cfg.mfcc);

	if (!values)
		return false;
	if (!is_laid_out(f, values) || off + len > f->header_len + blob_len(values)) {
		blob_unref(values);
		return false;
	}
	ret->held[ret->n_held++] = values;
	ret->n_iov = view_file_parts(f, off, len, ret->held, 0, ret->iov);
	return true;
}

static const struct view_ops ops = {
	.ending = ".npy",
	.size = mfcc_size,
	.probe = mfcc_probe,
	.read = mfcc_read,
	.read_now = mfcc_read_now,
};

/* ---- keys ------------------------------------------------------------------------- */

#define DURATION_MAX 86400  /* s */
#define CHANNELS_MAX 64

static const char *const preset_names[] = { "librosa", NULL };
static const char *const presets_later[] = { "torchaudio", "kaldi", "htk", "psf", NULL };

/* As in librosa, win_length is n_fft unless it is set. */
static int set_n_fft(void *obj, const char *value)
{
	struct view_config *v = obj;
	uint64_t n;

	if (text_parse_uint(value, 2, MFCC_N_FFT_MAX, &n))
		return -EINVAL;
	v->mfcc.n_fft = (uint32_t)n;
	if (!v->win_length_set)
		v->mfcc.win_length = (uint32_t)n;
	return 0;
}

static int set_win_length(void *obj, const char *value)
{
	struct view_config *v = obj;
	uint64_t n;

	if (text_parse_uint(value, 1, MFCC_N_FFT_MAX, &n))
		return -EINVAL;
	v->mfcc.win_length = (uint32_t)n;
	v->win_length_set = true;
	return 0;
}

static void print_win_length(const void *obj, struct buf *out)
{
	buf_printf(out, "%u", ((const struct view_config *)obj)->mfcc.win_length);
}

static void print_n_fft(const void *obj, struct buf *out)
{
	buf_printf(out, "%u", ((const struct view_config *)obj)->mfcc.n_fft);
}

static const struct key keys[] = {
	VIEW_KEY_MATCH,
	{ VIEW_KEY("preset", KEY_CHOICE), VIEW_AT(mfcc.preset), .choices = preset_names,
	  .later = presets_later },
	{ VIEW_KEY("sr", KEY_UINT), VIEW_AT(mfcc.sr), .min = MFCC_SR_MIN, .max = MFCC_SR_MAX },
	{ VIEW_KEY("n_mfcc", KEY_UINT), VIEW_AT(mfcc.n_mfcc), .min = 1, .max = MFCC_N_MELS_MAX },
	{ VIEW_KEY("n_fft", KEY_CUSTOM), .set = set_n_fft, .print = print_n_fft,
	  .accepts = "a whole number from 2 to 65536" },
	{ VIEW_KEY("win_length", KEY_CUSTOM), .set = set_win_length,
	  .print = print_win_length, .accepts = "a whole number from 1 to 65536" },
	{ VIEW_KEY("hop_length", KEY_UINT), VIEW_AT(mfcc.hop_length), .min = 1,
	  .max = MFCC_HOP_MAX },
	{ VIEW_KEY("n_mels", KEY_UINT), VIEW_AT(mfcc.n_mels), .min = 1, .max = MFCC_N_MELS_MAX },
	{ VIEW_KEY("fmin", KEY_REAL), VIEW_AT(mfcc.fmin), .max = MFCC_SR_MAX / 2 },
	{ VIEW_KEY("fmax", KEY_REAL), VIEW_AT(mfcc.fmax), .max = MFCC_SR_MAX / 2,
	  .accepts = "a number of Hz up to half of sr, or 0 for half of sr" },
	{ VIEW_KEY("top_db", KEY_REAL), VIEW_AT(mfcc.top_db), .max = 1000, .word = "none",
	  .word_value = -1 },
	{ VIEW_KEY("lifter", KEY_REAL), VIEW_AT(mfcc.lifter), .max = 100000 },
	{ VIEW_KEY("channel", KEY_INT), VIEW_AT(mfcc.channel), .max = CHANNELS_MAX - 1,
	  .word = "mean", .word_value = -1 },
	{ VIEW_KEY("duration", KEY_REAL), VIEW_AT(mfcc.duration), .min = 0.001,
	  .max = DURATION_MAX, .word = "full" },
	VIEW_KEYS_WINDOW,
};

static int check(const struct view_config *v, char *why)
{
	const struct spec s = spec_mfcc(&v->mfcc);

	return spec_check(&s, why);
}

static void lend(struct view_config *to, const struct view_config *from)
{
	to->mfcc = from->mfcc;
	to->win_length_set = from->win_length_set;
}

const struct view_kind view_kind_mfcc = {
	.name = "mfcc",
	.match = VIEW_AUDIO_GLOBS " " VIEW_VIDEO_GLOBS,
	.keys = VIEW_KEYS_TABLE(keys),
	.check = check,
	.lend = lend,
	.ops = &ops,
};
