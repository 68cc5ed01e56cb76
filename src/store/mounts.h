/* mounts.h - where filesystems of this program are mounted, as the kernel's table tells.
 *
 * A folder that is served may hold the mount that serves it, or one that serves another
 * folder, from which it leads back here. Whoever steps into one asks a program that asks
 * for the same step in turn, until every thread waits. So who opens files of a folder asks
 * here first. Only /proc is read: asking the mounts themselves is what must not be done.
 *
 * All functions may be called from any thread. */
#ifndef S3SAMPLEFS_STORE_MOUNTS_H
#define S3SAMPLEFS_STORE_MOUNTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOUNTS_TYPE "fuse.s3samplefs"

/* One line of the table. */
struct mounts_entry {
	uint64_t id;
	bool ours;
};

struct mounts {
	int root;      /* the folder, borrowed */
	uint64_t root_id; /* of the mount that it lies in, which may be one of ours */
	int table;     /* /proc/self/mountinfo; -1: there is none */
	pthread_mutex_t lock;
	/* under lock: what the table said when it changed last */
	bool read;
	bool below;    /* one of ours lies below the folder */
	struct mounts_entry *v;
	size_t n;
};

void mounts_init(struct mounts *m, int root);
void mounts_done(struct mounts *m);

/* May a path below the folder lead into a filesystem of ours? True where nobody can tell. */
bool mounts_below(struct mounts *m);

/* Is what is open at fd (O_PATH is enough) in another filesystem of ours than the folder, or in
 * one that has been detached meanwhile? True where nobody can tell. */
bool mounts_is_ours(struct mounts *m, int fd);

/* For tests: the lines of a table, as an array to be freed; *ret_below as above, for the
 * folder at path root. Returns 0 or -ENOMEM. */
int mounts_parse(const char *text, size_t len, const char *root, struct mounts_entry **ret_v, size_t *ret_n,
                 bool *ret_below);

#endif
