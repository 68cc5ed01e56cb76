/* view_file.c - open files: what all view types share. */
#include <errno.h>
#include <stdlib.h>

#include "base/blob.h"
#include "view/view_priv.h"

/* A reader from front to back is still one if its READs come this much out of order. */
#define STREAM_SLACK ((uint64_t)2 << 20)

struct view_file *view_open(struct node *n)
{
	struct view_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	pthread_mutex_init(&f->lock, NULL);
	f->node = node_ref(n);
	return f;
}

void view_close(struct view_file *f)
{
	if (!f)
		return;
	node_unref(f->node);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

uint64_t view_file_streamed(struct view_file *f, uint64_t off, size_t len)
{
	uint64_t end = off + len, streamed;

	pthread_mutex_lock(&f->lock);
	if (off > f->expected + STREAM_SLACK / 8 || end + STREAM_SLACK < f->expected) {
		f->streamed = 0;
		f->expected = off;
		f->ahead = 0;
	}
	f->streamed += len;
	if (end > f->expected)
		f->expected = end;
	streamed = f->streamed;
	pthread_mutex_unlock(&f->lock);
	return streamed;
}

void view_reply_parts(const void *header, size_t header_len, const void *body, size_t body_len, uint64_t off,
                      size_t len, view_read_fn *done, void *arg)
{
	struct iovec iov[2];
	unsigned n = 0;

	if (off < header_len) {
		size_t take = header_len - off < len ? (size_t)(header_len - off) : len;

		iov[n++] = (struct iovec){ (char *)(uintptr_t)header + off, take };
		off += take;
		len -= take;
	}
	if (len > 0) {
		off -= header_len;
		if (off > body_len || len > body_len - off) {
			done(arg, -EIO, "the file is shorter than its size says", NULL, 0);
			return;
		}
		iov[n++] = (struct iovec){ (char *)(uintptr_t)body + off, len };
	}
	done(arg, 0, NULL, iov, n);
}

void view_read(struct view_file *f, uint64_t off, size_t len, const struct wanted *wanted, view_read_fn *done,
               void *arg)
{
	const struct node *n = f->node;

	if (off >= n->size) {
		done(arg, 0, NULL, NULL, 0);
		return;
	}
	if (len > n->size - off)
		len = (size_t)(n->size - off);
	if (n->content)
		view_reply_parts(NULL, 0, blob_data(n->content), blob_len(n->content), off, len, done, arg);
	else
		n->view->ops->read(f, off, len, wanted, done, arg);
}
