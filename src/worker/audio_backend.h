/* audio_backend.h - between audio.c and the libraries that decode. Nobody else
 * includes it. */
#ifndef S3SAMPLEFS_WORKER_AUDIO_BACKEND_H
#define S3SAMPLEFS_WORKER_AUDIO_BACKEND_H

#include <stddef.h>
#include <stdint.h>

struct input;

/* Embedded at the start of a backend's own struct. */
struct audio {
	const struct audio_ops *ops;
	struct input *in;           /* borrowed */
	int stream;                 /* index in the file; 0 where there can be no other */
	uint32_t rate, channels;    /* of the samples that the last read returned */
	/* audio.c's: what audio_open has already read and audio_read not yet given */
	const float *first;
	size_t first_frames;
};

struct audio_ops {
	/* As audio_ahead. */
	void (*ahead)(struct audio *a, double seconds);
	/* As audio_read, but rate and channels may change from call to call, and the
	 * input's error may come out as an end or as -EBADMSG. */
	int (*read)(struct audio *a, const float **ret_samples, size_t *ret_frames, char *why);
	void (*close)(struct audio *a);
};

/* audio_snd.c. -ENOTSUP: not one of libsndfile's files; why is untouched. */
int audio_snd_open(struct input *in, struct audio **ret, char *why);

/* audio_av.c. */
int audio_av_open(struct input *in, const char *extension, struct audio **ret, char *why);

#endif
