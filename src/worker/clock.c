#include "worker/clock.h"

#include <stddef.h>

#define LEAP 100        /* tenths of a second */

/* Of the shown packets of a stretch. */
struct span {
	bool any;
	int64_t first, last;    /* pts */
	int64_t duration;       /* of the last: as stored, else from the one before it; 0 unknown */
};

/* What is known of a stretch up to a packet. */
struct so_far {
	int64_t last;           /* pts of the last shown packet in output order */
	int64_t key, key_before;  /* pts of the latest two sync packets */
};

static bool are_impossible(const struct table_packet *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (p[i].pts < -TABLE_PTS_MAX || p[i].pts > TABLE_PTS_MAX ||
		    p[i].duration > TABLE_PTS_MAX)
			return true;
		if (p[i].dts != TABLE_NOPTS &&
		    (p[i].dts < -TABLE_PTS_MAX || p[i].dts > TABLE_PTS_MAX))
			return true;
	}
	return false;
}

/* How far decode time goes from the packet before p to p; 0 unknown. */
static int64_t dts_step(const struct table_packet *p)
{
	return p[-1].dts == TABLE_NOPTS || p->dts == TABLE_NOPTS ? 0 : p->dts - p[-1].dts;
}

/* Do two frames share a time because one clock ends and another one begins? An edit
 * list, which shows frames from the middle of a GOP on, may say that they do. */
static bool ties(const struct table_packet *p, const struct clock_rules *r)
{
	return r->dts && (p->flags & TABLE_KEY) && !(p->flags & TABLE_HIDDEN) && dts_step(p) <= 0;
}

static bool leaps(const struct table_packet *p, const struct clock_rules *r)
{
	return r->dts && r->leaps && dts_step(p) / LEAP > r->tenth;
}

/* Does a stretch begin at p, which is not the first packet? */
static bool begins(const struct table_packet *p, const struct so_far *s,
                   const struct clock_rules *r)
{
	if (leaps(p, r) || (r->dts && -dts_step(p) > r->tenth))
		return true;
	if (p->flags & TABLE_KEY)
		return p->pts < s->last || (p->pts == s->last && ties(p, r));
	if (p->flags & TABLE_HIDDEN)
		return false;
	/* What follows a sync packet may be shown before it, but not before the last but one. */
	return r->reorders ? p->pts <= s->key_before : p->pts < s->last;
}

static void take(struct so_far *s, const struct table_packet *p)
{
	if (p->flags & TABLE_KEY) {
		s->key_before = s->key;
		s->key = p->pts;
	}
	if (!(p->flags & TABLE_HIDDEN) && p->pts > s->last)
		s->last = p->pts;
}

/* One past the last packet of the stretch that begins at `start`. */
static uint32_t stretch_end(const struct table_packet *p, uint32_t n, uint32_t start,
                            const struct clock_rules *r)
{
	struct so_far s = {INT64_MIN, INT64_MIN, INT64_MIN};
	uint32_t end = start;

	do {
		take(&s, &p[end++]);
	} while (end < n && !begins(&p[end], &s, r));
	return end;
}

static struct span span_of(const struct table_packet *p, uint32_t n)
{
	struct span s = {.first = INT64_MAX, .last = INT64_MIN};
	int64_t before = INT64_MIN, stored = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (p[i].flags & TABLE_HIDDEN)
			continue;
		s.any = true;
		if (p[i].pts < s.first)
			s.first = p[i].pts;
		if (p[i].pts > s.last) {
			before = s.last;
			s.last = p[i].pts;
			stored = p[i].duration;
		} else if (p[i].pts < s.last && p[i].pts > before) {
			before = p[i].pts;
		}
	}
	if (s.any)
		s.duration = stored > 0 ? stored : before != INT64_MIN ? s.last - before : 0;
	return s;
}

static bool move(struct table_packet *p, uint32_t n, int64_t by)
{
	for (uint32_t i = 0; by != 0 && i < n; i++)
		p[i].pts += by;
	return by != 0;
}

bool clock_join(struct table_packet *p, uint32_t n, const struct clock_rules *r)
{
	int64_t by = 0, last = INT64_MIN, duration = 1;
	bool moved = false;
	uint32_t end;

	/* Without pts they are in the order of the file anyway. */
	if (n == 0 || p[0].pts == TABLE_NOPTS || are_impossible(p, n))
		return false;
	for (uint32_t start = 0; start < n; start = end) {
		bool leapt = start > 0 && leaps(&p[start], r);
		struct span s;

		end = stretch_end(p, n, start, r);
		s = span_of(p + start, end - start);
		if (s.any && last != INT64_MIN &&
		    (leapt || s.first + by < last || (s.first + by == last && ties(&p[start], r))))
			by = last + duration - s.first;
		/* n packets of TABLE_PTS_MAX each could run away; no table allows it. */
		if (by > TABLE_PTS_MAX || by < -TABLE_PTS_MAX)
			return moved;
		moved |= move(p + start, end - start, by);
		if (s.any) {
			last = s.last + by;
			duration = s.duration > 0 ? s.duration : duration;
		}
	}
	return moved;
}
