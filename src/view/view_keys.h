/* view_keys.h - what the types of views write their tables of keys with. A table has `match`
 * first; whoever sets a key asks for all of a table. */
#ifndef S3SAMPLEFS_VIEW_VIEW_KEYS_H
#define S3SAMPLEFS_VIEW_VIEW_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/keys.h"
#include "view/view_config.h"

#define VIEW_KEY_HERE 1u   /* every row's `where` */

#define VIEW_KEY(key_name, key_kind) .name = key_name, .kind = key_kind, .where = VIEW_KEY_HERE
#define VIEW_AT(member) .offset = offsetof(struct view_config, member)
#define VIEW_KEY_LATER(key_name) { VIEW_KEY(key_name, KEY_LATER) }

#define VIEW_KEY_MATCH \
	{ VIEW_KEY("match", KEY_LIST), VIEW_AT(match), .nonempty = true, .check = view_is_glob, \
	  .accepts = "patterns of object names such as *.mp4, with blanks between them and without /" }

/* Where in time, and what of errors: of all that is decoded. */
#define VIEW_KEYS_WINDOW \
	VIEW_KEY_LATER("span"), VIEW_KEY_LATER("position"), VIEW_KEY_LATER("start"), VIEW_KEY_LATER("seed"), \
	VIEW_KEY_LATER("epoch"), VIEW_KEY_LATER("clips"), VIEW_KEY_LATER("segment"), VIEW_KEY_LATER("stride"), \
	VIEW_KEY_LATER("on_error")

#define VIEW_KEYS_TABLE(rows) { rows, sizeof(rows) / sizeof(rows[0]) }

/* A pattern of base names. */
bool view_is_glob(const char *s);

/* Endings that most types show. */
#define VIEW_VIDEO_GLOBS \
	"*.mp4 *.m4v *.mov *.mkv *.webm *.avi *.ts *.m2ts *.mts *.mpg *.mpeg *.wmv *.flv *.3gp *.ogv"
#define VIEW_AUDIO_GLOBS \
	"*.wav *.mp3 *.m4a *.aac *.flac *.ogg *.oga *.opus *.wma *.aif *.aiff *.au *.mka *.ac3 *.amr"

#endif
