#include "base/stats.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/buf.h"

static const struct stat_info entries[STAT_COUNT] = {
#define STATS_ENTRY(name, kind, unit, help) { #name, STAT_##kind, STAT_##unit, help },
	STATS_LIST(STATS_ENTRY)
#undef STATS_ENTRY
};

const struct stat_info *stats_info(enum stat_id id)
{
	return &entries[id];
}

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
		buf_printf(b, "%-18s %16" PRId64 "  %s%s\n", entries[i].name, stats_get(s, (enum stat_id)i),
		           entries[i].help, entries[i].kind == STAT_GAUGE ? " (gauge)" : "");
}

void stats_json(const struct stats *s, struct buf *b)
{
	buf_putc(b, '{');
	for (int i = 0; i < STAT_COUNT; i++)
		buf_printf(b, "%s\"%s\": %" PRId64, i ? ", " : "", entries[i].name,
		           stats_get(s, (enum stat_id)i));
	buf_puts(b, "}\n");
}
