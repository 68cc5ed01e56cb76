#include "store/meta_spans.h"

#include <stdlib.h>
#include <string.h>

static void span_done(struct meta_span *span)
{
	free(span->prefix);
	free(span->from);
	free(span->to);
	*span = (struct meta_span){ 0 };
}

void meta_spans_clear(struct meta_spans *s)
{
	for (unsigned i = 0; i < META_SPANS_MAX; i++)
		span_done(&s->v[i]);
}

void meta_spans_done(struct meta_spans *s)
{
	meta_spans_clear(s);
}

static bool in_order(const struct store_page *page)
{
	for (size_t i = 1; i < page->n; i++)
		if (strcmp(page->entries[i - 1].name, page->entries[i].name) >= 0)
			return false;
	return true;
}

void meta_spans_add(struct meta_spans *s, const char *prefix, bool is_first, const struct store_page *page,
                    struct meta_date date)
{
	struct meta_span span = { .date = date };
	bool is_last = !page->next;

	if ((page->n == 0 && !(is_first && is_last)) || (!(is_first && is_last) && !in_order(page)))
		return;
	span.prefix = strdup(prefix);
	span.from = is_first ? NULL : strdup(page->entries[0].name);
	span.to = is_last ? NULL : strdup(page->entries[page->n - 1].name);
	if (!span.prefix || (!is_first && !span.from) || (!is_last && !span.to)) {
		span_done(&span);
		return;
	}
	span_done(&s->v[s->next]);
	s->v[s->next] = span;
	s->next = (s->next + 1) % META_SPANS_MAX;
}

/* Whether dir is one level below prefix and not outside of the names shown. */
static bool covers(const struct meta_span *span, const char *dir)
{
	size_t len = strlen(span->prefix);
	const char *slash;

	if (strncmp(dir, span->prefix, len) != 0)
		return false;
	slash = strchr(dir + len, '/');
	if (!slash || slash == dir + len || slash[1] != '\0')
		return false;
	return (!span->from || strcmp(dir, span->from) >= 0) && (!span->to || strcmp(dir, span->to) <= 0);
}

bool meta_spans_absent(const struct meta_spans *s, const char *dir, struct meta_date *ret_date)
{
	const struct meta_span *latest = NULL;

	for (unsigned i = 0; i < META_SPANS_MAX; i++) {
		const struct meta_span *span = &s->v[i];
		if (span->prefix && (!latest || span->date.seq > latest->date.seq) && covers(span, dir))
			latest = span;
	}
	if (latest)
		*ret_date = latest->date;
	return latest != NULL;
}
