/* ref.h - the count of those who hold an object, embedded in it.
 *
 * Whoever drops the last reference frees; until then taking one more needs no
 * lock, but has to be done by somebody who holds one. */
#ifndef S3SAMPLEFS_BASE_REF_H
#define S3SAMPLEFS_BASE_REF_H

#include <stdatomic.h>
#include <stdbool.h>

struct ref {
	_Atomic unsigned n;
};

/* The maker's. */
static inline void ref_init(struct ref *r)
{
	atomic_init(&r->n, 1);
}

static inline void ref_take(struct ref *r)
{
	atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
}

/* True: that was the last one. What others did to the object before they dropped
 * theirs is seen. */
static inline bool ref_drop(struct ref *r)
{
	return atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel) == 1;
}

/* Only the caller's is left, or one more may be taken at any time. */
static inline bool ref_is_shared(const struct ref *r)
{
	return atomic_load_explicit(&r->n, memory_order_acquire) > 1;
}

#endif
