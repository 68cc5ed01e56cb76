/* mono.h - the one signal that an MFCC is computed from: an object's audio mixed
 * to one channel, cut, resampled and padded, in the order that librosa.load and
 * util.fix_length have. */
#ifndef S3SAMPLEFS_WORKER_MONO_H
#define S3SAMPLEFS_WORKER_MONO_H

#include <stddef.h>

#include "media/spec.h"

struct input;

/* spec has passed mfcc_check. extension as in audio_open. Decoding stops as soon
 * as int(duration * the file's rate) samples are there. *ret_samples: malloc'd,
 * *ret_n floats at spec->sr, all finite; *ret_n is mfcc_fixed_samples unless the
 * duration is full. Returns 0, audio_open's errors, -ENODATA (no such channel) or
 * -EBADMSG (also: a sample that is no number), with why filled. */
int mono_decode(struct input *in, const char *extension, const struct mfcc_spec *spec,
                float **ret_samples, size_t *ret_n, char *why);

#endif
