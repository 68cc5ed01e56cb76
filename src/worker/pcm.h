/* pcm.h - decoded frames of any sample format as float32. */
#ifndef S3SAMPLEFS_WORKER_PCM_H
#define S3SAMPLEFS_WORKER_PCM_H

#include <stddef.h>
#include <stdint.h>

struct AVFrame;

/* Writes frame's samples to out, (nb_samples, channels). Integers are divided by
 * their full scale, 2^(bits - 1), 8-bit ones are unsigned: what libsndfile and
 * swresample do too. Returns 0, or -ENOTSUP for a format that isn't PCM. */
int pcm_to_float(const struct AVFrame *frame, float *out);

/* In (frames, channels), one channel of which is wanted, out (frames,). */
void pcm_pick(const float *in, size_t frames, uint32_t channels, uint32_t channel, float *out);

/* The same with the mean of all channels: summed in order and divided in float32,
 * as numpy's mean does. */
void pcm_mean(const float *in, size_t frames, uint32_t channels, float *out);

#endif
