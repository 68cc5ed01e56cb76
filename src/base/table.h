/* table.h - uthash, made to report a failed allocation instead of exiting.
 *
 * After HASH_ADD*(hh, table, ..., elt) ask table_added(elt): false means there
 * was no memory and elt is in no table. */
#ifndef S3SAMPLEFS_BASE_TABLE_H
#define S3SAMPLEFS_BASE_TABLE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#define table_added(elt) ((elt)->hh.tbl != NULL)

#endif
