/* demux.h - a container opened over an input, and nothing else.
 *
 * Only file formats that stand for themselves are known: no playlists, no
 * image sequences, and no file is opened because another one names it. */
#ifndef S3SAMPLEFS_WORKER_DEMUX_H
#define S3SAMPLEFS_WORKER_DEMUX_H

#include <stdbool.h>

struct AVFormatContext;
struct AVStream;
struct input;

/* extension: the key's, a hint for probing. container: FFmpeg's name of the
 * demuxer, or "" to find it out. flags: AVFMT_FLAG_*. why[PROTO_WHY_MAX].
 * *ret goes to demux_close. in is borrowed until then (or demux_rebind).
 * Returns 0 or -errno. */
int demux_open(struct input *in, const char *extension, const char *container, int flags,
               struct AVFormatContext **ret, char *why);
void demux_close(struct AVFormatContext **format);  /* *format NULL allowed; becomes NULL */

/* Goes on reading the same object from another input. */
void demux_rebind(struct AVFormatContext *format, struct input *in);

/* Is this one of the demuxer's names? "mp4" of "mov,mp4,m4a,3gp,3g2,mj2". */
bool demux_is(const struct AVFormatContext *format, const char *name);

/* Are its decode times the container's own, not worked out by libavformat? */
bool demux_states_dts(const struct AVFormatContext *format);

/* A cover or a poster: one picture, no time. */
bool demux_is_picture(const struct AVStream *st);

/* The video stream that counts, to which the sound is to be related; -1: none. */
int demux_best_video(struct AVFormatContext *format);

/* The best audio stream, related to that video (-1: to none), of those that there is a
 * decoder for; if there is for none, the best. -1: there is no sound. The same for info
 * as for MFCC as long as both have looked into the payload, or neither. */
int demux_best_audio(struct AVFormatContext *format, int video);

/* Only packets of this stream come out; others' payload isn't read where the
 * container tells packets apart. */
void demux_select(struct AVFormatContext *format, int stream);

#endif
