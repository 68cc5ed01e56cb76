/* view_priv.h - what the files of the view layer share: the table row that is
 * a view type. */
#ifndef S3SAMPLEFS_VIEW_VIEW_PRIV_H
#define S3SAMPLEFS_VIEW_VIEW_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/keys.h"
#include "base/table.h"
#include "view/view.h"

struct buf;

#define VIEW_HEADER_MAX 256    /* bytes of a .npy header; that of what we show takes 128 */

typedef void view_size_fn(void *arg, int err, const char *why, uint64_t size);

struct view_ops {
	/* Ending that a file's name has after the object's; NULL: every object is
	 * a directory of `members`. */
	const char *ending;
	const char *const *members;    /* names, NULL-terminated */
	const char *const *root_files; /* names in the view's top directory, NULL-terminated; or NULL */

	/* The size of the object's file, by arithmetic. False: probe tells. */
	bool (*size)(const struct view *v, const struct object *obj, uint64_t *ret_size);
	void (*probe)(struct view *v, struct object *obj, const struct wanted *wanted, view_size_fn *done, void *arg);
	void (*read)(struct view_file *f, uint64_t off, size_t len, const struct wanted *wanted, view_read_fn *done,
	             void *arg);
	/* As view_read_now, with a span in which nothing is; NULL: never. */
	bool (*read_now)(struct view_file *f, uint64_t off, size_t len, struct view_span *ret);

	/* Which objects, beside the pattern of their names. NULL: all. */
	bool (*shows)(const struct view *v, const char *key);

	/* For types with members or root files: makes that node. obj is NULL for root files. listing: return
	 * what is known without asking anybody, by done called before returning. */
	void (*member)(struct view *v, struct object *obj, int member, bool listing, const struct wanted *wanted,
	               view_node_fn *done, void *arg);
};

/* A view that gives some of the parameters, and some of the files. */
struct view_part {
	enum view_type type;
	const char *key;               /* names its section: a key, and the string's place */
	size_t section;
};

struct view_default {
	const char *key, *value;       /* { NULL }: no more */
};

#define VIEW_PARTS_MAX 2

/* All there is to a type. A new one is a file with one of these, and a row in view_types.h. */
struct view_kind {
	const char *name;              /* "frames": also its default view's */
	const char *match;             /* globs of names that it shows by default */
	struct keys keys;              /* view_keys.h */
	const struct view_default *defaults;  /* NULL: none but the specs' own */
	/* What depends on several keys: 0 or -EINVAL with why. NULL: nothing does. */
	int (*check)(const struct view_config *v, char *why);
	/* Gives another view what it has of parameters. For those that are parts of others. */
	void (*lend)(struct view_config *to, const struct view_config *from);
	struct view_part parts[VIEW_PARTS_MAX];  /* their keys may stand behind its @ as well */
	unsigned n_parts;
	bool has_catalog;              /* lists all that it shows */
	const struct view_ops *ops;
};

const struct view_kind *view_kind(enum view_type type);

/* Parts of a samples view, by their place. */
enum { SAMPLES_FRAMES, SAMPLES_MFCC };

struct view {
	struct view_config cfg;
	const struct view_ops *ops;
	struct view_env env;
	struct view *parts[VIEW_PARTS_MAX];  /* views made of their specs, owned */
	struct catalog *catalog;       /* perhaps shared with other views, which outlive this */
	struct views *owner;
	struct view *whole;            /* of which this is a part; else NULL */

	/* Views made by NAME@key=value: */
	char *dynamic_name;            /* what it was asked for as; else NULL */
	UT_hash_handle hh;
	/* owner's lock: */
	unsigned refs;                 /* nodes, and who has found it */
	struct view *prev, *next;      /* among those that nobody has */
};

struct view_file {
	struct node *node;
	pthread_mutex_t lock;
	/* lock: */
	uint64_t expected;             /* where a reader from front to back would go on */
	uint64_t streamed;             /* bytes read without a gap so far */
	uint64_t ahead;                /* raw: read ahead up to here */

	/* Of a .npy: set once, by view_file_lay_out; then constant. */
	_Atomic bool laid_out;
	size_t header_len;
	uint64_t row_bytes;            /* what follows the header comes in rows, each in one piece */
	char header[VIEW_HEADER_MAX];
};

/* Notes a read and returns how many bytes have been read without a gap. READs
 * of one reader may arrive a little out of order. */
uint64_t view_file_streamed(struct view_file *f, uint64_t off, size_t len);

/* Notes what a .npy begins with, and how long its rows are, the first time. header: as npy_header
 * made it. -ENOMEM if it has failed or is too long. view_file_is_laid_out: has it been noted? */
int view_file_lay_out(struct view_file *f, const struct buf *header, uint64_t row_bytes);
bool view_file_is_laid_out(const struct view_file *f);

/* The bytes [off, off + len) of the header and of rows[0..count), of which the first is row
 * `first`, as parts. Returns how many: at most count + 1. */
unsigned view_file_parts(const struct view_file *f, uint64_t off, size_t len, struct blob *const *rows, uint64_t first,
                         struct iovec *ret_iov);

/* Which rows [off, off + len) touches: *ret_count of them, from *ret_first on; 0: the header only. */
void view_file_rows(const struct view_file *f, uint64_t off, size_t len, uint64_t *ret_first, uint64_t *ret_count);

/* Serves [off, off + len) of header followed by body. */
void view_reply_parts(const void *header, size_t header_len, const void *body, size_t body_len, uint64_t off,
                      size_t len, view_read_fn *done, void *arg);

/* True if the object's base name matches one of the view's patterns. */
bool view_matches(const struct view_config *c, const char *key);

/* Bytes of a view that its name's parameters made; 0 for others. */
size_t view_bytes(const struct view *v);

/* True if the view has files of the object, if there is one. */
bool view_shows(const struct view *v, const char *key);

/* True if the name at the view's top that leads to key is one of its own files'. */
bool view_hides(const struct view *v, const char *key);

#endif
