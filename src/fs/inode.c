#include "fs/inode.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/stats.h"
#include "base/table.h"
#include "base/text.h"
#include "store/object.h"

/* An inode and what only the table looks at. */
struct record {
	struct inode inode;       /* first: the two are one */
	struct inodes *table;
	struct inode *parent;     /* a reference, so that a directory outlives its entries; NULL: the root */
	size_t bytes;             /* but for why */
	/* lock: */
	UT_hash_handle by_id;
	UT_hash_handle by_path;   /* only the newest version of a path */
	uint64_t lookups;         /* the kernel's */
	bool superseded;
	bool recalled;            /* the kernel has been asked to forget it */
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
	size_t recalled_bytes;    /* of those recalled and not gone yet */
	uint64_t lot;             /* state of the lots drawn */
};

static struct record *record_of(const struct inode *i) { return (struct record *)(uintptr_t)i; }

static struct inode *inode_ref(const struct inode *i)
{
	atomic_fetch_add(&record_of(i)->inode.refs, 1);
	return &record_of(i)->inode;
}

static struct record *record_new(struct inodes *t, char *path)
{
	struct record *r = calloc(1, sizeof(*r));

	if (!r || !path) {
		free(r);
		free(path);
		return NULL;
	}
	r->table = t;
	r->inode.refs = 1;
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
}

static void set_recalled_locked(struct inodes *t, struct record *r, bool recalled)
{
	if (r->recalled == recalled)
		return;
	r->recalled = recalled;
	t->recalled_bytes += recalled ? r->bytes : -r->bytes;
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
	return true;
}

static void supersede_locked(struct inodes *t, struct record *r)
{
	if (r->superseded)
		return;
	r->superseded = true;
	HASH_DELETE(by_path, t->paths, r);
}

/* Out of the table; the table's reference is the caller's to drop. */
static void remove_locked(struct inodes *t, struct record *r)
{
	HASH_DELETE(by_id, t->ids, r);
	if (!r->superseded)
		HASH_DELETE(by_path, t->paths, r);
	stats_add(t->stats, STAT_inodes, -1);
	count_locked(t, r, false);
	set_recalled_locked(t, r, false);
}

void inode_unref(struct inode *i)
{
	if (!i || atomic_fetch_sub(&i->refs, 1) > 1)
		return;
	free(record_of(i)->why);
	inode_unref(record_of(i)->parent);
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
	t->lot = 1;
	t->mounted = (struct timespec){ mount_time_ns / 1000000000, mount_time_ns % 1000000000 };
	t->uid = getuid();
	t->gid = getgid();
	t->next_id = 1;
	pthread_mutex_init(&t->lock, NULL);
	root = record_new(t, strdup(""));
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
		atomic_fetch_add(&r->inode.refs, 1);
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
		set_recalled_locked(t, old, false);
		atomic_fetch_add(&old->inode.refs, 1);
		pthread_mutex_unlock(&t->lock);
		free(path);
		return &old->inode;
	}
	r = record_new(t, path);
	if (r) {
		r->inode.kind = kind;
		r->inode.control = control;
		r->inode.node = n ? node_ref(n) : NULL;
		r->lookups = 1;
		r->parent = inode_ref(dir);
		if (old)
			supersede_locked(t, old);
		added = add_locked(t, r);
		if (added)
			atomic_fetch_add(&r->inode.refs, 1);
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

bool inodes_full(struct inodes *t)
{
	bool full;

	pthread_mutex_lock(&t->lock);
	full = t->bytes >= t->capacity;
	pthread_mutex_unlock(&t->lock);
	return full;
}

/* May the kernel be asked to forget it? Of directories only those that stand for an
 * object, once nothing in them is known: few have others, and people live in them. A
 * name in a directory with a stalled request would wait in the kernel for that. */
static bool can_recall_locked(const struct record *r)
{
	const struct node *n = r->inode.node;

	return n && !r->recalled && !r->superseded && (!n->is_dir || n->obj) && r->parent &&
	       atomic_load(&r->inode.refs) == 1 && atomic_load(&r->parent->stalled) == 0;
}

/* xorshift64: a lot that is won in share of 2^32 cases. */
static bool draw_locked(struct inodes *t, uint64_t share)
{
	t->lot ^= t->lot << 13;
	t->lot ^= t->lot >> 7;
	t->lot ^= t->lot << 17;
	return (t->lot >> 32) < share;
}

struct choice {
	struct recall *list;
	size_t n, room;
	size_t bytes, wanted;
};

/* Chooses r. False: that is enough. */
static bool choose_locked(struct inodes *t, struct record *r, struct choice *c)
{
	const char *slash = strrchr(r->inode.path, '/');
	char *name;

	if (c->n == c->room) {
		const size_t room = c->room ? 2 * c->room : 64;
		struct recall *list = reallocarray(c->list, room, sizeof(*list));

		if (!list)
			return false;
		c->list = list;
		c->room = room;
	}
	name = strdup(slash ? slash + 1 : r->inode.path);
	if (!name)
		return false;
	c->list[c->n++] = (struct recall){ r->parent->id, name };
	c->bytes += r->bytes;
	set_recalled_locked(t, r, true);
	return c->bytes < c->wanted;
}

size_t inodes_choose_recalls(struct inodes *t, struct recall **ret_list)
{
	struct choice c = { 0 };
	const size_t target = t->capacity - t->capacity / 8;
	struct record *r, *next;
	size_t left, used = 0;

	pthread_mutex_lock(&t->lock);
	left = t->bytes - t->recalled_bytes;
	if (t->bytes <= t->capacity || left <= target)
		goto out;
	c.wanted = left - target;
	HASH_ITER(by_id, t->ids, r, next) {  /* oldest first */
		if (!can_recall_locked(r))
			continue;
		if (atomic_load(&r->inode.used))
			used += r->bytes;
		else if (!choose_locked(t, r, &c))
			goto out;
	}
	if (used == 0)
		goto out;
	const uint64_t share = ((uint64_t)(c.wanted - c.bytes) << 20) / used << 12;
	HASH_ITER(by_id, t->ids, r, next)
		if (can_recall_locked(r) && draw_locked(t, share) && !choose_locked(t, r, &c))
			break;
out:
	pthread_mutex_unlock(&t->lock);
	*ret_list = c.list;
	return c.n;
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
	if (n->mtime_ns > 0) {
		ret->st_mtim.tv_sec = n->mtime_ns / 1000000000;
		ret->st_mtim.tv_nsec = n->mtime_ns % 1000000000;
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
