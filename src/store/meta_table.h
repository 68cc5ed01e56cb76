/* meta_table.h - what meta knows, by name: a hash table with an LRU bound in bytes.
 *
 * Pure memory: no lock (meta's is held around every call), no clock, no store.
 * What is known is dated by the request that told it: answers may overtake each
 * other, and the one asked later counts. */
#ifndef S3SAMPLEFS_STORE_META_TABLE_H
#define S3SAMPLEFS_STORE_META_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"
#include "store/object.h"

enum meta_kind { META_OBJECT = 'o', META_DIR = 'd' };
enum meta_state { META_UNKNOWN, META_PRESENT, META_ABSENT };

/* When a request was sent. */
struct meta_date {
	uint64_t seq; /* orders requests; 0 is before all */
	uint64_t ms;  /* clock_ms() */
};

struct meta_flight;

struct meta_entry {
	UT_hash_handle hh;
	struct meta_entry *prev, *next;  /* LRU, when no flight */
	struct meta_flight *flight;      /* look-up under way that may be joined; keeps the entry */
	enum meta_state state;
	struct meta_date date;           /* of state */
	struct object *obj;              /* newest version known, even if too old to be believed */
	uint64_t forgotten_id;           /* objects up to this id were declared outdated */
	char name[];                     /* kind, then key or prefix */
};

struct meta_table {
	struct meta_entry *entries;      /* by name */
	struct meta_entry *lru;          /* least recently used first */
	size_t bytes, max_bytes;         /* meta_entry_bytes of each */
	uint64_t last_id;                /* of the objects made here */
};

/* Memory of an entry, with its place in the tables and its object: bytes. */
size_t meta_entry_bytes(size_t key_len, bool has_object);

void meta_table_init(struct meta_table *t, size_t max_bytes);
void meta_table_done(struct meta_table *t);

/* Another bound: entries may have to go. */
void meta_table_set_max(struct meta_table *t, size_t max_bytes);

/* len bytes of key; at most OBJECT_KEY_MAX. NULL if nothing is known. */
struct meta_entry *meta_table_find(struct meta_table *t, enum meta_kind kind, const char *key,
                                   size_t len);

/* The same, made if it isn't there (others may go for it). NULL: no memory. */
struct meta_entry *meta_table_get(struct meta_table *t, enum meta_kind kind, const char *key,
                                  size_t len);

/* Makes e the most recently used. */
void meta_table_touch(struct meta_table *t, struct meta_entry *e);

/* Sets the flight of an entry that may have none, or takes it away (NULL). An
 * entry that then says nothing goes. */
void meta_table_set_flight(struct meta_table *t, struct meta_entry *e, struct meta_flight *flight);

/* Learns that key is there in this version. *ret_obj gets a reference: to the
 * object known already if the version is the same, else to a new one. Returns 0
 * or -ENOMEM. Keys over OBJECT_KEY_MAX get an object and aren't remembered. */
int meta_table_learn_object(struct meta_table *t, const char *key, const struct object_meta *meta,
                            struct meta_date date, struct object **ret_obj);

/* Learns that an object isn't there, or that a directory is or isn't. Without
 * memory nothing is learned. */
void meta_table_learn(struct meta_table *t, enum meta_kind kind, const char *key, size_t len,
                      enum meta_state state, struct meta_date date);

/* Forgets key: what was asked before date doesn't count any more. */
void meta_table_forget(struct meta_table *t, const char *key, struct meta_date date);

/* False if the table knows that obj is no longer the version there. */
bool meta_table_current(struct meta_table *t, const struct object *obj);

#endif
