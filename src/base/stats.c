#include "base/stats.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/buf.h"

static const struct {
	const char *name;
	const char *help;
} entries[STAT_COUNT] = {
#define STATS_ENTRY(name, help) { #name, help },
	STATS_LIST(STATS_ENTRY)
#undef STATS_ENTRY
};

void stats_max(struct stats *s, enum stat_id id, int64_t v)
{
	int64_t old = stats_get(s, id);

	while (old < v &&
	       !atomic_compare_exchange_weak_explicit(&s->value[id], &old, v, memory_order_relaxed,
	                                                         memory_order_relaxed))
		;
}

void stats_text(const struct stats *s, struct buf *b)
{
	for (int i = 0; i < STAT_COUNT; i++)
		buf_printf(b, "%-18s %16" PRId64 "  %s\n", entries[i].name,
		           stats_get(s, (enum stat_id)i),
		           entries[i].help);
}

void stats_json(const struct stats *s, struct buf *b)
{
	buf_putc(b, '{');
	for (int i = 0; i < STAT_COUNT; i++)
		buf_printf(b, "%s\"%s\": %" PRId64, i ? ", " : "", entries[i].name,
		           stats_get(s, (enum stat_id)i));
	buf_puts(b, "}\n");
}
