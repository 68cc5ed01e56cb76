/* breaker.h - whether the other side is down, so that it is of no use to ask. Pure.
 *
 * It is down once nothing but failures has come for a while. Then one request at a
 * time goes out as a probe, and the first that is answered ends it. */
#ifndef S3SAMPLEFS_NET_BREAKER_H
#define S3SAMPLEFS_NET_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

struct breaker {
	uint64_t limit_ms;     /* so long */
	uint64_t failing_ms;   /* since when there have been failures only; 0: the last was answered */
	uint64_t failed_ms;    /* when the last of them came */
	uint64_t answered_ms;  /* when something was last answered; 0: never yet */
	bool down;
	bool probing;          /* a probe is under way */
};

static inline void breaker_init(struct breaker *b, uint64_t limit_ms)
{
	*b = (struct breaker){ .limit_ms = limit_ms };
}

/* Something was answered, whatever it said. */
static inline void breaker_answered(struct breaker *b, uint64_t now_ms)
{
	b->answered_ms = now_ms;
	b->failing_ms = 0;
	b->down = false;
}

/* What was asked at asked_ms failed. */
static inline void breaker_failed(struct breaker *b, uint64_t asked_ms, uint64_t now_ms)
{
	/* What was answered since isn't forgotten for one that was asked before. */
	if (asked_ms < b->answered_ms)
		asked_ms = b->answered_ms;
	/* One failure long ago and one now say nothing of the time between. */
	if (b->failing_ms == 0 || (asked_ms > b->failed_ms && asked_ms - b->failed_ms > b->limit_ms && !b->down))
		b->failing_ms = asked_ms;
	b->failed_ms = now_ms;
	b->down = now_ms - b->failing_ms >= b->limit_ms;
}

/* The clock went on by ms that don't count. */
static inline void breaker_postpone(struct breaker *b, uint64_t ms)
{
	b->failing_ms += b->failing_ms ? ms : 0;
	b->failed_ms += b->failed_ms ? ms : 0;
	b->answered_ms += b->answered_ms ? ms : 0;
}

/* Whether a request may go out; the caller then sets probing where it is down. */
static inline bool breaker_lets_through(const struct breaker *b)
{
	return !b->down || !b->probing;
}

#endif
