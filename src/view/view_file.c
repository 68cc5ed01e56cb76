/* view_file.c - open files: what all view types share. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/buf.h"
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

int view_file_lay_out(struct view_file *f, const struct buf *header, uint64_t row_bytes)
{
	if (buf_error(header) || header->len > sizeof(f->header))
		return -ENOMEM;
	pthread_mutex_lock(&f->lock);
	if (!f->laid_out) {
		memcpy(f->header, header->data, header->len);
		f->header_len = header->len;
		f->row_bytes = row_bytes;
		atomic_store_explicit(&f->laid_out, true, memory_order_release);
	}
	pthread_mutex_unlock(&f->lock);
	return 0;
}

bool view_file_is_laid_out(const struct view_file *f)
{
	return atomic_load_explicit(&f->laid_out, memory_order_acquire);
}

void view_file_rows(const struct view_file *f, uint64_t off, size_t len, uint64_t *ret_first, uint64_t *ret_count)
{
	const uint64_t end = off + len;

	*ret_first = off > f->header_len ? (off - f->header_len) / f->row_bytes : 0;
	*ret_count = end > f->header_len ? (end - f->header_len - 1) / f->row_bytes + 1 - *ret_first : 0;
}

unsigned view_file_parts(const struct view_file *f, uint64_t off, size_t len, struct blob *const *rows, uint64_t first,
                         struct iovec *ret_iov)
{
	uint64_t end = off + len, row_at = f->header_len + first * f->row_bytes;
	unsigned n = 0;

	if (off < f->header_len) {
		const size_t take = end < f->header_len ? len : f->header_len - (size_t)off;

		ret_iov[n++] = (struct iovec){ (char *)(uintptr_t)f->header + off, take };
		off += take;
	}
	for (; off < end; rows++, row_at += f->row_bytes) {
		const uint64_t stop = row_at + f->row_bytes < end ? row_at + f->row_bytes : end;

		ret_iov[n++] = (struct iovec){ (uint8_t *)(uintptr_t)blob_data(*rows) + (off - row_at), stop - off };
		off = stop;
	}
	return n;
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

bool view_read_now(struct view_file *f, uint64_t off, size_t len, struct view_span *ret)
{
	const struct node *n = f->node;

	ret->n_iov = ret->n_held = 0;
	if (off >= n->size)
		return true;
	if (len > n->size - off)
		len = (size_t)(n->size - off);
	if (!n->content)
		return n->view->ops->read_now && n->view->ops->read_now(f, off, len, ret);
	if (off > blob_len(n->content) || len > blob_len(n->content) - off)
		return false;
	ret->iov[ret->n_iov++] = (struct iovec){ (uint8_t *)(uintptr_t)blob_data(n->content) + off, len };
	return true;
}

void view_span_done(struct view_span *s)
{
	for (unsigned i = 0; i < s->n_held; i++)
		blob_unref(s->held[i]);
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
