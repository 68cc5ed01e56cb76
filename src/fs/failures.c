/* failures.c - the last failures, one line each, oldest first. The kernel asks two
 * or three times for what fails: a failure that is the same as the last stands once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/text.h"
#include "fs/fs_priv.h"

#define KEPT 1000u
#define REPEAT_MS 1000u

struct failures {
	pthread_mutex_t lock;
	char *line[KEPT];        /* lock; a ring */
	unsigned long total;     /* lock */
	char *last;              /* lock; the newest line, after its time */
	uint64_t last_ms;        /* lock; when it came */
};

struct failures *failures_new(void)
{
	struct failures *f = calloc(1, sizeof(*f));

	if (f)
		pthread_mutex_init(&f->lock, NULL);
	return f;
}

void failures_free(struct failures *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < KEPT; i++)
		free(f->line[i]);
	free(f->last);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* The same thing again, by the kernel rather than by a person. */
static bool is_repeated(struct failures *f, const char *what)
{
	const uint64_t now = clock_ms();
	char *copy = strdup(what);
	bool repeated;

	pthread_mutex_lock(&f->lock);
	repeated = f->last && strcmp(f->last, what) == 0 && now - f->last_ms < REPEAT_MS;
	f->last_ms = now;
	free(f->last);
	f->last = copy;
	pthread_mutex_unlock(&f->lock);
	return repeated;
}

bool failures_add(struct failures *f, const char *path, int err, const char *why)
{
	time_t now = time(NULL);
	struct tm tm;
	char when[32], *line, *old;

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (asprintf(&line, "%s %s %s: %s\n", when, strerrorname_np(err), path, why) < 0)
		return true;
	if (is_repeated(f, line + strlen(when))) {
		free(line);
		return false;
	}
	/* Names with control characters must not forge lines. */
	for (char *c = line; c[0] && c[1]; c++)
		if ((unsigned char)*c < ' ')
			*c = '?';
	pthread_mutex_lock(&f->lock);
	old = f->line[f->total % KEPT];
	f->line[f->total++ % KEPT] = line;
	pthread_mutex_unlock(&f->lock);
	free(old);
	return true;
}

void failures_text(struct failures *f, struct buf *out)
{
	pthread_mutex_lock(&f->lock);
	for (unsigned long i = f->total > KEPT ? f->total - KEPT : 0; i < f->total; i++)
		buf_puts(out, f->line[i % KEPT]);
	pthread_mutex_unlock(&f->lock);
}
