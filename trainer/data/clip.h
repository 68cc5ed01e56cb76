/* clip.h - one sample off the disk: frames.npy, uint8 (T, H, W, 3), and mfcc.npy,
 * float32 (n_mfcc, columns), of one folder.
 *
 * Some failures concern the sample alone (it is gone, was replaced, can't be decoded,
 * has another shape): the run goes on without it. All others (the disk or the mount
 * under all of them fails) end the run. */
#ifndef S3SAMPLE_DATA_CLIP_H
#define S3SAMPLE_DATA_CLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct why;

/* What all samples of a run look like. */
struct clip_spec {
	bool video, audio;      /* which of the two files are read */
	int t, h, w;            /* frames, pixels; 0 without video */
	int n_mfcc, columns;    /* 0 without audio */
};

#define CLIP_BAD 1 /* the sample's own fault; why tells */

size_t clip_frames_bytes(const struct clip_spec *spec);
size_t clip_mfcc_floats(const struct clip_spec *spec);

/* Shapes of one sample, with video and audio of spec set by the caller. Returns 0,
 * CLIP_BAD, or -errno with why. */
int clip_probe(const char *folder, const char *path, struct clip_spec *spec, struct why *why);

/* Reads folder/path/ into frames and mfcc, each NULL where spec has none. Returns 0,
 * CLIP_BAD, or -errno; after a failure the arrays hold anything. Any thread. */
int clip_read(const char *folder, const char *path, const struct clip_spec *spec, uint8_t *frames,
              float *mfcc, struct why *why);

#endif
