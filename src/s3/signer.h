/* signer.h - what requests are signed with now: credentials, region, time.
 *
 * All three may turn out wrong while we run: tokens expire, a bucket is in
 * another region, the clock is off. Each is corrected here for all requests at
 * once. Any thread may call; nothing blocks but signer_finish. */
#ifndef S3SAMPLEFS_S3_SIGNER_H
#define S3SAMPLEFS_S3_SIGNER_H

#include <stdbool.h>
#include <sys/queue.h>

#include "aws/creds.h"
#include "aws/date.h"
#include "s3/endpoint.h"

struct signer;

struct signer_options {
	struct creds_options creds;   /* copied */
	struct http *net;             /* for providers that ask a service */
	const char *region;           /* copied, valid */
	struct creds *first;          /* taken over; NULL: requests aren't signed */
};

/* Returns 0, -EAGAIN (no thread) or -ENOMEM (first is not taken over then). */
int signer_new(const struct signer_options *o, struct signer **ret_signer);

/* Later refreshes fail with -ECANCELED. Doesn't wait. */
void signer_stop(struct signer *s);

/* signer_stop, and waits for a refresh under way. */
void signer_finish(struct signer *s);

/* After signer_finish. NULL allowed. */
void signer_free(struct signer *s);

/* One moment's state. */
struct signer_state {
	struct creds *creds;          /* a reference; NULL: unsigned */
	char region[ENDPOINT_REGION_SIZE];
	char date[DATE_AMZ_SIZE];     /* with the store's clock, as far as known */
};

void signer_get(struct signer *s, struct signer_state *ret_state);

/* The store said the bucket is in region told, after a request for region used.
 * False: that is what was used, so nothing is gained. */
bool signer_correct_region(struct signer *s, const char *used, const char *told);

/* The store's Date header. False: unreadable. */
bool signer_correct_clock(struct signer *s, const char *date);

/* Embedded by whoever waits for new credentials. done is called once: err 0:
 * there are others than used now; -EACCES: there aren't; -ECANCELED. */
struct signer_wait {
	TAILQ_ENTRY(signer_wait) link;
	void (*done)(struct signer_wait *w, int err);
};

/* The store refused credentials used. Asks the chain again, once for all who
 * wait. done may be called before the function returns, else from signer's
 * thread; with no lock held. */
void signer_refresh(struct signer *s, const struct creds *used, struct signer_wait *w);

#endif
