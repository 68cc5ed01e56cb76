/* inode_priv.h - what inode.c (which there are) and inode_recall.c (which may go) share. */
#ifndef S3SAMPLEFS_FS_INODE_PRIV_H
#define S3SAMPLEFS_FS_INODE_PRIV_H

#include <pthread.h>

#include "base/table.h"
#include "fs/inode.h"

/* In which order the kernel is asked to forget. */
enum record_queue {
	QUEUE_STALE,              /* of use only to those who have it open: superseded, or index.csv,
	                             whose content is large and in memory anyway */
	QUEUE_FRESH,              /* never opened */
	QUEUE_USED,               /* opened: the kernel may have pages */
	QUEUES,
	QUEUE_NONE = QUEUES,      /* the root, .s3samplefs; or out of the table */
};

/* An inode and what only the table looks at. */
struct record {
	struct inode inode;       /* first: the two are one */
	size_t bytes;             /* but for why */
	/* lock: */
	UT_hash_handle by_id;
	UT_hash_handle by_path;   /* only the newest version of a path */
	struct record *prev, *next;
	enum record_queue queue;
	uint64_t asked_ms;        /* when the kernel was last asked to forget it */
	uint64_t lookups;         /* the kernel's */
	bool superseded;
	char *why;
};

struct inodes {
	struct stats *stats;
	struct timespec mounted;
	size_t capacity;
	uid_t uid;
	gid_t gid;

	pthread_mutex_t lock;
	/* lock: */
	struct record *ids;
	struct record *paths;
	uint64_t next_id;
	size_t bytes;             /* of all records */
	struct record *queue[QUEUES];  /* oldest first; those passed over go to the end */
	size_t queued[QUEUES];
	unsigned passed;          /* of QUEUE_USED since the last one that was chosen */
};

/* Takes r out of its queue and puts it at the end of another; inode_recall.c. */
void record_queue_locked(struct inodes *t, struct record *r, enum record_queue queue);

#endif
