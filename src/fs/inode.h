/* inode.h - what the kernel knows: nodeids. A nodeid is one (path, version), so
 * the kernel's pages of it never have to be thrown away; st_ino is a hash of
 * the path, the same after a remount.
 *
 * A newer version of a path gets a new nodeid, and the older one is superseded:
 * its open handles live on, opening it anew answers ESTALE, and the kernel looks
 * the path up again. */
#ifndef S3SAMPLEFS_FS_INODE_H
#define S3SAMPLEFS_FS_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/ref.h"
#include "view/view.h"

struct inodes;
struct stats;

enum inode_kind { INODE_ROOT, INODE_CONTROL_DIR, INODE_CONTROL, INODE_NODE };

struct inode {
	struct ref refs;
	uint64_t id;              /* nodeid; the root's is 1 */
	enum inode_kind kind;
	int control;              /* INODE_CONTROL: which file */
	struct node *node;        /* INODE_NODE */
	char *path;               /* below the mount, without leading slash; "" for the root */
};

/* capacity: bytes that all of them should take. A look-up gets its inode all the
 * same, and then others are to be recalled. */
struct inodes *inodes_new(struct stats *stats, int64_t mount_time_ns, size_t capacity);
void inodes_free(struct inodes *t);  /* NULL allowed */

/* All return a reference, or NULL. */
struct inode *inodes_by_id(struct inodes *t, uint64_t id);

/* The inode of this (path, version), made if need be; the kernel's count goes up
 * by one. dir: of the parent; name: appended to its path. NULL: out of memory. */
struct inode *inodes_node(struct inodes *t, const struct inode *dir, const char *name, struct node *n);
struct inode *inodes_control(struct inodes *t, enum inode_kind kind, int control, const struct inode *dir,
                             const char *name);
void inode_unref(struct inode *i);  /* NULL allowed */

/* A file has been opened: the kernel may have pages of it. */
void inodes_opened(struct inodes *t, struct inode *i);

/* inode_recall.c: */

/* No room for inodes that nobody has asked for. */
bool inodes_full(struct inodes *t);

/* Bytes beyond capacity; *ret_to_free: as many as should go, so that an eighth of it is
 * free again, 0 if nothing is beyond. */
size_t inodes_excess(struct inodes *t, size_t *ret_to_free);

/* Chooses nodeids that the kernel is to be asked to forget: superseded ones and index.csv
 * always; for *to_free bytes, which goes down, directories, and files never opened, the
 * oldest first, then others, of which one in eight goes. Those in use are passed over,
 * and those that were chosen within the last seconds. now_ms: clock_ms(). Returns how
 * many; fewer than there is room for: it is worth asking again only later. */
#define INODES_RECALLS 512u
size_t inodes_choose_recalls(struct inodes *t, uint64_t now_ms, uint64_t ids[INODES_RECALLS], size_t *to_free);

/* The kernel forgets n look-ups. */
void inodes_forget(struct inodes *t, uint64_t id, uint64_t n);

void inodes_supersede(struct inodes *t, struct inode *i);
bool inodes_superseded(struct inodes *t, const struct inode *i);

/* The sentence of the last failure on this inode. inodes_why copies it; "" if none. */
void inodes_set_why(struct inodes *t, struct inode *i, const char *why);
void inodes_get_why(struct inodes *t, const struct inode *i, char *why, size_t size);

/* st_ino, mode, size, times. */
void inodes_attr(const struct inodes *t, const struct inode *i, struct stat *ret);
uint64_t inode_number(const char *path);

/* The same for an entry that has no inode yet. */
void inodes_node_attr(const struct inodes *t, const char *path, const struct node *n, struct stat *ret);

#endif
