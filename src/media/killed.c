#include "media/killed.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/table.h"

#define KILLED_MAX 1000u              /* the oldest is forgotten: it will be killed again, or not */

struct key {
	uint64_t object, kind;
};

struct killed {
	UT_hash_handle hh;
	struct key key;
	uint64_t until_ms;
	char why[SAMPLES_WHY_MAX];
};

static void forget(struct killed **set, struct killed *k)
{
	HASH_DEL(*set, k);
	free(k);
}

void killed_note(struct killed **set, uint64_t object, uint64_t kind, uint64_t now_ms, uint64_t ttl_ms,
                 const char *why)
{
	const struct key key = { object, kind };
	struct killed *k;

	HASH_FIND(hh, *set, &key, sizeof(key), k);
	if (k)
		forget(set, k);
	k = calloc(1, sizeof(*k));
	if (!k)
		return;
	k->key = key;
	k->until_ms = ttl_ms < UINT64_MAX - now_ms ? now_ms + ttl_ms : UINT64_MAX;
	snprintf(k->why, sizeof(k->why), "%s", why);
	if (HASH_COUNT(*set) >= KILLED_MAX)
		forget(set, *set);
	HASH_ADD(hh, *set, key, sizeof(k->key), k);
	if (!table_added(k))
		free(k);
}

const char *killed_why(struct killed **set, uint64_t object, uint64_t kind, uint64_t now_ms)
{
	const struct key key = { object, kind };
	struct killed *k;

	HASH_FIND(hh, *set, &key, sizeof(key), k);
	if (!k)
		return NULL;
	if (now_ms < k->until_ms)
		return k->why;
	forget(set, k);
	return NULL;
}

void killed_free(struct killed **set)
{
	while (*set)
		forget(set, *set);
}
