/* avlog.h - what FFmpeg has to say, turned into one sentence and one errno.
 *
 * FFmpeg's log goes nowhere but into a buffer that keeps the last line of an
 * error, to be shown to a person beside our own words. */
#ifndef S3SAMPLEFS_WORKER_AVLOG_H
#define S3SAMPLEFS_WORKER_AVLOG_H

/* Takes FFmpeg's log over. Once, at the start. */
void avlog_init(void);

/* Forgets the last line: at the start of every job. */
void avlog_clear(void);

/* The last error line since then, sanitized; "" if there was none. */
const char *avlog_last(void);

/* AVERROR -> -errno: out of memory, or the object is at fault (-EBADMSG). Also
 * where FFmpeg says EIO, as it does of files that end early: errors of the store
 * are told by input_error alone. 0 and above are returned as they are. */
int avlog_errno(int averror);

#endif
