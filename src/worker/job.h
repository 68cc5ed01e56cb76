/* job.h - the four things a worker can be asked to do. Each returns 0 or
 * -errno with why[PROTO_WHY_MAX] filled, and never exits the process. */
#ifndef S3SAMPLEFS_WORKER_JOB_H
#define S3SAMPLEFS_WORKER_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "media/proto.h"

struct input;

struct job_io {
	struct input *in;
	const uint8_t *input;         /* the mapped input memfd, or NULL */
	size_t input_size;
	uint8_t *out;                 /* the mapped output memfd */
	size_t out_size;
	int socket;                   /* for ROW messages */
};

/* probe.c: reads the container's index, writes a table (media/table.h) to
 * io->out. *ret_len: its bytes. -EBADMSG: not media, or broken. -ENOSPC: out_size has no room for it. An object
 * without video has a table with video_stream -1 and no packets. */
int job_probe(const struct proto_job *job, struct job_io *io, size_t *ret_len, char *why);

/* frames.c: decodes rows. frames_decoded and fed as in struct proto_done. */
int job_frames(const struct proto_job *job, struct job_io *io, uint64_t *ret_frames_decoded,
               uint64_t *ret_fed, char *why);

/* Drops the open decoder that a later job of the same session would continue. */
void job_frames_reset(void);

/* mfcc_job.c: decodes the audio from its first packet, computes, writes float32
 * (n_mfcc, T). -ENODATA: the object has no audio stream. */
int job_mfcc(const struct proto_job *job, struct job_io *io, size_t *ret_len, char *why);

/* sound_job.c: opens the sound as job_mfcc does, and says what it is: proto_sound.
 * Errors as job_mfcc's. */
int job_sound(const struct proto_job *job, struct job_io *io, size_t *ret_len, char *why);

#endif
