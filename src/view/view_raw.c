/* view_raw.c - type = raw: the objects, byte for byte, read by range. */
#include <errno.h>
#include <stdlib.h>

#include "base/blob.h"
#include "store/blocks.h"
#include "view/view_priv.h"

/* How far ahead of a reader from front to back: as much as it has read, within these. */
#define AHEAD_MIN ((uint64_t)1 << 20)
#define AHEAD_MAX ((uint64_t)16 << 20)

struct raw_read {
	view_read_fn *done;
	void *arg;
};

static bool raw_size(const struct view *v, const struct object *obj, uint64_t *ret_size)
{
	(void)v;
	*ret_size = obj->meta.size;
	return true;
}

static void raw_probe(struct view *v, struct object *obj, const struct wanted *wanted, view_size_fn *done, void *arg)
{
	(void)v;
	(void)wanted;
	done(arg, 0, NULL, obj->meta.size);
}

static void raw_bytes(void *arg, int err, const char *why, struct blob *bytes)
{
	struct raw_read *r = arg;
	struct iovec iov = { 0 };

	if (!err)
		iov = (struct iovec){ (void *)(uintptr_t)blob_data(bytes), blob_len(bytes) };
	r->done(r->arg, err, why, err ? NULL : &iov, err ? 0 : 1);
	free(r);
}

/* The next piece to fetch before it is asked for; *ret_len 0: nothing now. */
static void choose_ahead(struct view_file *f, uint64_t streamed, uint64_t end, uint64_t *ret_off, uint64_t *ret_len)
{
	uint64_t window = streamed < AHEAD_MIN ? 0 : streamed > AHEAD_MAX ? AHEAD_MAX : streamed;

	pthread_mutex_lock(&f->lock);
	*ret_off = f->ahead > end ? f->ahead : end;
	*ret_len = 0;
	/* In pieces of half a window: few GETs, and always half a window under way. */
	if (window > 0 && *ret_off - end <= window / 2) {
		*ret_len = end + window - *ret_off;
		f->ahead = end + window;
	}
	pthread_mutex_unlock(&f->lock);
}

/* Bytes go to the cache whether or not their reader stays: nothing to save. */
static void raw_read(struct view_file *f, uint64_t off, size_t len, const struct wanted *wanted, view_read_fn *done,
                     void *arg)
{
	struct node *n = f->node;
	struct raw_read *r = calloc(1, sizeof(*r));
	uint64_t ahead_off, ahead_len;

	(void)wanted;
	if (!r) {
		done(arg, -ENOMEM, "not enough memory", NULL, 0);
		return;
	}
	*r = (struct raw_read){ done, arg };
	choose_ahead(f, view_file_streamed(f, off, len), off + len, &ahead_off, &ahead_len);
	if (ahead_len > 0)
		blocks_ahead(n->view->env.blocks, n->obj, ahead_off, ahead_len);
	/* Last: f may be closed once the answer is out. */
	blocks_read(n->view->env.blocks, n->obj, off, len, raw_bytes, r);
}

const struct view_ops view_raw_ops = {
	.ending = "",
	.size = raw_size,
	.probe = raw_probe,
	.read = raw_read,
};
