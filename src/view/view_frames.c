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

#define HEADER_MAX 256
/* Whoever has read this much without a gap goes on to the end. More than the
 * kernel asks for around a single row. */
#define STREAM_ROWS 2
#define STREAM_MIN ((uint64_t)256 << 10)

struct shape {
	uint64_t rows, height, width;
};

struct frames_read {
	struct view *view;
	struct object *obj;
	uint64_t off;
	size_t len;
	uint64_t streamed;
	struct shape shape;
	struct buf header;
	uint32_t first, count;        /* rows */
	const struct wanted *wanted;
	view_read_fn *done;
	void *arg;
};

static uint64_t row_bytes(const struct shape *s) { return s->height * s->width * 3; }

static uint64_t file_size(const struct shape *s)
{
	const uint64_t shape[] = { s->rows, s->height, s->width, 3 };

	return npy_header_size("|u1", shape, 4) + s->rows * row_bytes(s);
}

static bool fixed_shape(const struct frames_spec *f, struct shape *ret)
{
	if (f->sampling == SAMPLING_ALL || f->height == 0)
		return false;
	*ret = (struct shape){ f->num_frames, f->height, f->width };
	return true;
}

static bool frames_size(const struct view *v, const struct object *obj, uint64_t *ret_size)
{
	struct shape s;

	(void)obj;
	if (!fixed_shape(&v->cfg.frames, &s))
		return false;
	*ret_size = file_size(&s);
	return true;
}

struct frames_probe {
	view_size_fn *done;
	void *arg;
};

static void probe_answer(void *arg, int err, const char *why, const struct samples_clip *clip)
{
	struct frames_probe *p = arg;
	uint64_t size = 0;

	if (!err) {
		struct shape s = { clip->plan->n_rows, clip->row_height, clip->row_width };
		size = file_size(&s);
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
	*p = (struct frames_probe){ done, arg };
	samples_clip(v->env.samples, obj, &v->cfg.frames, wanted, probe_answer, p);
}

static void read_free(struct frames_read *r)
{
	buf_done(&r->header);
	object_unref(r->obj);
	free(r);
}

static void read_fail(struct frames_read *r, int err, const char *why)
{
	r->done(r->arg, err, why, NULL, 0);
	read_free(r);
}

static void rows_answer(void *arg, int err, const char *why, struct blob *const *rows)
{
	struct frames_read *r = arg;
	struct iovec *iov;
	uint64_t at = r->off, end = r->off + r->len, row = row_bytes(&r->shape);
	unsigned n = 0;

	if (err) {
		read_fail(r, err, why);
		return;
	}
	iov = calloc((size_t)r->count + 1, sizeof(*iov));
	if (!iov) {
		read_fail(r, -ENOMEM, "not enough memory");
		return;
	}
	if (at < r->header.len) {
		iov[n++] = (struct iovec){ r->header.data + at, r->header.len - at };
		at = r->header.len;
	}
	for (uint32_t i = 0; i < r->count; i++) {
		uint64_t row_at = r->header.len + (r->first + (uint64_t)i) * row;
		uint64_t stop = row_at + row < end ? row_at + row : end;

		iov[n++] = (struct iovec){ (uint8_t *)(uintptr_t)blob_data(rows[i]) + (at - row_at), stop - at };
		at = stop;
	}
	r->done(r->arg, 0, NULL, iov, n);
	free(iov);
	read_free(r);
}

/* With the shape known: which rows, and off to get them. */
static void read_rows(struct frames_read *r)
{
	const uint64_t dims[] = { r->shape.rows, r->shape.height, r->shape.width, 3 };
	uint64_t row = row_bytes(&r->shape), end = r->off + r->len, size = file_size(&r->shape);
	bool sequential;

	if (npy_header("|u1", dims, 4, &r->header) < 0) {
		read_fail(r, -ENOMEM, "not enough memory");
		return;
	}
	if (end > size) {
		read_fail(r, -EIO, "the file is shorter than its size says");
		return;
	}
	if (end <= r->header.len) {
		view_reply_parts(r->header.data, r->header.len, NULL, 0, r->off, r->len, r->done, r->arg);
		read_free(r);
		return;
	}
	r->first = r->off > r->header.len ? (uint32_t)((r->off - r->header.len) / row) : 0;
	r->count = (uint32_t)((end - r->header.len - 1) / row) + 1 - r->first;
	sequential = r->streamed >= STREAM_ROWS * row + STREAM_MIN;
	samples_rows(r->view->env.samples, r->obj, &r->view->cfg.frames, r->first, r->count, sequential, r->wanted,
	             rows_answer, r);
}

static void shape_answer(void *arg, int err, const char *why, const struct samples_clip *clip)
{
	struct frames_read *r = arg;

	if (err) {
		read_fail(r, err, why);
		return;
	}
	r->shape = (struct shape){ clip->plan->n_rows, clip->row_height, clip->row_width };
	read_rows(r);
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
	r->view = v;
	r->obj = object_ref(f->node->obj);
	r->off = off;
	r->len = len;
	r->streamed = view_file_streamed(f, off, len);
	r->wanted = wanted;
	r->done = done;
	r->arg = arg;
	buf_init(&r->header, HEADER_MAX);
	if (fixed_shape(&v->cfg.frames, &r->shape))
		read_rows(r);
	else
		samples_clip(v->env.samples, r->obj, &v->cfg.frames, wanted, shape_answer, r);
}

const struct view_ops view_frames_ops = {
	.ending = ".npy",
	.size = frames_size,
	.probe = frames_probe,
	.read = frames_read,
};
