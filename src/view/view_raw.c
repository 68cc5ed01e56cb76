/* view_raw.c - type = raw: the objects, byte for byte, read by range. */
#include <errno.h>
#include <stdlib.h>

#include "base/blob.h"
#include "media/need.h"
#include "store/blocks.h"
#include "view/view_keys.h"
#include "view/view_priv.h"

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

/* The next piece to fetch before it is asked for; len 0: nothing now. */
static struct need_range choose_ahead(struct view_file *f, uint64_t streamed, uint64_t end)
{
	struct need_range r;

	pthread_mutex_lock(&f->lock);
	r = need_ahead(streamed, end, f->ahead);
	if (r.len)
		f->ahead = r.off + r.len;
	pthread_mutex_unlock(&f->lock);
	return r;
}

/* Bytes go to the cache whether or not their reader stays: nothing to save. */
static void raw_read(struct view_file *f, uint64_t off, size_t len, const struct wanted *wanted, view_read_fn *done,
                     void *arg)
{
	struct node *n = f->node;
	struct raw_read *r = calloc(1, sizeof(*r));
	struct need_range ahead;

	(void)wanted;
	if (!r) {
		done(arg, -ENOMEM, "not enough memory", NULL, 0);
		return;
	}
	*r = (struct raw_read){ done, arg };
	ahead = choose_ahead(f, view_file_streamed(f, off, len), off + len);
	if (ahead.len > 0)
		blocks_ahead(n->view->env.blocks, n->obj, ahead.off, ahead.len);
	/* Last: f may be closed once the answer is out. */
	blocks_read(n->view->env.blocks, n->obj, off, len, raw_bytes, r);
}

static const struct view_ops ops = {
	.ending = "",
	.size = raw_size,
	.probe = raw_probe,
	.read = raw_read,
};

static const struct key keys[] = { VIEW_KEY_MATCH };

const struct view_kind view_kind_raw = {
	.name = "raw",
	.match = "*",
	.keys = VIEW_KEYS_TABLE(keys),
	.ops = &ops,
};
