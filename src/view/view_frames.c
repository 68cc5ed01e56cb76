/* view_frames.c - type = frames: uint8 (T, H, W, 3) .npy of chosen frames.
 *
 * A row is decoded when its bytes are read, and not before. */
#include <errno.h>
#include <stdlib.h>

#include "base/blob.h"
#include "base/buf.h"
#include "format/npy.h"
#include "media/plan.h"
#include "media/samples.h"
#include "store/object.h"
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

const struct view_ops view_frames_ops = {
	.ending = ".npy",
	.size = frames_size,
	.probe = frames_probe,
	.read = frames_read,
	.read_now = frames_read_now,
};
