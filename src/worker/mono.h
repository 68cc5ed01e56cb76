/* mono.h - the one signal that an MFCC is computed from: an object's audio mixed
 * to one channel, cut, resampled and padded, in the order that librosa.load and
 * util.fix_length have. It comes in pieces, so that a recording may be of any
 * length. Not thread-safe. */
#ifndef S3SAMPLEFS_WORKER_MONO_H
#define S3SAMPLEFS_WORKER_MONO_H

#include <stddef.h>

#include "media/spec.h"

struct input;
struct mono;

/* spec has passed mfcc_check, and outlives *ret. in and extension as in
 * audio_open. Returns 0, audio_open's errors, -ENODATA (no such channel), -EBADMSG
 * or -ENOMEM, with why filled. */
int mono_open(struct input *in, const char *extension, const struct mfcc_spec *spec,
              struct mono **ret, char *why);
void mono_close(struct mono *m);    /* NULL allowed */

/* The next samples, floats at spec->sr, all finite, valid until the next call on m;
 * *ret_n 0: the end. Decoding stops as soon as int(duration * the file's rate)
 * samples are there; together they are then mfcc_fixed_samples. Returns 0,
 * audio_read's errors, -EBADMSG (a sample that is no number) or -ENOMEM, with why
 * filled; m is then good for mono_close only. */
int mono_read(struct mono *m, const float **ret_samples, size_t *ret_n, char *why);

#endif
