/* decoder.h - a video decoder, opened the one way this program opens them. */
#ifndef S3SAMPLEFS_WORKER_DECODER_H
#define S3SAMPLEFS_WORKER_DECODER_H

struct AVCodecContext;
struct AVCodecParameters;

/* One thread, nothing corrupt is shown, no limits relaxed. The caller may set
 * members before decoder_open. *ret: avcodec_free_context.
 * Returns 0, -EBADMSG (no such decoder) or -ENOMEM. */
int decoder_new(const struct AVCodecParameters *par, struct AVCodecContext **ret, char *why);
int decoder_open(struct AVCodecContext *codec, char *why);

#endif
