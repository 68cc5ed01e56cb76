/* view_info.c - type = info: a text about an object: its streams, its index,
 * which frames the default sampling takes and what they cost. Made of fixed
 * facts only, so that its size stays. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/buf.h"
#include "media/need.h"
#include "media/plan.h"
#include "media/proto.h"
#include "media/samples.h"
#include "store/object.h"
#include "view/view_keys.h"
#include "view/view_priv.h"

#define INFO_MAX ((size_t)1 << 20)   /* bytes */
#define TIMES_MAX 64u                /* chosen times that are listed */

/* One text being made, for a probe (size_done) or a read. */
struct info {
	struct view *view;
	struct object *obj;
	struct buf text;
	uint64_t off;
	size_t len;
	const struct wanted *wanted;
	struct blob *table;
	view_size_fn *size_done;
	view_read_fn *read_done;
	void *arg;
};

static void info_finish(struct info *f, int err, const char *why)
{
	if (!err && buf_error(&f->text)) {
		err = -ENOMEM;
		why = "not enough memory for the text";
	}
	if (f->size_done)
		f->size_done(f->arg, err, err ? why : NULL, f->text.len);
	else if (err)
		f->read_done(f->arg, err, why, NULL, 0);
	else
		view_reply_parts(NULL, 0, f->text.data, f->text.len, f->off, f->len, f->read_done, f->arg);
	buf_done(&f->text);
	blob_unref(f->table);
	object_unref(f->obj);
	free(f);
}

static void print_stream(struct buf *b, unsigned i, const struct table_stream *s, bool selected)
{
	const char *type = s->type == 'v' ? "video" : s->type == 'a' ? "audio" : s->type == 's' ? "subtitle" : "other";

	buf_printf(b, "stream %u: %s %s", i, type, s->codec);
	if (s->type == 'v')
		buf_printf(b, ", %ux%u", s->width, s->height);
	if (s->type == 'a')
		buf_printf(b, ", %u Hz, %u channel%s", s->sample_rate, s->channels, s->channels == 1 ? "" : "s");
	if (s->detail[0])
		buf_printf(b, ", %s", s->detail);
	if (s->language[0])
		buf_printf(b, ", %s", s->language);
	if (s->duration_us > 0)
		buf_printf(b, ", %.3f s", (double)s->duration_us / 1e6);
	buf_puts(b, selected ? ", selected\n" : "\n");
}

/* sound: the stream that MFCC are made of, -1: none. */
static void print_table(struct info *f, const struct table_head *t, int32_t sound)
{
	const struct table_packet *p = table_packets(t);
	uint32_t keys = 0;
	uint64_t bytes = 0;

	buf_printf(&f->text, "key: %s\netag: %s\nsize: %" PRIu64 " bytes\ncontainer: %s\n", f->obj->key,
	           f->obj->meta.etag, f->obj->meta.size, t->container);
	for (uint32_t i = 0; i < t->n_streams && i < TABLE_STREAMS_MAX; i++)
		print_stream(&f->text, i, &t->streams[i],
		             t->streams[i].type == 'a' ? (int32_t)i == sound : t->streams[i].selected);
	if (t->video_stream < 0)
		return;
	for (uint32_t j = 0; j < t->n_packets; j++) {
		keys += (p[j].flags & TABLE_KEY) != 0;
		bytes += p[j].size;
	}
	buf_printf(&f->text, "shown size: %ux%u, %srotated by %u degrees\ncolour: %s\n", t->width, t->height,
	           t->flags & TABLE_MIRRORED ? "mirrored left to right, then " : "", t->rotation, t->colour);
	buf_printf(&f->text, "time base: %d/%d s\nvideo packets: %u, %" PRIu64 " bytes, %u sync packets\n",
	           t->time_base_num, t->time_base_den, t->n_packets, bytes, keys);
	buf_printf(&f->text, "index: %s\n", t->flags & TABLE_WHOLE ? "none that tells all; the object was read whole once" :
	                                                            "in the container; payload was not read");
	if (t->flags & TABLE_JOINED)
		buf_puts(&f->text, "clock: starts again or leaps; frames are in the order of the file, times go on\n");
	if (t->flags & TABLE_CUT)
		buf_puts(&f->text, "the object ends before its index does: it has been cut short; what is there is shown\n");
}

static void print_plan(struct info *f, const struct samples_clip *c)
{
	const struct plan *plan = c->plan;
	const struct need_cost cost = need_cost(c->table, plan);
	const double unit = (double)c->table->time_base_num / c->table->time_base_den;

	buf_printf(&f->text, "shown frames: %u%s\n", plan->n_shown,
	           plan->by_ordinal ? " (no presentation times in the file: counted in output order)" : "");
	if (!plan->by_ordinal)
		buf_printf(&f->text, "start: %.6f s\nduration: %.6f s\n", (double)plan->start * unit,
		           (double)plan->duration * unit);
	buf_printf(&f->text, "array: uint8 (%u, %u, %u, 3)\n", plan->n_rows, c->row_height, c->row_width);
	for (uint32_t i = 0; i < plan->n_rows && i < TIMES_MAX; i++) {
		const struct plan_row *r = &plan->rows[i];

		buf_printf(&f->text, "row %u: frame %u", i, r->ordinal);
		if (!plan->by_ordinal)
			buf_printf(&f->text, ", pts %" PRId64 ", %.6f s", r->pts, (double)(r->pts - plan->start) * unit);
		buf_printf(&f->text, ", decoded from packet %u to %u\n", r->sync, r->packet);
	}
	buf_printf(&f->text, "planned: %" PRIu64 " bytes of video in %u range%s, %u packets to decode\n", cost.bytes,
	           cost.ranges, cost.ranges == 1 ? "" : "s", cost.packets);
}

static void clip_answer(void *arg, int err, const char *why, const struct samples_clip *clip)
{
	struct info *f = arg;

	if (!err)
		print_plan(f, clip);
	else if (err == -EBADMSG)
		buf_printf(&f->text, "frames: %s\n", why);
	info_finish(f, err == -EBADMSG ? 0 : err, why);
}

static const struct table_head *info_table(const struct info *f)
{
	return (const struct table_head *)(const void *)blob_data(f->table);
}

/* With the table and the stream of the sound known. */
static void info_go_on(struct info *f, int32_t sound, const char *why)
{
	const struct table_head *t = info_table(f);

	print_table(f, t, sound);
	if (why)
		buf_printf(&f->text, "sound: %s\n", why);
	if (t->video_stream < 0)
		info_finish(f, 0, NULL);
	else
		samples_clip(f->view->env.samples, f->obj, &f->view->cfg.frames, f->wanted, clip_answer, f);
}

static void sound_answer(void *arg, int err, const char *why, struct blob *sound)
{
	struct info *f = arg;

	if (!err)
		info_go_on(f, ((const struct proto_sound *)(const void *)blob_data(sound))->stream, NULL);
	else if (err == -EBADMSG || err == -ENODATA)
		info_go_on(f, -1, why);
	else
		info_finish(f, err, why);
}

/* Which of several sounds is the best one is only known by looking into them, which
 * frames have no use for: their table says what the header suggests. */
static bool has_choice_of_sound(const struct table_head *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n_streams && i < TABLE_STREAMS_MAX; i++)
		n += t->streams[i].type == 'a';
	return n > 1;
}

static void table_answer(void *arg, int err, const char *why, struct blob *table)
{
	struct info *f = arg;

	if (err) {
		info_finish(f, err, why);
		return;
	}
	f->table = blob_ref(table);
	if (has_choice_of_sound(info_table(f)))
		samples_sound(f->view->env.samples, f->obj, f->wanted, sound_answer, f);
	else
		info_go_on(f, info_table(f)->audio_stream, NULL);
}

static struct info *info_new(struct view *v, struct object *obj, const struct wanted *wanted, void *arg)
{
	struct info *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->view = v;
	f->obj = object_ref(obj);
	f->wanted = wanted;
	f->arg = arg;
	buf_init(&f->text, INFO_MAX);
	return f;
}

static bool info_size(const struct view *v, const struct object *obj, uint64_t *ret_size)
{
	(void)v;
	(void)obj;
	(void)ret_size;
	return false;
}

static void info_probe(struct view *v, struct object *obj, const struct wanted *wanted, view_size_fn *done, void *arg)
{
	struct info *f = info_new(v, obj, wanted, arg);

	if (!f) {
		done(arg, -ENOMEM, "not enough memory", 0);
		return;
	}
	f->size_done = done;
	samples_table(v->env.samples, obj, wanted, table_answer, f);
}

static void info_read(struct view_file *file, uint64_t off, size_t len, const struct wanted *wanted, view_read_fn *done,
                      void *arg)
{
	struct info *f = info_new(file->node->view, file->node->obj, wanted, arg);

	if (!f) {
		done(arg, -ENOMEM, "not enough memory", NULL, 0);
		return;
	}
	f->read_done = done;
	f->off = off;
	f->len = len;
	samples_table(f->view->env.samples, f->obj, wanted, table_answer, f);
}

static const struct view_ops ops = {
	.ending = ".txt",
	.size = info_size,
	.probe = info_probe,
	.read = info_read,
};

static const struct key keys[] = { VIEW_KEY_MATCH };

const struct view_kind view_kind_info = {
	.name = "info",
	.match = VIEW_AUDIO_GLOBS " " VIEW_VIDEO_GLOBS,
	.keys = VIEW_KEYS_TABLE(keys),
	.ops = &ops,
};
