/* ops_attr.c - extended attributes: user.s3samplefs.key, .etag, .error. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/fs_priv.h"
#include "store/object.h"

#define PREFIX "user.s3samplefs."

enum { ATTR_KEY, ATTR_ETAG, ATTR_ERROR, ATTR_COUNT };
static const char *const attr_names[ATTR_COUNT] = { PREFIX "key", PREFIX "etag", PREFIX "error" };

/* The attribute's value, or false: it has none. */
static bool attr_value(struct fsys *fs, const struct inode *i, int attr, char *value, size_t size)
{
	if (i->kind != INODE_NODE)
		return false;
	switch (attr) {
	case ATTR_KEY:
		snprintf(value, size, "%s", i->node->obj ? i->node->obj->key : i->node->path);
		return true;
	case ATTR_ETAG:
		snprintf(value, size, "%s", i->node->obj ? i->node->obj->meta.etag : "");
		return i->node->obj != NULL;
	default:
		inodes_get_why(fs->inodes, i, value, size);
		return value[0] != '\0';
	}
}

static void reply_value(fuse_req_t req, const char *value, size_t len, size_t size)
{
	if (size == 0)
		fuse_reply_xattr(req, len);
	else if (size < len)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value, len);
}

void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fsys *fs = fuse_req_userdata(req);
	struct inode *i = inodes_by_id(fs->inodes, ino);
	char value[2048];

	for (int a = 0; i && a < ATTR_COUNT; a++) {
		if (strcmp(name, attr_names[a]) != 0)
			continue;
		if (!attr_value(fs, i, a, value, sizeof(value)))
			break;
		reply_value(req, value, strlen(value), size);
		inode_unref(i);
		return;
	}
	inode_unref(i);
	fuse_reply_err(req, ENODATA);
}

void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fsys *fs = fuse_req_userdata(req);
	struct inode *i = inodes_by_id(fs->inodes, ino);
	char value[2048], list[256];
	size_t len = 0;

	for (int a = 0; i && a < ATTR_COUNT; a++) {
		if (!attr_value(fs, i, a, value, sizeof(value)))
			continue;
		memcpy(list + len, attr_names[a], strlen(attr_names[a]) + 1);
		len += strlen(attr_names[a]) + 1;
	}
	inode_unref(i);
	reply_value(req, list, len, size);
}
