/* view_config.h - the parameters of one view: one [view NAME] section, or the
 * key=value list behind the @ in a directory's name. Values only; what a view
 * does with them is in view.h. */
#ifndef S3SAMPLEFS_VIEW_VIEW_CONFIG_H
#define S3SAMPLEFS_VIEW_VIEW_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "media/spec.h"
#include "view/view_types.h"

#define VIEW_WHY_MAX 512
_Static_assert(VIEW_WHY_MAX >= SPEC_WHY_MAX, "a spec says why into the same room");
#define VIEW_NAME_MAX 64   /* bytes; letters, digits, '-', '_' */

enum view_streams { STREAMS_AUTO, STREAMS_AV };
enum view_missing { MISSING_ZEROS, MISSING_ERROR };

struct view_config {
	char name[VIEW_NAME_MAX + 1];
	enum view_type type;
	char **match;               /* globs on the base name, NULL-terminated; never empty */
	struct frames_spec frames;  /* frames, samples */
	struct mfcc_spec mfcc;      /* mfcc, samples */
	bool win_length_set;        /* else it follows n_fft */

	/* samples */
	char *frames_view;          /* section that gives `frames` */
	char *mfcc_view;            /* section that gives `mfcc` */
	char *path;                 /* "{split}/{label}/" + "**", NULL: first directory that is no split name */
	char *audio;                /* "{dir}/{stem}.*"; NULL: always the own track */
	enum view_streams streams;
	enum view_missing missing;
	char **split_names;         /* NULL-terminated */
};

/* 1..VIEW_NAME_MAX letters, digits, '-', '_'. */
bool view_name_ok(const char *name);

/* A view of this type and name with its defaults. Returns 0, -EINVAL (name) or -ENOMEM. */
int view_config_init(struct view_config *v, enum view_type type, const char *name);
void view_config_done(struct view_config *v);
int view_config_copy(struct view_config *dst, const struct view_config *src);

/* "frames" -> VIEW_FRAMES. Returns 0, -EINVAL (no such type) or -ENOSYS (a type
 * that is not supported yet). */
int view_type_parse(const char *s, enum view_type *ret_type);
const char *view_type_name(enum view_type type);

/* "raw, frames, mfcc, info or samples", in names[VIEW_NAMES_MAX]; returns it. */
#define VIEW_NAMES_MAX 256
const char *view_type_names(char *names);

/* Has a view of any type such a key? */
bool view_config_has_key(const char *key);

/* Sets one key. Returns 0, -ENOENT (no such key for this type; why lists the
 * keys there are) or -EINVAL (why tells the accepted values). */
int view_config_set(struct view_config *v, const char *key, const char *value, char *why);

/* What stands behind the @ of a name: "key=value,key=value", in any order, then checked as a
 * whole. A samples view takes the keys of its frames and its MFCC too, but not those that
 * name other sections. Returns 0, -EINVAL with why, or -ENOMEM. After a failure v is of no use,
 * but has to be ended. */
int view_config_set_list(struct view_config *v, const char *list, char *why);

/* After all keys: checks what depends on several (win_length <= n_fft,
 * fmin < fmax, n_mfcc <= n_mels, num_frames=all <-> sampling ...). 0 or -EINVAL. */
int view_config_check(const struct view_config *v, char *why);

/* The views that v names for parameters: of each the type, the key, and the name it has there.
 * False: no more. */
bool view_config_part(const struct view_config *v, unsigned i, enum view_type *ret_type, const char **ret_key,
                      const char **ret_section);

/* Gives v the parameters that `from`, a part, has. */
void view_config_borrow(struct view_config *v, const struct view_config *from);

/* All keys and present values, "key = value\n" each, as in a section. */
struct buf;
void view_config_print(const struct view_config *v, struct buf *out);

#endif
