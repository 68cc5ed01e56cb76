/* audio.h - an object's audio as decoded samples, from its first packet on.
 *
 * Which decoder reads what: libsndfile uncompressed files (wav, aiff, ...) and
 * FLAC, FFmpeg everything else, of which it takes the best audio stream related
 * to the best video stream. What comes out is what FFmpeg's API gives, with the
 * container's skip and discard data applied and nothing else. No resampling and
 * no mixing here. Not thread-safe. */
#ifndef S3SAMPLEFS_WORKER_AUDIO_H
#define S3SAMPLEFS_WORKER_AUDIO_H

#include <stddef.h>
#include <stdint.h>

struct audio;
struct input;

#define AUDIO_CHANNELS_MAX 256u
#define AUDIO_RATE_MIN 100u         /* Hz */
#define AUDIO_RATE_MAX 6144000u     /* DSD128 as FFmpeg gives it is 705600 */

/* Opens and decodes up to the first samples, so that rate and channels are the
 * decoder's, not the header's. extension: the key's, "" for none, a hint for
 * FFmpeg's probing. in is borrowed until audio_close. Returns 0, -ENODATA (no
 * audio stream), -EBADMSG (not media, or nothing in it decodes), -ENOMEM, or the
 * input's error, which wins over all others; why[PROTO_WHY_MAX] filled. */
int audio_open(struct input *in, const char *extension, struct audio **ret, char *why);
void audio_close(struct audio *a);  /* NULL allowed */

uint32_t audio_rate(const struct audio *a);       /* Hz */
uint32_t audio_channels(const struct audio *a);
int audio_stream(const struct audio *a);          /* index in the file */

/* Says that the samples up to this time are going to be read, so that their bytes
 * can be fetched before each is asked for. INFINITY: all. Right after audio_open. */
void audio_ahead(struct audio *a, double seconds);

/* The next samples, float32 (frames, channels), 1.0 = full scale; valid until
 * the next call on a. *ret_frames 0: the end. A packet that doesn't decode is
 * left out, as FFmpeg's own tool does. Returns 0, -EBADMSG (rate or channels
 * change on the way), -ENOMEM, or the input's error; why filled. */
int audio_read(struct audio *a, const float **ret_samples, size_t *ret_frames, char *why);

#endif
