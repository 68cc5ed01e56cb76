/* probe_streams.h - the streams of a container, as a table lists them. */
#ifndef S3SAMPLEFS_WORKER_PROBE_STREAMS_H
#define S3SAMPLEFS_WORKER_PROBE_STREAMS_H

#include "media/table.h"

struct AVFormatContext;
struct peek;

/* Fills n_streams, streams, video_stream and audio_stream. */
void probe_streams(struct AVFormatContext *format, struct table_head *h);

/* Corrects the chosen video stream by what its decoder says. */
void probe_streams_pixels(struct table_stream *s, const struct peek *seen);

#endif
