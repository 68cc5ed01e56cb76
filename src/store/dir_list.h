/* dir_list.h - a folder's tree as pages of keys, in the order S3 lists them.
 *
 * Keys come in bytewise order, in which a directory stands as "name/": `a`,
 * `a-x`, `a.mp4`, `a/b`. Only regular files are objects, hidden ones too. A
 * directory with nothing to list in it shows as an object of no bytes named
 * `dir/`, which is how S3's tools make an empty directory; as there, one level
 * up and with a delimiter that gives a common prefix. Left out: names with a
 * newline, keys over OBJECT_KEY_MAX bytes, links that lead outside, links to
 * a directory that the link itself lies in, so that no listing is endless, and
 * mounts of this program (mounts.h).
 */
#ifndef S3SAMPLEFS_STORE_DIR_LIST_H
#define S3SAMPLEFS_STORE_DIR_LIST_H

#include <sys/stat.h>

#include "store/beneath.h"
#include "store/store.h"

#define DIR_LIST_PAGE 10000 /* entries of a page where max_keys is 0, and the most of any */

/* Now, as the kernel would date a file, in ns. */
int64_t dir_list_clock(void);

/* The version of a regular file: its inode, size and mtime. A file that was written since
 * opened_ns may be written again and its mtime put back, so of such its ctime counts too; of
 * older ones it doesn't: chmod, hard links and restores change it, and no content. */
void dir_list_version(const struct stat *st, int64_t opened_ns, struct object_meta *ret_meta);

/* Lists one page of the folder. A prefix below which nothing is
 * gives an empty page. The token is the last name of the page before. Blocks.
 * Returns 0, and *ret_page is to be freed with dir_list_free(); or -errno with
 * why[STORE_WHY_MAX] filled: -EACCES or -EIO when the prefix's own directory
 * can't be read (those below it are skipped with a warning), -ESTALE when it was
 * there for an earlier page and isn't any more, -ENOMEM. */
int dir_list_page(struct beneath *folder, int64_t opened_ns, const struct store_list *l, struct stats *stats, char *why,
                  struct store_page *ret_page);

void dir_list_free(struct store_page *page);

#endif
