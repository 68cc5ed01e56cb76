/* codecpar.h - a video stream's codec parameters as flat bytes, and back.
 *
 * They lie at the end of a packet table (media/table.h) and come back with each
 * FRAMES job, so that a decoder can be opened without the container. Field by
 * field; bytes of another major version of libavcodec are refused. */
#ifndef S3SAMPLEFS_WORKER_CODECPAR_H
#define S3SAMPLEFS_WORKER_CODECPAR_H

#include <stddef.h>
#include <stdint.h>

struct AVCodecParameters;

/* Writes at most cap bytes to out. Returns 0, or -EBADMSG: they would not fit,
 * or par isn't of a video stream. */
int codecpar_pack(const struct AVCodecParameters *par, uint8_t *out, size_t cap, size_t *ret_len);

/* A new *ret, to be freed with avcodec_parameters_free. Believes nothing.
 * Returns 0, -EBADMSG or -ENOMEM. */
int codecpar_unpack(const uint8_t *data, size_t len, struct AVCodecParameters **ret);

#endif
