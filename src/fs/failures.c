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
#define TIME_LEN 20          /* "2026-01-31T23:59:59Z", with which a line begins */

struct failures {
	pthread_mutex_t lock;
	char *line[KEPT];        /* lock; a ring */
	unsigned long total;     /* lock */
	uint64_t last_ms;        /* lock; when the last one came, repeated or not */
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

/* Is it what the newest line says, by the kernel rather than by a person? */
static bool is_repeated_locked(const struct failures *f, const char *line, uint64_t now_ms)
{
	return f->total > 0 && now_ms - f->last_ms < REPEAT_MS &&
	       strcmp(f->line[(f->total - 1) % KEPT] + TIME_LEN, line + TIME_LEN) == 0;
}

bool failures_add(struct failures *f, const char *path, int err, const char *why)
{
	const uint64_t now_ms = clock_ms();
	time_t now = time(NULL);
	struct tm tm;
	char when[TIME_LEN + 1], *line, *old;
	bool repeated;

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (asprintf(&line, "%-*s %s %s: %s\n", TIME_LEN, when, strerrorname_np(err), path, why) < 0)
		return true;
	/* Names with control characters must not forge lines. */
	for (char *c = line; c[0] && c[1]; c++)
		if ((unsigned char)*c < ' ')
			*c = '?';
	pthread_mutex_lock(&f->lock);
	repeated = is_repeated_locked(f, line, now_ms);
	f->last_ms = now_ms;
	old = repeated ? line : f->line[f->total % KEPT];
	if (!repeated)
		f->line[f->total++ % KEPT] = line;
	pthread_mutex_unlock(&f->lock);
	free(old);
	return !repeated;
}

void failures_text(struct failures *f, struct buf *out)
{
	pthread_mutex_lock(&f->lock);
	for (unsigned long i = f->total > KEPT ? f->total - KEPT : 0; i < f->total; i++)
		buf_puts(out, f->line[i % KEPT]);
	pthread_mutex_unlock(&f->lock);
}
