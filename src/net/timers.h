/* timers.h - what is to happen when: a binary heap of embedded timers.
 *
 * Setting, clearing and taking the earliest cost O(log n). Not locked: one
 * thread owns a heap. The clock is the caller's. */
#ifndef S3SAMPLEFS_NET_TIMERS_H
#define S3SAMPLEFS_NET_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded by its owner; zeroed means not set. */
struct timer {
	uint64_t at_ms;
	size_t place;  /* 1 + index in the heap, 0 while not set */
};

struct timers {
	struct timer **heap;
	size_t n;
	size_t alloc;
};

void timers_init(struct timers *t);
void timers_done(struct timers *t);  /* no timer may be set */

/* Sets t, or moves it if it is set. Returns 0 or -ENOMEM (moving can't fail). */
int timers_set(struct timers *all, struct timer *t, uint64_t at_ms);

/* Does nothing to a timer that isn't set. */
void timers_clear(struct timers *all, struct timer *t);

/* The earliest timer if it is due at now_ms, no longer set; else NULL. */
struct timer *timers_pop_due(struct timers *all, uint64_t now_ms);

/* All of them are due later by ms. */
void timers_postpone(struct timers *all, uint64_t ms);

/* When the earliest is due; UINT64_MAX if none is set. */
uint64_t timers_next(const struct timers *all);

static inline bool timer_is_set(const struct timer *t)
{
	return t->place != 0;
}

#endif
