#include "fs/inode_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/stats.h"
#include "base/text.h"
#include "store/object.h"

static struct record *record_of(const struct inode *i) { return (struct record *)(uintptr_t)i; }

static struct record *record_new(char *path)
{
	struct record *r = calloc(1, sizeof(*r));

	if (!r || !path) {
		free(r);
		free(path);
		return NULL;
	}
	ref_init(&r->inode.refs);
	r->queue = QUEUE_NONE;
	r->inode.path = path;
	return r;
}

/* All that goes with an inode: the record, its places in two tables, its texts and its node. */
static size_t record_bytes(const struct record *r)
{
	return sizeof(*r) + 4 * sizeof(void *) + strlen(r->inode.path) + 1 +
	       (r->inode.node ? node_bytes(r->inode.node) : 0);
}

static void count_locked(struct inodes *t, const struct record *r, bool more)
{
	const size_t bytes = r->bytes + (r->why ? strlen(r->why) + 1 : 0);

	t->bytes += more ? bytes : -bytes;
	stats_add(t->stats, STAT_inode_bytes, more ? (int64_t)bytes : -(int64_t)bytes);
	stats_max(t->stats, STAT_inode_bytes_max, (int64_t)t->bytes);
}

/* False: out of memory, r is in no table. */
static bool add_locked(struct inodes *t, struct record *r)
{
	r->inode.id = t->next_id++;
	HASH_ADD(by_id, t->ids, inode.id, sizeof(r->inode.id), r);
	if (!r->by_id.tbl)
		return false;
	HASH_ADD_KEYPTR(by_path, t->paths, r->inode.path, strlen(r->inode.path), r);
	if (!r->by_path.tbl) {
		HASH_DELETE(by_id, t->ids, r);
		return false;
	}
	stats_add(t->stats, STAT_inodes, 1);
	r->bytes = record_bytes(r);
	count_locked(t, r, true);
	if (r->inode.kind == INODE_NODE)
		record_queue_locked(t, r, r->inode.node->content && !r->inode.node->obj ? QUEUE_STALE : QUEUE_FRESH);
	return true;
}

static void supersede_locked(struct inodes *t, struct record *r)
{
	if (r->superseded)
		return;
	r->superseded = true;
	HASH_DELETE(by_path, t->paths, r);
	record_queue_locked(t, r, QUEUE_STALE);
}

/* Out of the table; the table's reference is the caller's to drop. */
static void remove_locked(struct inodes *t, struct record *r)
{
	HASH_DELETE(by_id, t->ids, r);
	if (!r->superseded)
		HASH_DELETE(by_path, t->paths, r);
	stats_add(t->stats, STAT_inodes, -1);
	count_locked(t, r, false);
	record_queue_locked(t, r, QUEUE_NONE);
}

void inode_unref(struct inode *i)
{
	if (!i || !ref_drop(&i->refs))
		return;
	free(record_of(i)->why);
	node_unref(i->node);
	free(i->path);
	free(record_of(i));
}

struct inodes *inodes_new(struct stats *stats, int64_t mount_time_ns, size_t capacity)
{
	struct inodes *t = calloc(1, sizeof(*t));
	struct record *root;

	if (!t)
		return NULL;
	t->stats = stats;
	t->capacity = capacity;
	t->mounted = (struct timespec){ mount_time_ns / 1000000000, mount_time_ns % 1000000000 };
	t->uid = getuid();
	t->gid = getgid();
	t->next_id = 1;
	pthread_mutex_init(&t->lock, NULL);
	root = record_new(strdup(""));
	if (!root)
		goto no_memory;
	root->lookups = 1;
	root->inode.kind = INODE_ROOT;
	if (!add_locked(t, root))
		goto no_memory;
	return t;
no_memory:
	if (root)
		inode_unref(&root->inode);
	inodes_free(t);
	return NULL;
}

void inodes_free(struct inodes *t)
{
	struct record *r, *tmp;

	if (!t)
		return;
	HASH_ITER(by_id, t->ids, r, tmp) {
		remove_locked(t, r);
		inode_unref(&r->inode);
	}
	pthread_mutex_destroy(&t->lock);
	free(t);
}

struct inode *inodes_by_id(struct inodes *t, uint64_t id)
{
	struct record *r;

	pthread_mutex_lock(&t->lock);
	HASH_FIND(by_id, t->ids, &id, sizeof(id), r);
	if (r)
		ref_take(&r->inode.refs);
	pthread_mutex_unlock(&t->lock);
	return r ? &r->inode : NULL;
}

static char *child_path(const struct inode *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s%s%s", dir->path, dir->path[0] ? "/" : "", name) < 0)
		return NULL;
	return path;
}

/* A directory that stands for an object is that version of it: its files are. */
static bool same_object(const struct object *a, const struct object *b)
{
	if (a == b)
		return true;
	return a && b && a->meta.size == b->meta.size && a->meta.mtime_ns == b->meta.mtime_ns &&
	       strcmp(a->meta.etag, b->meta.etag) == 0;
}

static bool same(const struct inode *i, enum inode_kind kind, const struct node *n)
{
	if (i->kind != kind)
		return false;
	if (kind != INODE_NODE)
		return true;
	if (n->is_dir && !same_object(i->node->obj, n->obj))
		return false;
	return i->node->is_dir == n->is_dir && i->node->err == n->err && i->node->size == n->size &&
	       strcmp(i->node->version, n->version) == 0;
}

static struct inode *get(struct inodes *t, enum inode_kind kind, int control, const struct inode *dir,
                         const char *name, struct node *n)
{
	char *path = child_path(dir, name);
	struct record *r, *old;
	bool added = false;

	if (!path)
		return NULL;
	pthread_mutex_lock(&t->lock);
	HASH_FIND(by_path, t->paths, path, strlen(path), old);
	if (old && same(&old->inode, kind, n)) {
		old->lookups++;
		ref_take(&old->inode.refs);
		pthread_mutex_unlock(&t->lock);
		free(path);
		return &old->inode;
	}
	r = record_new(path);
	if (r) {
		r->inode.kind = kind;
		r->inode.control = control;
		r->inode.node = n ? node_ref(n) : NULL;
		r->lookups = 1;
		if (old)
			supersede_locked(t, old);
		added = add_locked(t, r);
		if (added)
			ref_take(&r->inode.refs);
	}
	pthread_mutex_unlock(&t->lock);
	if (r && !added)
		inode_unref(&r->inode);
	return added ? &r->inode : NULL;
}

struct inode *inodes_node(struct inodes *t, const struct inode *dir, const char *name, struct node *n)
{
	return get(t, INODE_NODE, 0, dir, name, n);
}

struct inode *inodes_control(struct inodes *t, enum inode_kind kind, int control, const struct inode *dir,
                             const char *name)
{
	return get(t, kind, control, dir, name, NULL);
}

void inodes_forget(struct inodes *t, uint64_t id, uint64_t n)
{
	struct record *r;
	bool gone = false;

	pthread_mutex_lock(&t->lock);
	HASH_FIND(by_id, t->ids, &id, sizeof(id), r);
	if (r && r->inode.kind != INODE_ROOT) {
		r->lookups = r->lookups > n ? r->lookups - n : 0;
		gone = r->lookups == 0;
		if (gone)
			remove_locked(t, r);
	}
	pthread_mutex_unlock(&t->lock);
	if (gone)
		inode_unref(&r->inode);
}

void inodes_supersede(struct inodes *t, struct inode *i)
{
	pthread_mutex_lock(&t->lock);
	/* One that the kernel has forgotten is in no table any more. */
	if (record_of(i)->lookups > 0)
		supersede_locked(t, record_of(i));
	pthread_mutex_unlock(&t->lock);
}

bool inodes_superseded(struct inodes *t, const struct inode *i)
{
	bool superseded;

	pthread_mutex_lock(&t->lock);
	superseded = record_of(i)->superseded;
	pthread_mutex_unlock(&t->lock);
	return superseded;
}

void inodes_set_why(struct inodes *t, struct inode *i, const char *why)
{
	char *copy = strdup(why);

	pthread_mutex_lock(&t->lock);
	/* One that the kernel has forgotten is in no table any more, and not counted. */
	if (record_of(i)->lookups > 0)
		count_locked(t, record_of(i), false);
	free(record_of(i)->why);
	record_of(i)->why = copy;
	if (record_of(i)->lookups > 0)
		count_locked(t, record_of(i), true);
	pthread_mutex_unlock(&t->lock);
}

void inodes_get_why(struct inodes *t, const struct inode *i, char *why, size_t size)
{
	pthread_mutex_lock(&t->lock);
	snprintf(why, size, "%s", record_of(i)->why ? record_of(i)->why : "");
	pthread_mutex_unlock(&t->lock);
}

void inodes_opened(struct inodes *t, struct inode *i)
{
	struct record *r = record_of(i);

	pthread_mutex_lock(&t->lock);
	if (r->queue == QUEUE_FRESH)
		record_queue_locked(t, r, QUEUE_USED);
	pthread_mutex_unlock(&t->lock);
}

uint64_t inode_number(const char *path)
{
	uint64_t ino = path[0] ? text_hash64(path, strlen(path)) : 1;

	return ino > 1 || !path[0] ? ino : 2;
}

static void base_attr(const struct inodes *t, const char *path, bool is_dir, struct stat *ret)
{
	*ret = (struct stat){
		.st_ino = inode_number(path),
		.st_mode = is_dir ? S_IFDIR | 0555 : S_IFREG | 0444,
		.st_nlink = is_dir ? 2 : 1,
		.st_uid = t->uid,
		.st_gid = t->gid,
		.st_blksize = 4096,
		.st_mtim = t->mounted,
	};
	ret->st_atim = ret->st_ctim = ret->st_mtim;
}

void inodes_node_attr(const struct inodes *t, const char *path, const struct node *n, struct stat *ret)
{
	base_attr(t, path, n->is_dir, ret);
	ret->st_size = (off_t)n->size;
	ret->st_blocks = (blkcnt_t)((n->size + 511) / 512);
	if (n->mtime_ns != OBJECT_MTIME_UNKNOWN) {
		/* Before 1970 the nanoseconds still count forwards. */
		int64_t ns = n->mtime_ns % 1000000000;

		ret->st_mtim.tv_sec = n->mtime_ns / 1000000000 - (ns < 0);
		ret->st_mtim.tv_nsec = ns + (ns < 0 ? 1000000000 : 0);
		ret->st_atim = ret->st_ctim = ret->st_mtim;
	}
}

void inodes_attr(const struct inodes *t, const struct inode *i, struct stat *ret)
{
	if (i->kind == INODE_NODE)
		inodes_node_attr(t, i->path, i->node, ret);
	else
		base_attr(t, i->path, i->kind != INODE_CONTROL, ret);
}
