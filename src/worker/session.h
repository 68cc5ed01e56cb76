/* session.h - an open decoder on its way through a video, from job to job.
 *
 * It knows which packets went in and which frames came out, so that it can tell
 * whether it is of use for the next job. */
#ifndef S3SAMPLEFS_WORKER_SESSION_H
#define S3SAMPLEFS_WORKER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/request.h"

struct AVFrame;
struct input;
struct session;

/* A decoder for r's stream, which has seen nothing. extension: the key's.
 * in is borrowed until session_rebind. Returns 0 or -errno. */
int session_new(const struct request_frames *r, const char *extension, struct input *in,
                struct session **ret, char *why);
void session_free(struct session *s);  /* NULL allowed */

/* Goes on with another job's input: the same object's. */
void session_rebind(struct session *s, struct input *in);

/* Can it go on to r's rows from where it stands: has it passed r's sync packet,
 * and no frame that r wants, but the one in hand? */
bool session_can_continue(const struct session *s, const struct request_frames *r);

/* Makes it stand before r's sync packet, having seen nothing. */
int session_restart(struct session *s, const struct request_frames *r, char *why);

/* The next frame in output order, fed with packets as r says. 1: *ret is there,
 * the session's, until the next call. 0: no more will come. Or -errno. */
int session_next(struct session *s, const struct request_frames *r, const struct AVFrame **ret,
                 char *why);

/* The frame that came out last, or NULL. */
const struct AVFrame *session_in_hand(const struct session *s);

/* Table index of the packet that the frame in hand came of; anything, if the decoder
 * doesn't tell. */
int64_t session_packet(const struct session *s);

/* Output order of the frame in hand, from the sync packet. */
uint64_t session_ordinal(const struct session *s);

/* Table index of the packet that would be fed next. */
uint32_t session_next_packet(const struct session *s);

#endif
