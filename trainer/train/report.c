#include "train/report.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/text.h"
#include "util/file.h"
#include "util/why.h"

#define CSV_MAX ((size_t)1 << 30) /* bytes */
#define REDRAW_MS 100
#define BAR 20                    /* characters */
#define COLUMNS_UNKNOWN 80

static const char csv_head[] = "step,epoch,lr,loss,accuracy,val_loss,val_accuracy,samples_per_s,wait_share\n";

struct report {
	struct report_config config;
	FILE *log, *csv;            /* NULL: nothing is told */
	bool terminal, drawn;
	uint64_t start_ms, drawn_ms;
	int err;
	/* seconds and samples, of the run and since the last line: */
	double waited, whole, line_waited, line_whole;
	size_t samples, line_samples;
};

/* ---- opening -------------------------------------------------------------------------- */

/* Drops rows behind the step that a run goes on from: they will be written again. */
static int trim_csv(const char *path, uint64_t step, struct why *why)
{
	struct file_part kept = { 0 };
	struct buf text;
	int err;

	buf_init(&text, CSV_MAX);
	err = file_read(path, &text);
	if (err == -ENOENT) {
		buf_done(&text);
		return 0;
	}
	if (err) {
		buf_done(&text);
		return why_set(why, err, "%s: %s", path, strerror(-err));
	}
	kept.data = text.data ? text.data : "";
	while (kept.len < text.len) {
		const char *line = text.data + kept.len, *end = memchr(line, '\n', text.len - kept.len);

		/* The last line may be half of one. The head begins with no digit. */
		if (!end || (*line >= '0' && *line <= '9' && strtoull(line, NULL, 10) > step))
			break;
		kept.len += (size_t)(end - line) + 1;
	}
	err = file_replace(path, &kept, 1, why);
	buf_done(&text);
	return err;
}

static int open_file(struct report *r, const char *name, FILE **ret, struct why *why)
{
	char *path;
	int err = 0;

	if (asprintf(&path, "%s/%s", r->config.folder, name) < 0)
		return why_no_memory(why);
	if (r->config.resumed && strcmp(name, "metrics.csv") == 0)
		err = trim_csv(path, r->config.step, why);
	if (!err) {
		*ret = fopen(path, r->config.resumed ? "ae" : "we");
		if (!*ret)
			err = why_set(why, -errno, "%s: %s", path, strerror(errno));
	}
	free(path);
	return err;
}

int report_new(const struct report_config *config, struct report **ret, struct why *why)
{
	struct report *r = calloc(1, sizeof(*r));
	int err = 0;

	if (!r)
		return why_no_memory(why);
	r->config = *config;
	r->start_ms = clock_ms();
	r->terminal = config->folder && isatty(STDERR_FILENO);
	if (config->folder)
		err = open_file(r, "log.jsonl", &r->log, why);
	if (!err && config->folder)
		err = open_file(r, "metrics.csv", &r->csv, why);
	if (err) {
		report_free(r);
		return err;
	}
	if (r->csv && ftell(r->csv) == 0)
		fputs(csv_head, r->csv);
	*ret = r;
	return 0;
}

static void clear_line(struct report *r)
{
	if (r->drawn)
		fputs("\r\033[K", stderr);
	r->drawn = false;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	if (r->drawn)
		fputc('\n', stderr);
	if (r->log)
		fclose(r->log);
	if (r->csv)
		fclose(r->csv);
	free(r);
}

/* ---- files ---------------------------------------------------------------------------- */

static void flush(struct report *r, FILE *f)
{
	/* What the disk refuses is told once, at the end; the run is worth more. */
	if ((fflush(f) || ferror(f)) && !r->err)
		r->err = errno ? -errno : -EIO;
	clearerr(f);
}

/* Takes the object. */
static void write_json(struct report *r, json_t *object)
{
	if (r->log && object) {
		json_object_set_new(object, "time", json_real((double)(clock_ms() - r->start_ms) / 1000));
		json_dumpf(object, r->log, JSON_COMPACT | JSON_REAL_PRECISION(17));
		fputc('\n', r->log);
		flush(r, r->log);
	}
	json_decref(object);
}

/* JSON has no NaN: null, where there is nothing to divide by. */
static json_t *ratio(double sum, double weight)
{
	return weight > 0 ? json_real(sum / weight) : json_null();
}

static void add_csv(struct report *r, const char *value, double sum, double weight)
{
	if (weight > 0)
		fprintf(r->csv, "%s%.17g", value, sum / weight);
	else
		fputs(value, r->csv);
}

/* ---- people --------------------------------------------------------------------------- */

void report_say(struct report *r, const char *fmt, ...)
{
	va_list ap;

	if (!r->config.folder)
		return;
	clear_line(r);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void format_time(double seconds, char *to, size_t size)
{
	unsigned long s = seconds > 0 && seconds < 1e9 ? (unsigned long)seconds : 0;

	if (s >= 3600)
		snprintf(to, size, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(to, size, "%lu:%02lu", s / 60, s % 60);
}

static double speed(const struct report *r)
{
	return r->whole > 0 ? (double)r->samples / r->whole : 0;
}

/* Samples of the whole run that are still to come. */
static double samples_left(const struct report *r, const struct report_step *s)
{
	double epochs = r->config.epochs - s->epoch;

	return epochs * (double)r->config.samples_per_epoch - (double)s->done;
}

static void describe(const struct report *r, const struct report_step *s, struct buf *out)
{
	char left[32];

	/* The first step's time isn't known yet. */
	if (speed(r) > 0)
		format_time(samples_left(r, s) / speed(r), left, sizeof(left));
	else
		snprintf(left, sizeof(left), "?");
	buf_printf(out, "epoch %u/%u  %zu/%zu", s->epoch + 1, r->config.epochs, s->done, s->total);
	if (s->epoch_weight > 0)
		buf_printf(out, "  loss %.4f  accuracy %.1f %%", s->epoch_loss / s->epoch_weight,
		           100 * s->epoch_hits / s->epoch_weight);
	buf_printf(out, "  %s left  %.0f samples/s  waited %.1f %%", left, speed(r),
	           100 * report_wait_share(r));
}

static size_t columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col :
	                                                                         COLUMNS_UNKNOWN;
}

/* Longer than the terminal is wide it would wrap, and could not be drawn over: the bar goes
 * first, then the end. */
static void draw(struct report *r, const struct report_step *s)
{
	size_t full = s->total ? s->done * BAR / s->total : 0, width = columns() - 1;
	struct buf text, bar;

	if (r->drawn && clock_ms() - r->drawn_ms < REDRAW_MS)
		return;
	buf_init(&text, 1024);
	buf_init(&bar, 1024);
	describe(r, s, &text);
	buf_putc(&bar, '[');
	for (size_t i = 0; i < BAR; i++)
		buf_putc(&bar, i < full ? '#' : '.');
	buf_puts(&bar, "]  ");
	if (!buf_error(&text) && !buf_error(&bar))
		fprintf(stderr, "\r%s%.*s\033[K", bar.len + text.len <= width ? bar.data : "", (int)width,
		        text.data);
	buf_done(&bar);
	buf_done(&text);
	r->drawn = true;
	r->drawn_ms = clock_ms();
}

/* ---- events --------------------------------------------------------------------------- */

void report_time(struct report *r, double waited, double whole, size_t samples)
{
	r->waited += waited;
	r->whole += whole;
	r->samples += samples;
	r->line_waited += waited;
	r->line_whole += whole;
	r->line_samples += samples;
}

double report_wait_share(const struct report *r)
{
	return r->whole > 0 ? r->waited / r->whole : 0;
}

void report_first_batch(struct report *r)
{
	write_json(r, json_pack("{s:s}", "event", "first_batch"));
	report_say(r, "the first batch was there after %.1f s",
	           (double)(clock_ms() - r->start_ms) / 1000);
}

static void write_step(struct report *r, const struct report_step *s)
{
	double per_s = r->line_whole > 0 ? (double)r->line_samples / r->line_whole : 0;
	double wait = r->line_whole > 0 ? r->line_waited / r->line_whole : 0;

	json_t *object = json_pack("{s:s, s:I, s:i, s:f, s:o, s:o, s:f, s:f}", "event", "step",
	                           "step", (json_int_t)s->step, "epoch", (int)s->epoch, "lr", s->rate,
	                           "loss", ratio(s->loss, s->weight),
	                           "accuracy", ratio(s->hits, s->weight),
	                           "samples_per_s", per_s, "wait_share", wait);

	if (s->loss_scale > 0)
		json_object_set_new(object, "loss_scale", json_real(s->loss_scale));
	write_json(r, object);
	if (r->csv) {
		fprintf(r->csv, "%llu,%u,%.17g", (unsigned long long)s->step, s->epoch, s->rate);
		add_csv(r, ",", s->loss, s->weight);
		add_csv(r, ",", s->hits, s->weight);
		fprintf(r->csv, ",,,%.1f,%.4f\n", per_s, wait);
		flush(r, r->csv);
	}
	if (r->config.folder && !r->terminal) {
		struct buf line;

		buf_init(&line, 1024);
		describe(r, s, &line);
		if (!buf_error(&line))
			fprintf(stderr, "%s\n", line.data);
		buf_done(&line);
	}
}

void report_step(struct report *r, const struct report_step *s)
{
	if (r->terminal)
		draw(r, s);
	/* Each line tells of one step, so that a resumed run writes the same ones. */
	if (s->step % r->config.log_every)
		return;
	write_step(r, s);
	r->line_waited = 0;
	r->line_whole = 0;
	r->line_samples = 0;
}

void report_epoch(struct report *r, const struct report_epoch *e)
{
	write_json(r, json_pack("{s:s, s:I, s:i, s:o, s:o, s:o, s:o, s:f, s:f}", "event", "epoch",
	                        "step", (json_int_t)e->step, "epoch", (int)e->epoch,
	                        "loss", ratio(e->loss, e->weight), "accuracy", ratio(e->hits, e->weight),
	                        "val_loss", ratio(e->val_loss, e->val_weight),
	                        "val_accuracy", ratio(e->val_hits, e->val_weight),
	                        "samples_per_s", speed(r), "wait_share", report_wait_share(r)));
	if (r->csv) {
		fprintf(r->csv, "%llu,%u,", (unsigned long long)e->step, e->epoch);
		add_csv(r, ",", e->loss, e->weight);
		add_csv(r, ",", e->hits, e->weight);
		add_csv(r, ",", e->val_loss, e->val_weight);
		add_csv(r, ",", e->val_hits, e->val_weight);
		fprintf(r->csv, ",%.1f,%.4f\n", speed(r), report_wait_share(r));
		flush(r, r->csv);
	}
	if (e->weight <= 0)
		report_say(r, "epoch %u: no sample could be used", e->epoch + 1);
	else if (e->val_weight > 0)
		report_say(r, "epoch %u: loss %.4f  accuracy %.1f %%  validation: loss %.4f  accuracy %.1f %%",
		           e->epoch + 1, e->loss / e->weight, 100 * e->hits / e->weight,
		           e->val_loss / e->val_weight, 100 * e->val_hits / e->val_weight);
	else
		report_say(r, "epoch %u: loss %.4f  accuracy %.1f %%", e->epoch + 1, e->loss / e->weight,
		           100 * e->hits / e->weight);
}

void report_overflow(struct report *r, uint64_t step, double loss_scale)
{
	write_json(r, json_pack("{s:s, s:I, s:f}", "event", "overflow", "step", (json_int_t)step,
	                        "loss_scale", loss_scale));
}

void report_bad(struct report *r, const char *path, const char *reason)
{
	write_json(r, json_pack("{s:s, s:s, s:s}", "event", "bad", "path", path, "reason", reason));
	report_say(r, "left out: %s: %s", path, reason);
}

void report_event(struct report *r, const char *event, const char *key, const char *text)
{
	write_json(r, json_pack("{s:s, s:s}", "event", event, key, text));
}

int report_error(const struct report *r)
{
	return r->err;
}
