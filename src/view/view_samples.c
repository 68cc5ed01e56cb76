/* view_samples.c - type = samples: a directory a clip, with what a trainer
 * wants of it: frames.npy, mfcc.npy, label.txt, label.npy; index.csv and
 * classes.txt at the top. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/text.h"
#include "base/wanted.h"
#include "format/npy.h"
#include "store/list_guard.h"
#include "store/meta.h"
#include "view/catalog.h"
#include "view/name.h"
#include "view/view_keys.h"
#include "view/view_priv.h"

enum { FRAMES_NPY, MFCC_NPY, LABEL_TXT, LABEL_NPY };
static const char *const member_names[] = { "frames.npy", "mfcc.npy", "label.txt", "label.npy", NULL };

enum { INDEX_CSV, CLASSES_TXT };
static const char *const root_names[] = { "index.csv", "classes.txt", NULL };

/* One look-up of a member under way. */
struct ask {
	struct view *view;
	struct object *obj;        /* NULL for the files at the top */
	int member;
	char *audio_prefix;        /* mfcc.npy */
	struct list_guard guard;   /* mfcc.npy: the pages of the listing of it */
	uint64_t ttl_ms;           /* mfcc.npy: how long holds what there is beside the video */
	bool asked_again;          /* label.npy */
	const struct wanted *wanted;
	view_node_fn *done;
	void *arg;
};

static void ask_free(struct ask *a)
{
	object_unref(a->obj);
	free(a->audio_prefix);
	list_guard_done(&a->guard);
	free(a);
}

static struct ask *ask_new(struct view *v, struct object *obj, int member, const struct wanted *wanted,
                           view_node_fn *done, void *arg)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (!a) {
		done(arg, -ENOMEM, "not enough memory", NULL, 0);
		return NULL;
	}
	*a = (struct ask){
		.view = v,
		.obj = obj ? object_ref(obj) : NULL,
		.member = member,
		.wanted = wanted,
		.done = done,
		.arg = arg,
	};
	return a;
}

static void reply_label_txt(struct view *v, struct object *obj, view_node_fn *done, void *arg)
{
	struct name_class c;
	struct blob *text;

	name_classify(v->cfg.path, v->cfg.split_names, obj->key, &c);
	text = blob_copy(c.label, c.label_len);
	if (!text) {
		done(arg, -ENOMEM, "not enough memory", NULL, 0);
		return;
	}
	node_reply_content(v, obj->key, obj, LABEL_TXT, text, obj->meta.etag, v->env.metadata_ttl_ms, done, arg);
	blob_unref(text);
}

/* label.npy: int64, shape (), the class number. Its content depends on what
 * other labels there are, so that is part of its version. */
static void label_answer(void *arg, int err, const char *why, const struct catalog_data *data)
{
	struct ask *a = arg;
	struct view *v = a->view;
	struct name_class c;
	struct blob *file = NULL;
	struct buf out;
	char version[VIEW_VERSION_MAX];
	int64_t number;

	if (err) {
		a->done(a->arg, err, why, NULL, 0);
		ask_free(a);
		return;
	}
	name_classify(v->cfg.path, v->cfg.split_names, a->obj->key, &c);
	number = catalog_rows_class(data->rows, c.label, c.label_len);
	if (number < 0 && !a->asked_again) {
		/* Its class came up after the list was made. */
		a->asked_again = true;
		catalog_expire(v->catalog);
		catalog_get(v->catalog, a->wanted, label_answer, a);
		return;
	}
	buf_init(&out, 512);
	npy_header("<i8", NULL, 0, &out);
	buf_add(&out, &number, sizeof(number));
	if (number < 0)
		a->done(a->arg, -ENOENT, "its label is in no list of classes", NULL, 0);
	else if (buf_error(&out) || !(file = blob_copy(out.data, out.len)))
		a->done(a->arg, -ENOMEM, "not enough memory", NULL, 0);
	else {
		snprintf(version, sizeof(version), "%s:%lld", a->obj->meta.etag, (long long)number);
		node_reply_content(v, a->obj->key, a->obj, LABEL_NPY, file, version, data->ttl_ms, a->done, a->arg);
	}
	blob_unref(file);
	buf_done(&out);
	ask_free(a);
}

static void reply_mfcc(struct ask *a, struct object *sound, uint64_t ttl_ms)
{
	node_reply_sized(a->view->parts[SAMPLES_MFCC], sound, MFCC_NPY, false, ttl_ms, a->wanted, a->done, a->arg);
	ask_free(a);
}

static void fail_mfcc(struct ask *a, int err, const char *why)
{
	a->done(a->arg, err, why, NULL, 0);
	ask_free(a);
}

static bool is_sound(const struct ask *a, const char *key)
{
	return name_is_audio_of(a->audio_prefix, key) && view_matches(&a->view->parts[SAMPLES_MFCC]->cfg, key) &&
	       !view_matches(&a->view->cfg, key);
}

static void audio_answer(void *arg, int err, const char *why, const struct store_page *page, struct object *const *objects);

static void ask_audio(struct ask *a, const char *token)
{
	const struct store_list list = { .prefix = a->audio_prefix, .delimiter = true, .token = token };

	meta_list(a->view->env.meta, &list, audio_answer, a);
}

/* mfcc.npy comes from the object that the audio pattern finds, else from the
 * video's own track. */
static void audio_answer(void *arg, int err, const char *why, const struct store_page *page, struct object *const *objects)
{
	struct ask *a = arg;
	struct object *audio = NULL;

	if (!err)
		err = list_guard_check(&a->guard, page, &why);
	if (err) {
		/* That the listing is gone says nothing of the sample, which is there. */
		fail_mfcc(a, err == -ENOENT ? -ESTALE : err, why);
		return;
	}
	for (size_t i = 0; i < page->n && !audio; i++)
		if (!page->entries[i].is_prefix && is_sound(a, page->entries[i].name))
			audio = objects[i];
	if (audio || !page->next)
		reply_mfcc(a, audio ? audio : a->obj, a->view->env.metadata_ttl_ms);
	else if (!is_wanted(a->wanted))
		fail_mfcc(a, -ECANCELED, "nobody waits for it any more");
	else if (list_guard_pass(&a->guard, page) < 0)
		fail_mfcc(a, -ENOMEM, "not enough memory");
	else
		ask_audio(a, page->next);
}

static void listed_answer(void *arg, int err, const char *why, struct object *obj, uint64_t ttl_ms)
{
	struct ask *a = arg;

	if (err == -ENOENT)
		ask_audio(a, NULL);        /* gone since it was listed: what is there now? */
	else if (err)
		fail_mfcc(a, err, why);
	else
		reply_mfcc(a, obj, ttl_ms < a->ttl_ms ? ttl_ms : a->ttl_ms);
}

/* A listing of everything, or of the directory, has mostly shown it. */
static void find_audio(struct ask *a)
{
	struct meta *meta = a->view->env.meta;
	char *names, *name;
	int err;

	if (!a->view->cfg.audio) {
		reply_mfcc(a, a->obj, a->view->env.metadata_ttl_ms);
		return;
	}
	a->audio_prefix = name_audio_prefix(a->view->cfg.audio, a->obj->key);
	if (!a->audio_prefix) {
		fail_mfcc(a, -ENOMEM, "not enough memory");
		return;
	}
	err = meta_siblings(meta, a->audio_prefix, &names, &a->ttl_ms);
	if (err == -EAGAIN) {
		ask_audio(a, NULL);
		return;
	}
	if (err) {
		fail_mfcc(a, err, "not enough memory");
		return;
	}
	for (name = names; *name && !is_sound(a, name);)
		name += strlen(name) + 1;
	if (*name)
		meta_object(meta, name, listed_answer, a);
	else
		reply_mfcc(a, a->obj, a->ttl_ms);
	free(names);
}

static void root_answer(void *arg, int err, const char *why, const struct catalog_data *data)
{
	struct ask *a = arg;
	char version[VIEW_VERSION_MAX];
	struct blob *content;

	if (err) {
		a->done(a->arg, err, why, NULL, 0);
	} else {
		content = a->member == INDEX_CSV ? data->index_csv : data->classes_txt;
		snprintf(version, sizeof(version), "%016llx",
		         (unsigned long long)text_hash64(blob_data(content), blob_len(content)));
		node_reply_content(a->view, "", NULL, a->member, content, version, data->ttl_ms, a->done, a->arg);
	}
	ask_free(a);
}

/* In a listing nothing is asked of the store: what would have to be isn't sized. */
static void reply_unsized(struct view *v, struct object *obj, int member, view_node_fn *done, void *arg)
{
	struct node *n = node_new(v, false, obj ? obj->key : "", obj, member);

	if (!n) {
		done(arg, -ENOMEM, "not enough memory", NULL, 0);
		return;
	}
	done(arg, 0, NULL, n, 0);
	node_unref(n);
}

static void samples_member(struct view *v, struct object *obj, int member, bool listing, const struct wanted *wanted,
                           view_node_fn *done, void *arg)
{
	struct ask *a;

	if (obj && member == FRAMES_NPY) {
		node_reply_sized(v->parts[SAMPLES_FRAMES], obj, member, listing, v->env.metadata_ttl_ms, wanted, done, arg);
		return;
	}
	if (obj && member == LABEL_TXT) {
		reply_label_txt(v, obj, done, arg);
		return;
	}
	if (listing) {
		reply_unsized(v, obj, member, done, arg);
		return;
	}
	a = ask_new(v, obj, member, wanted, done, arg);
	if (!a)
		return;
	if (!obj)
		catalog_get(v->catalog, wanted, root_answer, a);
	else if (member == MFCC_NPY)
		find_audio(a);
	else
		catalog_get(v->catalog, a->wanted, label_answer, a);
}

static bool samples_shows(const struct view *v, const char *key)
{
	struct name_class class;

	return name_classify(v->cfg.path, v->cfg.split_names, key, &class);
}

static const struct view_ops ops = {
	.members = member_names,
	.root_files = root_names,
	.shows = samples_shows,
	.member = samples_member,
};

/* ---- keys ------------------------------------------------------------------------- */

static const char *const streams_names[] = { "auto", "av", NULL };
static const char *const streams_later[] = { "audio", "video", NULL };
static const char *const missing_names[] = { "zeros", "error", NULL };
static const char *const missing_later[] = { "skip", NULL };

_Static_assert(sizeof(enum view_streams) == sizeof(uint32_t), "KEY_CHOICE sets 32 bits");
_Static_assert(sizeof(enum view_missing) == sizeof(uint32_t), "KEY_CHOICE sets 32 bits");

static bool is_directory_name(const char *s)
{
	return strchr(s, '/') == NULL && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

/* Directories, {split} and {label}, each at most once and the label there,
 * then "**" for the rest of the key. */
static bool is_label_path(const char *s)
{
	bool split = false, label = false;

	while (strcmp(s, "**") != 0) {
		size_t len = strcspn(s, "/");
		bool is_split = len == 7 && strncmp(s, "{split}", len) == 0;
		bool is_label = len == 7 && strncmp(s, "{label}", len) == 0;

		if (len == 0 || !s[len] || (is_split && split) || (is_label && label))
			return false;
		if (!is_split && !is_label && strcspn(s, "{}*?") < len && !(len == 1 && *s == '*'))
			return false;
		split |= is_split;
		label |= is_label;
		s += len + 1;
	}
	return label;
}

/* "{dir}/{stem}.*": a key with {dir} and {stem} filled in, where only the last
 * part may be a glob, so that one listing finds it. */
static bool is_audio_pattern(const char *s)
{
	size_t len = strlen(s);
	const char *base = strrchr(s, '/');

	base = base ? base + 1 : s;
	if (!strstr(base, "{stem}") || len < 2 || strcmp(s + len - 2, ".*") != 0)
		return false;
	for (const char *p = s; p < s + len - 1; p++) {
		size_t name = strncmp(p, "{dir}", 5) == 0 ? 5 : strncmp(p, "{stem}", 6) == 0 ? 6 : 0;

		if (name == 0 && strchr("*?[{}", *p))
			return false;
		p += name ? name - 1 : 0;
	}
	return true;
}

static const struct key keys[] = {
	VIEW_KEY_MATCH,
	{ VIEW_KEY("frames", KEY_STRING), VIEW_AT(frames_view), .check = view_name_ok,
	  .nonempty = true, .accepts = "the name of a view of type frames" },
	{ VIEW_KEY("mfcc", KEY_STRING), VIEW_AT(mfcc_view), .check = view_name_ok,
	  .nonempty = true, .accepts = "the name of a view of type mfcc" },
	{ VIEW_KEY("path", KEY_STRING), VIEW_AT(path), .check = is_label_path,
	  .accepts = "directories with {label} and perhaps {split} or * among them, ending in **, such as "
	             "{split}/{label}/**" },
	{ VIEW_KEY("audio", KEY_STRING), VIEW_AT(audio), .check = is_audio_pattern,
	  .accepts = "a key with {dir} and {stem} in it that ends in .*, such as {dir}/{stem}.*" },
	{ VIEW_KEY("streams", KEY_CHOICE), VIEW_AT(streams), .choices = streams_names,
	  .later = streams_later },
	{ VIEW_KEY("missing", KEY_CHOICE), VIEW_AT(missing), .choices = missing_names,
	  .later = missing_later },
	{ VIEW_KEY("split_names", KEY_LIST), VIEW_AT(split_names),
	  .check = is_directory_name, .accepts = "names of directories with blanks between them" },
	VIEW_KEYS_WINDOW,
	VIEW_KEY_LATER("jitter"),
	VIEW_KEY_LATER("manifest"),
	VIEW_KEY_LATER("where"),
	VIEW_KEY_LATER("select"),
	VIEW_KEY_LATER("classes"),
	VIEW_KEY_LATER("split"),
	VIEW_KEY_LATER("weights"),
};

static const struct view_default defaults[] = {
	{ "frames", "frames" },
	{ "mfcc", "mfcc" },
	{ "audio", "{dir}/{stem}.*" },
	{ "split_names", "train val valid validation test" },
	{ "missing", "zeros" },
	{ 0 },
};

const struct view_kind view_kind_samples = {
	.name = "samples",
	.match = VIEW_VIDEO_GLOBS,
	.keys = VIEW_KEYS_TABLE(keys),
	.defaults = defaults,
	.parts = {
		[SAMPLES_FRAMES] = { VIEW_FRAMES, "frames", offsetof(struct view_config, frames_view) },
		[SAMPLES_MFCC] = { VIEW_MFCC, "mfcc", offsetof(struct view_config, mfcc_view) },
	},
	.n_parts = 2,
	.has_catalog = true,
	.ops = &ops,
};
