#include "s3/retry.h"

#include <errno.h>

#include "base/text.h"
#include "aws/date.h"

#define RETRY_COST 5
#define TOKENS 500
#define AFTER_MAX_S (24u * 3600)  /* more is the same as never */

bool retry_status(int status)
{
	return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

uint64_t retry_backoff_ms(unsigned n, bool throttled, double random)
{
	uint64_t ms = throttled ? RETRY_THROTTLED_BASE_MS : RETRY_BASE_MS;

	/* 100 ms pass 20 s after 8 doublings; more would only overflow. */
	ms <<= n < 8 ? n : 8;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	return (uint64_t)((double)ms * random);
}

uint64_t retry_after_ms(const char *value, int64_t now_s)
{
	uint64_t seconds;
	int64_t at;
	int err = text_parse_uint(value, 0, AFTER_MAX_S, &seconds);

	if (err == -ERANGE)
		return AFTER_MAX_S * UINT64_C(1000);
	if (err == 0)
		return seconds * 1000;
	if (date_parse_http(value, &at) < 0 || at <= now_s)
		return 0;
	seconds = (uint64_t)at - (uint64_t)now_s;
	return (seconds < AFTER_MAX_S ? seconds : AFTER_MAX_S) * 1000;
}

uint64_t retry_delay_ms(const struct retry_failure *f)
{
	uint64_t ms;

	if (f->attempts >= f->max_attempts)
		return RETRY_NEVER;
	ms = retry_backoff_ms(f->attempts - 1, f->throttled, f->random);
	if (ms < f->after_ms)
		ms = f->after_ms;
	return ms < f->left_ms ? ms : RETRY_NEVER;
}

void retry_bucket_init(struct retry_bucket *b)
{
	b->tokens = TOKENS;
}

bool retry_bucket_take(struct retry_bucket *b)
{
	if (b->tokens < RETRY_COST)
		return false;
	b->tokens -= RETRY_COST;
	return true;
}

void retry_bucket_success(struct retry_bucket *b, bool was_retried)
{
	unsigned back = was_retried ? RETRY_COST : 1;

	b->tokens = TOKENS - b->tokens > back ? b->tokens + back : TOKENS;
}
