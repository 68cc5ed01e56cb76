/* object.h - one version of one object: (key, ETag) and what is known of it.
 * Immutable, shared by reference count; safe from any thread. */
#ifndef S3SAMPLEFS_STORE_OBJECT_H
#define S3SAMPLEFS_STORE_OBJECT_H

#include <stdint.h>

#include "base/ref.h"

#define OBJECT_KEY_MAX 1024  /* bytes; S3's own limit on keys */
#define OBJECT_MTIME_UNKNOWN INT64_MIN
#define OBJECT_ETAG_MAX 128  /* bytes with the NUL; S3 sends at most 40 */

struct object_meta {
	uint64_t size;               /* bytes */
	int64_t mtime_ns;            /* LastModified, ns since the epoch, or OBJECT_MTIME_UNKNOWN */
	char etag[OBJECT_ETAG_MAX];  /* quotes stripped, never empty */
};

struct object {
	struct ref refs;
	uint64_t id;                 /* unique in this process, never reused */
	struct object_meta meta;
	char key[];                  /* relative to the source's prefix */
};

/* One reference held by the caller; NULL when out of memory. */
struct object *object_new(const char *key, const struct object_meta *meta);
struct object *object_ref(struct object *o);
void object_unref(struct object *o);  /* NULL allowed */

#endif
