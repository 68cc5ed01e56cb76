/* view_frames.c - type = frames: uint8 (T, H, W, 3) .npy of chosen frames.
 *
 * A row is decoded when its bytes are read, and not before. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/text.h"
#include "format/npy.h"
#include "media/plan.h"
#include "media/samples.h"
#include "store/object.h"
#include "view/view_keys.h"
#include "view/view_priv.h"

/* Whoever has read this much without a gap goes on to the end. More than the
 * kernel asks for around a single row. */
#define STREAM_ROWS 2
#define STREAM_MIN ((uint64_t)256 << 10)

struct frames_read {
	struct view_file *file;       /* open until we have answered */
	uint64_t off;
	size_t len;
	uint64_t streamed;
	uint64_t first, count;        /* rows */
	const struct wanted *wanted;
	view_read_fn *done;
	void *arg;
};

static uint64_t file_size(const struct spec_array *a)
{
	return npy_header_size(a->descr, a->shape, a->n_dims) + a->bytes;
}

static bool fixed_array(const struct frames_spec *f, struct spec_array *ret)
{
	if (f->sampling == SAMPLING_ALL || f->height == 0)
		return false;
	*ret = spec_frames_array(f, f->num_frames, f->height, f->width);
	return true;
}

static struct spec_array array_of(const struct view *v, const struct samples_clip *clip)
{
	return spec_frames_array(&v->cfg.frames, clip->plan->n_rows, clip->row_height, clip->row_width);
}

static bool frames_size(const struct view *v, const struct object *obj, uint64_t *ret_size)
{
	struct spec_array a;

	(void)obj;
	if (!fixed_array(&v->cfg.frames, &a))
		return false;
	*ret_size = file_size(&a);
	return true;
}

struct frames_probe {
	struct view *view;
	view_size_fn *done;
	void *arg;
};

static void probe_answer(void *arg, int err, const char *why, const struct samples_clip *clip)
{
	struct frames_probe *p = arg;
	uint64_t size = 0;

	if (!err) {
		const struct spec_array a = array_of(p->view, clip);

		size = file_size(&a);
	}
	p->done(p->arg, err, why, size);
	free(p);
}

static void frames_probe(struct view *v, struct object *obj, const struct wanted *wanted, view_size_fn *done, void *arg)
{
	struct frames_probe *p = calloc(1, sizeof(*p));

	if (!p) {
		done(arg, -ENOMEM, "not enough memory", 0);
		return;
	}
	*p = (struct frames_probe){ v, done, arg };
	samples_clip(v->env.samples, obj, &v->cfg.frames, wanted, probe_answer, p);
}

static int lay_out(struct view_file *f, const struct spec_array *a)
{
	struct buf header;
	int err;

	buf_init(&header, VIEW_HEADER_MAX);
	npy_header(a->descr, a->shape, a->n_dims, &header);
	err = view_file_lay_out(f, &header, a->row_bytes);
	buf_done(&header);
	return err;
}

static void read_fail(struct frames_read *r, int err, const char *why)
{
	r->done(r->arg, err, why, NULL, 0);
	free(r);
}

static void rows_answer(void *arg, int err, const char *why, struct blob *const *rows)
{
	struct frames_read *r = arg;
	struct iovec some[VIEW_SPAN_PARTS], *iov = some;

	if (err) {
		read_fail(r, err, why);
		return;
	}
	if (r->count + 1 > VIEW_SPAN_PARTS)
		iov = calloc((size_t)r->count + 1, sizeof(*iov));
	if (!iov) {
		read_fail(r, -ENOMEM, "not enough memory");
		return;
	}
	r->done(r->arg, 0, NULL, iov, view_file_parts(r->file, r->off, r->len, rows, r->first, iov));
	if (iov != some)
		free(iov);
	free(r);
}

/* With the shape known: which rows, and off to get them. */
static void read_rows(struct frames_read *r)
{
	struct view_file *f = r->file;
	struct view *v = f->node->view;

	view_file_rows(f, r->off, r->len, &r->first, &r->count);
	if (r->count == 0)
		rows_answer(r, 0, NULL, NULL);
	else
		samples_rows(v->env.samples, f->node->obj, &v->cfg.frames, (uint32_t)r->first, (uint32_t)r->count,
		             r->streamed >= STREAM_ROWS * f->row_bytes + STREAM_MIN, r->wanted, rows_answer, r);
}

static void shape_answer(void *arg, int err, const char *why, const struct samples_clip *clip)
{
	struct frames_read *r = arg;
	struct spec_array a;

	if (err) {
		read_fail(r, err, why);
		return;
	}
	a = array_of(r->file->node->view, clip);
	if (r->off + r->len > file_size(&a))
		read_fail(r, -EIO, "the file is shorter than its size says");
	else if (lay_out(r->file, &a) < 0)
		read_fail(r, -ENOMEM, "not enough memory");
	else
		read_rows(r);
}

static bool is_laid_out(struct view_file *f)
{
	struct spec_array a;

	return view_file_is_laid_out(f) || (fixed_array(&f->node->view->cfg.frames, &a) && lay_out(f, &a) == 0);
}

static bool frames_read_now(struct view_file *f, uint64_t off, size_t len, struct view_span *ret)
{
	struct view *v = f->node->view;
	uint64_t first, count;

	if (!is_laid_out(f))
		return false;
	view_file_rows(f, off, len, &first, &count);
	if (count > VIEW_SPAN_PARTS || (count > 0 && !samples_rows_now(v->env.samples, f->node->obj, &v->cfg.frames,
	                                                               (uint32_t)first, (uint32_t)count, ret->held)))
		return false;
	ret->n_held = (unsigned)count;
	ret->n_iov = view_file_parts(f, off, len, ret->held, first, ret->iov);
	view_file_streamed(f, off, len);
	return true;
}

static void frames_read(struct view_file *f, uint64_t off, size_t len, const struct wanted *wanted, view_read_fn *done,
                        void *arg)
{
	struct view *v = f->node->view;
	struct frames_read *r = calloc(1, sizeof(*r));

	if (!r) {
		done(arg, -ENOMEM, "not enough memory", NULL, 0);
		return;
	}
	*r = (struct frames_read){ .file = f, .off = off, .len = len, .wanted = wanted, .done = done, .arg = arg };
	r->streamed = view_file_streamed(f, off, len);
	if (is_laid_out(f))
		read_rows(r);
	else
		samples_clip(v->env.samples, f->node->obj, &v->cfg.frames, wanted, shape_answer, r);
}

static const struct view_ops ops = {
	.ending = ".npy",
	.size = frames_size,
	.probe = frames_probe,
	.read = frames_read,
	.read_now = frames_read_now,
};

/* ---- keys ------------------------------------------------------------------------- */

static const char *const resize_names[] = { "crop", "stretch", "pad", NULL };
static const char *const sampling_names[] = { "uniform", "linspace", "keyframes", NULL };
static const char *const samplings_later[] = { "fps", "stride", NULL };

static int set_num_frames(void *obj, const char *value)
{
	struct frames_spec *f = &((struct view_config *)obj)->frames;
	uint64_t n;

	if (strcmp(value, "all") == 0) {
		if (f->sampling != SAMPLING_UNIFORM && f->sampling != SAMPLING_ALL)
			return -EINVAL;
		f->num_frames = 0;
		f->sampling = SAMPLING_ALL;
		return 0;
	}
	if (text_parse_uint(value, 1, SPEC_FRAMES_MAX, &n))
		return -EINVAL;
	f->num_frames = (uint32_t)n;
	if (f->sampling == SAMPLING_ALL)
		f->sampling = SAMPLING_UNIFORM;
	return 0;
}

static void print_num_frames(const void *obj, struct buf *out)
{
	const struct frames_spec *f = &((const struct view_config *)obj)->frames;

	if (f->sampling == SAMPLING_ALL)
		buf_puts(out, "all");
	else
		buf_printf(out, "%u", f->num_frames);
}

/* "uniform" is also what num_frames = all calls itself. */
static int set_sampling(void *obj, const char *value)
{
	struct frames_spec *f = &((struct view_config *)obj)->frames;

	for (uint32_t i = 0; sampling_names[i]; i++) {
		if (strcmp(value, sampling_names[i]) != 0)
			continue;
		if (f->sampling != SAMPLING_ALL)
			f->sampling = i;
		else if (i != SAMPLING_UNIFORM)
			return -EINVAL;
		return 0;
	}
	return -EINVAL;
}

static void print_sampling(const void *obj, struct buf *out)
{
	uint32_t sampling = ((const struct view_config *)obj)->frames.sampling;

	buf_puts(out, sampling_names[sampling == SAMPLING_ALL ? SAMPLING_UNIFORM : sampling]);
}

/* "224", "224x320" (height x width) or "native". */
static int set_size(void *obj, const char *value)
{
	struct frames_spec *f = &((struct view_config *)obj)->frames;
	uint64_t height = 0, width = 0;
	char text[16];
	char *x;

	if (strcmp(value, "native") == 0) {
		f->height = f->width = f->square = 0;
		return 0;
	}
	if (strlen(value) >= sizeof(text))
		return -EINVAL;
	memcpy(text, value, strlen(value) + 1);
	x = strchr(text, 'x');
	if (x)
		*x = '\0';
	if (text_parse_uint(text, 1, SPEC_SIDE_MAX, &height) ||
	    text_parse_uint(x ? x + 1 : text, 1, SPEC_SIDE_MAX, &width))
		return -EINVAL;
	f->height = (uint32_t)height;
	f->width = (uint32_t)width;
	f->square = x == NULL;
	return 0;
}

static void print_size(const void *obj, struct buf *out)
{
	const struct frames_spec *f = &((const struct view_config *)obj)->frames;

	if (f->height == 0)
		buf_puts(out, "native");
	else if (f->square)
		buf_printf(out, "%u", f->height);
	else
		buf_printf(out, "%ux%u", f->height, f->width);
}

static const struct key keys[] = {
	VIEW_KEY_MATCH,
	{ VIEW_KEY("num_frames", KEY_CUSTOM), .set = set_num_frames,
	  .print = print_num_frames,
	  .accepts = "a whole number from 1 to 65536, or (with sampling = uniform) all" },
	{ VIEW_KEY("sampling", KEY_CUSTOM), .set = set_sampling,
	  .print = print_sampling, .later = samplings_later,
	  .accepts = "uniform, linspace or keyframes (with num_frames = all: uniform)" },
	{ VIEW_KEY("size", KEY_CUSTOM), .set = set_size, .print = print_size,
	  .accepts = "N or HEIGHTxWIDTH with sides from 1 to 16384 pixels, or native" },
	{ VIEW_KEY("resize", KEY_CHOICE), VIEW_AT(frames.resize), .choices = resize_names },
	VIEW_KEYS_WINDOW,
	VIEW_KEY_LATER("jitter"),
	VIEW_KEY_LATER("tolerance"),
	VIEW_KEY_LATER("fps"),
	VIEW_KEY_LATER("layout"),
	VIEW_KEY_LATER("dtype"),
	VIEW_KEY_LATER("mean"),
	VIEW_KEY_LATER("std"),
};

static int check(const struct view_config *v, char *why)
{
	/* Keys keep single values in their ranges; a spec made by hand may not. */
	const struct spec s = spec_frames(&v->frames);

	return spec_check(&s, why);
}

static void lend(struct view_config *to, const struct view_config *from)
{
	to->frames = from->frames;
}

const struct view_kind view_kind_frames = {
	.name = "frames",
	.match = VIEW_VIDEO_GLOBS,
	.keys = VIEW_KEYS_TABLE(keys),
	.check = check,
	.lend = lend,
	.ops = &ops,
};
