#include "media/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/blob.h"
#include "base/heap.h"
#include "base/stats.h"
#include "base/wanted.h"

/* Lets go until the bound holds. What can't go now is passed over; so is keep. */
static void trim(struct values *vs, const struct value *keep)
{
	struct value *victim = vs->lru;

	while (vs->bytes > vs->capacity - vs->taken && victim && victim != keep) {
		struct value *next = victim->next;

		/* A clip takes its rows along, and next may be one of them: from the start again. */
		victim = victim->evict(vs, victim) ? vs->lru : next;
	}
	stats_add(vs->stats, STAT_row_bytes, (int64_t)vs->bytes - stats_get(vs->stats, STAT_row_bytes));
}

void value_count(struct values *vs, struct value *v, size_t bytes)
{
	v->bytes = bytes;
	v->counted = true;
	DL_APPEND(vs->lru, v);
	vs->bytes += bytes;
	trim(vs, v);
}

void value_set(struct values *vs, struct value *v, int err, const char *why, struct blob *blob, size_t more)
{
	v->ready = true;
	v->err = err;
	v->blob = blob ? blob_ref(blob) : NULL;
	v->why = err && why ? strdup(why) : NULL;
	value_count(vs, v, more + (blob ? blob_len(blob) : 0) + (v->why ? strlen(v->why) + 1 : 0));
}

void value_touch(struct values *vs, struct value *v)
{
	if (v->pins)
		return;
	DL_DELETE(vs->lru, v);
	DL_APPEND(vs->lru, v);
}

void value_pin(struct values *vs, struct value *v)
{
	if (v->pins++ == 0)
		DL_DELETE(vs->lru, v);
}

void value_unpin(struct values *vs, struct value *v)
{
	if (--v->pins == 0)
		DL_PREPEND(vs->lru, v);
}

void value_done(struct values *vs, struct value *v)
{
	if (v->counted) {
		DL_DELETE(vs->lru, v);
		vs->bytes -= v->bytes;
		vs->let_go += v->bytes < HEAP_MAPPED ? v->bytes : 0;
	}
	blob_unref(v->blob);
	free(v->why);
}

int value_get(struct values *vs, struct value *v, char *why, struct blob **ret_blob)
{
	value_touch(vs, v);
	*ret_blob = v->blob ? blob_ref(v->blob) : NULL;
	snprintf(why, SAMPLES_WHY_MAX, "%s", v->why ? v->why : "there was no memory to keep the reason");
	return v->err;
}

void value_drop_waiters(struct value *v, struct value_waiter **gone)
{
	struct value_waiter *w, *tmp;

	LL_FOREACH_SAFE(v->waiters, w, tmp) {
		if (is_wanted(w->wanted))
			continue;
		LL_DELETE(v->waiters, w);
		LL_PREPEND(*gone, w);
	}
}

void value_tell(struct value_waiter *list, int err, const char *why, struct blob *blob)
{
	struct value_waiter *w, *tmp;

	LL_FOREACH_SAFE(list, w, tmp) {
		w->done(w->arg, err, err ? why : NULL, err ? NULL : blob);
		free(w);
	}
}

bool values_shrink(struct values *vs, size_t taken)
{
	const size_t most = vs->capacity - vs->capacity / 4;
	bool much;

	vs->taken = taken < most ? taken : most;
	trim(vs, NULL);
	much = vs->let_go > vs->capacity / 16;
	vs->let_go = much ? 0 : vs->let_go;
	return much;
}
