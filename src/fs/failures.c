/* failures.c - the last failures, one line each, oldest first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "fs/fs_priv.h"

#define KEPT 1000u

struct failures {
	pthread_mutex_t lock;
	char *line[KEPT];        /* lock; a ring */
	unsigned long total;     /* lock */
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
	pthread_mutex_destroy(&f->lock);
	free(f);
}

void failures_add(struct failures *f, const char *path, int err, const char *why)
{
	time_t now = time(NULL);
	struct tm tm;
	char when[32], *line, *old;

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (asprintf(&line, "%s %s %s: %s\n", when, strerrorname_np(err), path, why) < 0)
		return;
	/* Names with control characters must not forge lines. */
	for (char *c = line; c[0] && c[1]; c++)
		if ((unsigned char)*c < ' ')
			*c = '?';
	pthread_mutex_lock(&f->lock);
	old = f->line[f->total % KEPT];
	f->line[f->total++ % KEPT] = line;
	pthread_mutex_unlock(&f->lock);
	free(old);
}

void failures_text(struct failures *f, struct buf *out)
{
	pthread_mutex_lock(&f->lock);
	for (unsigned long i = f->total > KEPT ? f->total - KEPT : 0; i < f->total; i++)
		buf_puts(out, f->line[i % KEPT]);
	pthread_mutex_unlock(&f->lock);
}
