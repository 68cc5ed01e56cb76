/* input.h - the object as a worker sees it: bytes asked of the daemon.
 *
 * Nothing here opens a file or a socket; every byte comes by WANT and DATA
 * (media/proto.h) through the shared window. Not thread-safe: a worker has one
 * thread that reads. */
#ifndef S3SAMPLEFS_WORKER_INPUT_H
#define S3SAMPLEFS_WORKER_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct input;
struct AVIOContext;

/* socket and window are borrowed. size: of the object, bytes. */
struct input *input_new(int socket, const uint8_t *window, uint64_t size);
void input_free(struct input *in);  /* NULL allowed; slots count as released */

uint64_t input_size(const struct input *in);

/* Up to len bytes at off; blocks until at least one is there. Returns the
 * number of bytes, 0 at the end of the object, or -errno as told by the daemon
 * (-EIO, -ESTALE, -ETIMEDOUT, ...). */
ssize_t input_read(struct input *in, uint64_t off, void *buf, size_t len);

/* All of [off, off + len) or an error; -EBADMSG when it passes the end. */
int input_read_all(struct input *in, uint64_t off, void *buf, size_t len);

/* Says that [off, off + len) will be read soon. Cheap; only remembered, sent
 * along with the next want. */
void input_ahead(struct input *in, uint64_t off, uint64_t len);

/* 0, or the first error the daemon told: such a job ends with it, whatever
 * FFmpeg made of it, and never with EBADMSG. */
int input_error(const struct input *in);

/* Ranges answered with zeros instead of being asked for: payload that a probe
 * has no use for. Sorted, not overlapping; copied. Replaces earlier ones. */
struct input_range { uint64_t off, len; };
int input_set_zero_ranges(struct input *in, const struct input_range *r, size_t n);

/* A new AVIOContext reading this input from offset 0, seekable. Freed by
 * input_avio_free, before input_free. NULL when out of memory. */
struct AVIOContext *input_avio(struct input *in);

/* From here on io reads from in, the same object's, at the same place: a
 * demuxer that outlives a job. */
void input_avio_rebind(struct AVIOContext *io, struct input *in);
void input_avio_free(struct AVIOContext *io);

#endif
