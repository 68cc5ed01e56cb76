/* transfer.h - HTTP transfers under way, on libcurl; the only file that
 * includes it. http.c says which, when and for how long. One thread uses all of
 * this, but for transfers_wake. */
#ifndef S3SAMPLEFS_NET_TRANSFER_H
#define S3SAMPLEFS_NET_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/http.h"

struct transfers;
struct transfer;

/* n transfers at once, each on a connection of its own, which are kept and used
 * again. Copies o. Returns 0 or -ENOMEM. */
int transfers_new(const struct http_options *o, struct transfers **ret_all);
void transfers_free(struct transfers *all);  /* none may be taken; NULL allowed */

/* A free one for r, or NULL. */
struct transfer *transfer_take(struct transfers *all, struct http_request *r);

/* Gives it back; one under way is cut off. Doesn't block. */
void transfer_release(struct transfer *t);

/* Makes it ready to send m. Returns 0 or -ENOMEM. */
int transfer_prepare(struct transfer *t, const struct http_message *m);

/* Host of the message, or of the proxy through which it goes, to be looked up; NULL if it
 * is an address, or curl's business. */
const char *transfer_host(const struct transfer *t);

/* Sends it. addresses: from resolve_get, NULL if there was no host. */
int transfer_start(struct transfer *t, const char *addresses);

/* clock_ms of the last byte received or, before it, of the request being sent;
 * 0 while it connects. */
uint64_t transfer_progress_ms(const struct transfer *t);

/* Whether those of its reply are all there. */
bool transfer_has_headers(const struct transfer *t);

/* Whether, since this was last asked and at least window_ms long, so little came that the
 * rest won't be there by the deadline. */
bool transfer_is_slow(struct transfer *t, uint64_t window_ms, uint64_t deadline_ms);

/* ms of its time don't count. */
void transfer_postpone(struct transfer *t, uint64_t ms);

/* Moves bytes; calls ended for each transfer that is over, whose request has
 * its results and still holds the transfer. */
void transfers_run(struct transfers *all,
                   void (*ended)(void *arg, struct http_request *r, enum http_result result),
                   void *arg);

/* Sleeps until a socket is ready, transfers_wake, or ms are over. */
void transfers_wait(struct transfers *all, uint64_t ms);

void transfers_wake(struct transfers *all);  /* any thread */

#endif
