/* catalog_csv.h - a table of samples as index.csv and classes.txt. */
#ifndef S3SAMPLEFS_VIEW_CATALOG_CSV_H
#define S3SAMPLEFS_VIEW_CATALOG_CSV_H

#include <stddef.h>

struct blob;
struct catalog_rows;

/* The length of index.csv (path,split,label,class,video,audio,etag,size), and its text into a
 * blob of just that. 0 or -ENOMEM. */
int catalog_csv_size(const struct catalog_rows *r, size_t *ret_size);
int catalog_csv_index(const struct catalog_rows *r, size_t size, struct blob **ret_index);

/* One label a line, by number of class. NULL: no memory. */
struct blob *catalog_csv_classes(const struct catalog_rows *r);

#endif
