/* wanted.h - whether anybody still waits for an answer.
 *
 * Whoever asks owns one, in memory that stays until the answer has come, and
 * passes its address along with the question. When nobody waits any more (the
 * reader was killed, the look-up interrupted) the owner calls wanted_drop; the
 * layers below look at it when they are told to (samples_drop), and may answer
 * -ECANCELED instead of working. The answer still comes, exactly once. */
#ifndef S3SAMPLEFS_BASE_WANTED_H
#define S3SAMPLEFS_BASE_WANTED_H

#include <stdatomic.h>
#include <stdbool.h>

/* All zero: wanted. */
struct wanted {
	_Atomic bool dropped;
};

static inline void wanted_drop(struct wanted *w)
{
	atomic_store(&w->dropped, true);
}

/* NULL: nobody can take it back. */
static inline bool is_wanted(const struct wanted *w)
{
	return !w || !atomic_load(&w->dropped);
}

#endif
