/* retry.h - when a failed request is sent again, and how long after. Pure.
 *
 * The rules are those of the AWS SDKs' "standard" mode
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html),
 * the constants those of the SDK for Java 2.x
 * (https://docs.aws.amazon.com/sdk-for-java/latest/developer-guide/retry-strategy.html):
 * 100 ms doubled for each retry, or 1 s where the server throttles, at most
 * 20 s, with full jitter; and a bucket of tokens that runs dry while most retries
 * fail. An SDK then fails at once, for the sake of the service. A read that fails
 * ends its reader's run, so here the attempts that were configured are still
 * made, but as slowly as for a server that throttles. What counts as a failure
 * is decided elsewhere (verdict.h). */
#ifndef S3SAMPLEFS_S3_RETRY_H
#define S3SAMPLEFS_S3_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_BASE_MS 100u
#define RETRY_THROTTLED_BASE_MS 1000u
#define RETRY_MAX_MS 20000u
#define RETRY_NEVER UINT64_MAX

/* 429, 500, 502, 503, 504. */
bool retry_status(int status);

/* Milliseconds to wait before retry number n (0 is the first); 0 <= random < 1. */
uint64_t retry_backoff_ms(unsigned n, bool throttled, double random);

/* Value of a Retry-After header, seconds or a date, at now_s (since the epoch).
 * 0 where it is empty, unreadable or in the past. */
uint64_t retry_after_ms(const char *value, int64_t now_s);

/* All that one decision depends on. */
struct retry_failure {
	unsigned attempts;      /* made so far, at least 1 */
	unsigned max_attempts;
	bool throttled;         /* 429, or an S3 code that says so, or the bucket is dry */
	uint64_t after_ms;      /* the server's Retry-After, else 0 */
	uint64_t left_ms;       /* until the deadline */
	double random;          /* 0 <= random < 1 */
};

/* Milliseconds until the next attempt, or RETRY_NEVER: no attempts left, or the
 * wait would pass the deadline, so that waiting is of no use. */
uint64_t retry_delay_ms(const struct retry_failure *f);

/* The token bucket. Not locked. */
struct retry_bucket {
	unsigned tokens;
};

void retry_bucket_init(struct retry_bucket *b);  /* 500 tokens, and never more */

/* A retry takes 5 tokens; false: it is dry. */
bool retry_bucket_take(struct retry_bucket *b);

/* A success gives back what its last retry took, or 1 if there was none. */
void retry_bucket_success(struct retry_bucket *b, bool was_retried);

#endif
