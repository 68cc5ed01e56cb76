/* samples.h - decoded values of objects: rows of frames, MFCC, packet tables;
 * cached, single-flight, within a memory bound.
 *
 * Asks the pool for what is missing. A hundred readers of one cold row cost one
 * fetch and one decode. Rows are decoded on their own; those of one GOP that a
 * decode passes on its way to a wanted one are kept too, and a file read from
 * front to back decodes each GOP once. A failure to decode is remembered like a
 * value; failures of the store are not.
 *
 * All functions are asynchronous: the callback comes exactly once, from the
 * pool's thread, from the caller's before the function returns or from that of
 * samples_drop, with no lock held, and must not block. `why` is a sentence, valid
 * during the call, NULL on success. Errors: those of the store, and -EBADMSG
 * (can't be decoded), -ENODATA (no such stream), -ETIMEDOUT, -ENOMEM, -EINVAL
 * (rows past the end), -ESHUTDOWN, -ECANCELED (not wanted any more).
 *
 * wanted (base/wanted.h; NULL: always) is the asker's, and stays until his
 * callback has come. A job ends when the last who waited for it is gone. */
#ifndef S3SAMPLEFS_MEDIA_SAMPLES_H
#define S3SAMPLEFS_MEDIA_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/spec.h"
#include "media/table.h"

struct blob;
struct budget;
struct object;
struct plan;
struct pool;
struct samples;
struct stats;
struct wanted;

#define SAMPLES_WHY_MAX 256

/* capacity: bytes of decoded values and tables to keep. budget bounds running
 * jobs. Both, and the pool, are borrowed. An object whose decoders are killed from outside,
 * with no other at work, is -ENOMEM for killed_ttl_ms. NULL when out of memory. */
struct samples *samples_new(struct pool *pool, struct budget *budget, size_t capacity, uint64_t killed_ttl_ms,
                            struct stats *stats);

/* From now on everything is answered -ESHUTDOWN and the pool is given no job:
 * before pool_free. Waits for calls that are just being made. NULL allowed. */
void samples_stop(struct samples *s);

/* After pool_free: no callback may be outstanding. NULL allowed. */
void samples_free(struct samples *s);

/* The packet table (table.h), checked. */
typedef void samples_blob_fn(void *arg, int err, const char *why, struct blob *value);
void samples_table(struct samples *s, struct object *obj, const struct wanted *wanted, samples_blob_fn *done,
                   void *arg);

/* Which sound an MFCC is made of: struct proto_sound. */
void samples_sound(struct samples *s, struct object *obj, const struct wanted *wanted, samples_blob_fn *done,
                   void *arg);

/* float32 (n_mfcc, T), C order. */
void samples_mfcc(struct samples *s, struct object *obj, const struct mfcc_spec *spec,
                  const struct wanted *wanted, samples_blob_fn *done, void *arg);

/* The same, if it is in memory: a reference, or NULL. Asks for nothing. One lock, no allocation. */
struct blob *samples_mfcc_now(struct samples *s, const struct object *obj, const struct mfcc_spec *spec);

/* What the frames of an object are, without decoding any. Pointers valid during the call. */
struct samples_clip {
	const struct table_head *table;
	const struct plan *plan;
	uint32_t row_height, row_width;   /* pixels; a row is uint8 (row_height, row_width, 3) */
};
typedef void samples_clip_fn(void *arg, int err, const char *why, const struct samples_clip *clip);
void samples_clip(struct samples *s, struct object *obj, const struct frames_spec *spec,
                  const struct wanted *wanted, samples_clip_fn *done, void *arg);

/* rows[i], i < count, is row first + i. count > 0. `sequential`: the reader goes from front to back, so
 * the other rows of the GOPs touched are worth decoding in the same pass. */
typedef void samples_rows_fn(void *arg, int err, const char *why, struct blob *const *rows);
void samples_rows(struct samples *s, struct object *obj, const struct frames_spec *spec, uint32_t first,
                  uint32_t count, bool sequential, const struct wanted *wanted, samples_rows_fn *done,
                  void *arg);

/* The same, if all of them are in memory: a reference to each in ret_rows, and true. Asks for
 * nothing. One lock, no allocation. */
bool samples_rows_now(struct samples *s, const struct object *obj, const struct frames_spec *spec, uint32_t first,
                      uint32_t count, struct blob **ret_rows);

/* Some that wait have been dropped (wanted_drop): answers them, and ends the jobs
 * that nobody else waits for. Walks over all clips and products: not for every
 * request. Any thread. */
void samples_drop(struct samples *s);

/* From now on `taken` bytes less than the capacity are kept, but never less than a quarter of
 * it. Gives back memory that was let go: to be called every second or so. Any thread. */
void samples_shrink(struct samples *s, size_t taken);

#endif
