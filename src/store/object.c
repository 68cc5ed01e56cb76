#include "store/object.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct object *object_new(const char *key, const struct object_meta *meta)
{
	/* Caches name objects by id, so an id must outlive its object. */
	static _Atomic uint64_t last_id;
	size_t key_len = strlen(key);
	struct object *o = malloc(offsetof(struct object, key) + key_len + 1);

	if (!o)
		return NULL;
	ref_init(&o->refs);
	o->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	o->meta = *meta;
	memcpy(o->key, key, key_len + 1);
	return o;
}

struct object *object_ref(struct object *o)
{
	ref_take(&o->refs);
	return o;
}

void object_unref(struct object *o)
{
	if (o && ref_drop(&o->refs))
		free(o);
}
