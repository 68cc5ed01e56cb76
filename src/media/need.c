#include "media/need.h"

#include "media/plan.h"

/* How far ahead of a reader from front to back. */
#define AHEAD_MIN ((uint64_t)1 << 20)
#define AHEAD_MAX ((uint64_t)16 << 20)

uint32_t need_fed_end(uint32_t target, uint32_t reorder, bool drain, uint32_t n)
{
	uint32_t more = drain ? 0 : reorder < TABLE_REORDER_MAX ? reorder : TABLE_REORDER_MAX;

	return n - target > more ? target + 1 + more : n;
}

struct need_range need_span(const struct table_packet *p, uint32_t first, uint32_t end)
{
	uint64_t from = UINT64_MAX, to = 0;

	for (uint32_t i = first; i < end; i++) {
		uint64_t at = (uint64_t)p[i].pos;

		from = at < from ? at : from;
		to = at + p[i].size > to ? at + p[i].size : to;
	}
	return from < to ? (struct need_range){from, to - from} : (struct need_range){0, 0};
}

struct need_range need_head(const struct table_packet *p, uint32_t first, uint32_t end,
                            uint64_t max)
{
	uint64_t from, to;

	if (first >= end)
		return (struct need_range){0, 0};
	from = to = (uint64_t)p[first].pos;
	for (uint32_t i = first; i < end && to - from < max; i++) {
		uint64_t at = (uint64_t)p[i].pos;

		if (at < from || at > to + NEED_GAP)
			break;
		to = at + p[i].size > to ? at + p[i].size : to;
	}
	return (struct need_range){from, to - from < max ? to - from : max};
}

struct need_range need_container(uint64_t size)
{
	return (struct need_range){0, size < NEED_GAP ? size : NEED_GAP};
}

struct need_range need_within(uint64_t off, uint64_t len, uint64_t size, uint64_t max)
{
	if (len > size - off)
		len = size - off;
	return (struct need_range){off, len < max ? len : max};
}

struct need_range need_ahead(uint64_t streamed, uint64_t end, uint64_t ahead)
{
	uint64_t window = streamed < AHEAD_MIN ? 0 : streamed > AHEAD_MAX ? AHEAD_MAX : streamed;
	uint64_t off = ahead > end ? ahead : end;

	/* In pieces of half a window: few GETs, and always half a window under way. */
	if (window == 0 || off - end > window / 2)
		return (struct need_range){off, 0};
	return (struct need_range){off, end + window - off};
}

/* Counts packets [first, end), and the ranges that they begin behind byte *to. */
static void count(const struct table_packet *p, uint32_t first, uint32_t end, uint64_t *to,
                  struct need_cost *c)
{
	for (uint32_t i = first; i < end; i++) {
		uint64_t at = p[i].pos < 0 ? *to : (uint64_t)p[i].pos;

		if (c->ranges == 0 || at + NEED_GAP < *to || at > *to + NEED_GAP)
			c->ranges++;
		*to = at + p[i].size;
		c->bytes += p[i].size;
		c->packets++;
	}
}

/* Rows are in output order, runs in decode order: what two runs share is fed by both,
 * and fetched once. */
struct need_cost need_cost(const struct table_head *t, const struct plan *plan)
{
	struct need_cost c = {0};
	uint32_t done = 0;
	uint64_t to = 0;

	for (uint32_t i = 0; i < plan->n_rows;) {
		uint32_t sync = plan->rows[i].sync, last = plan->rows[i].packet, end;

		for (; i < plan->n_rows && plan->rows[i].sync == sync; i++)
			last = plan->rows[i].packet > last ? plan->rows[i].packet : last;
		end = need_fed_end(last, plan->reorder, last == sync && !plan->by_ordinal, t->n_packets);
		count(table_packets(t), sync > done ? sync : done, end, &to, &c);
		done = end > done ? end : done;
	}
	return c;
}
