/* catalog_list.h - samples as a listing of all keys shows them. Pure memory; one user at a time. */
#ifndef S3SAMPLEFS_VIEW_CATALOG_LIST_H
#define S3SAMPLEFS_VIEW_CATALOG_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "view/catalog_rows.h"

struct catalog_spec;
struct object_meta;

struct catalog_item {
	char *key;
	uint64_t size;
	char *etag;
};

/* All zero: empty. Bytewise order, as listed. */
struct catalog_list {
	struct catalog_item *items;
	size_t n, room;
};

/* Bytes that one more item will take. */
size_t catalog_item_bytes(const char *key, const struct object_meta *meta);

int catalog_list_add(struct catalog_list *l, const char *key, const struct object_meta *meta);  /* 0, -ENOMEM */

/* Once all of it is there: in bytewise order and each key once, also where the listing wasn't. */
void catalog_list_sort(struct catalog_list *l);
void catalog_list_done(struct catalog_list *l);

struct catalog_listing {
	struct catalog_list list;
	const struct catalog_spec *spec;
	size_t left_out;   /* told by the source: samples whose names no directory can have */
};

/* The samples in it, in bytewise order. */
struct catalog_source catalog_list_source(struct catalog_listing *listing);

#endif
