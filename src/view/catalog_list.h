/* catalog_list.h - from a list of all keys to index.csv and classes.txt. Pure
 * memory; one user at a time. */
#ifndef S3SAMPLEFS_VIEW_CATALOG_LIST_H
#define S3SAMPLEFS_VIEW_CATALOG_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "view/catalog.h"

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
/* What a store that doesn't sort has sent: puts it in bytewise order, each key once. */
void catalog_list_sort(struct catalog_list *l);

void catalog_list_done(struct catalog_list *l);

/* Sorts out the labels of v's samples into *ret (labels, n_labels). Samples that no directory can
 * have as its name aren't any, and counted. 0 or -ENOMEM. */
int catalog_list_labels(const struct catalog_list *l, const struct view *v, struct catalog_data *ret,
                        size_t *ret_left_out);

/* The length of index.csv, and its text into a blob of just that. Labels are there
 * already. -ENOMEM. */
int catalog_list_index_size(const struct catalog_list *l, const struct view *v, const struct catalog_data *d,
                            size_t *ret_size);
int catalog_list_index(const struct catalog_list *l, const struct view *v, const struct catalog_data *d, size_t size,
                       struct blob **ret_index);

/* One label a line. NULL: no memory. */
struct blob *catalog_classes(const struct catalog_data *d);

#endif
