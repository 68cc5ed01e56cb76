#include "media/fetch.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utlist.h>

#include "base/blob.h"
#include "base/ref.h"
#include "store/blocks.h"

struct fetch_box {
	struct ref refs;          /* the owner's, and one for each fetch under way */
	pthread_mutex_t lock;

	/* under lock */
	struct fetch *answers;
	int fd;                   /* an eventfd; -1: closed */
};

int fetch_box_new(struct fetch_box **ret_box)
{
	struct fetch_box *box = calloc(1, sizeof(*box));
	int err;

	if (!box)
		return -ENOMEM;
	box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (box->fd < 0) {
		err = -errno;
		free(box);
		return err;
	}
	pthread_mutex_init(&box->lock, NULL);
	ref_init(&box->refs);
	*ret_box = box;
	return 0;
}

static void box_unref(struct fetch_box *box)
{
	if (!ref_drop(&box->refs))
		return;
	pthread_mutex_destroy(&box->lock);
	free(box);
}

int fetch_box_fd(const struct fetch_box *box)
{
	return box->fd; /* only its owner writes it, and only the owner asks */
}

static void wake_locked(struct fetch_box *box)
{
	uint64_t one = 1;

	/* Fails only when the counter is full, and then it is readable. */
	if (box->fd >= 0 && write(box->fd, &one, sizeof(one)) < 0)
		return;
}

void fetch_box_wake(struct fetch_box *box)
{
	pthread_mutex_lock(&box->lock);
	wake_locked(box);
	pthread_mutex_unlock(&box->lock);
}

void fetch_free(struct fetch *f)
{
	blob_unref(f->bytes);
	object_unref(f->obj);
	box_unref(f->box);
	free(f);
}

static void answered(void *arg, int err, const char *why, struct blob *bytes)
{
	struct fetch *f = arg;
	struct fetch_box *box = f->box;
	bool open;

	if (!err && f->worker != FETCH_AHEAD && blob_len(bytes) != f->len) {
		err = -EIO;
		why = "the block cache gave another length than was asked for";
	}
	f->err = err;
	if (err)
		snprintf(f->why, sizeof(f->why), "%s",
		         why ? why : "the object's bytes can't be had");
	else if (bytes)
		f->bytes = blob_ref(bytes);
	pthread_mutex_lock(&box->lock);
	open = box->fd >= 0;
	if (open) {
		DL_APPEND(box->answers, f);
		wake_locked(box);
	}
	pthread_mutex_unlock(&box->lock);
	/* If it was open, f and box may be gone by now. */
	if (!open)
		fetch_free(f);
}

int fetch_start(struct fetch_box *box, struct blocks *blocks, struct object *obj,
                uint64_t off, size_t len, unsigned worker, uint64_t job)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	ref_take(&box->refs);
	f->box = box;
	f->obj = object_ref(obj);
	f->job = job;
	f->worker = worker;
	f->off = off;
	f->len = len;
	if (worker == FETCH_AHEAD)
		blocks_load(blocks, obj, off, len, answered, f);
	else
		blocks_read(blocks, obj, off, len, answered, f);
	return 0;
}

struct fetch *fetch_box_take(struct fetch_box *box)
{
	struct fetch *list;
	uint64_t count;

	pthread_mutex_lock(&box->lock);
	if (box->fd >= 0 && read(box->fd, &count, sizeof(count)) < 0)
		count = 0; /* nobody had woken us: nothing to reset */
	list = box->answers;
	box->answers = NULL;
	pthread_mutex_unlock(&box->lock);
	return list;
}

void fetch_box_close(struct fetch_box *box)
{
	struct fetch *list, *f, *tmp;

	if (!box)
		return;
	pthread_mutex_lock(&box->lock);
	list = box->answers;
	box->answers = NULL;
	close(box->fd);
	box->fd = -1;
	pthread_mutex_unlock(&box->lock);
	DL_FOREACH_SAFE(list, f, tmp)
		fetch_free(f);
	box_unref(box);
}
