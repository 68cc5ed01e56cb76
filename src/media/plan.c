#include "media/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define WHY_MAX 256

/* One frame that can be shown. */
struct shown {
	int64_t pts;        /* or the ordinal, where the file has no pts */
	uint32_t packet;
	uint32_t sync;
};

static int by_pts(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	if (x->pts != y->pts)
		return x->pts < y->pts ? -1 : 1;
	return x->packet < y->packet ? -1 : x->packet > y->packet;
}

uint32_t plan_reorder(const struct table_head *t)
{
	const struct table_packet *p = table_packets(t);
	/* Twice the cap: no codec holds a frame back for longer than its picture buffer. */
	const uint32_t window = 2 * TABLE_REORDER_MAX;
	uint32_t depth = 0, start = 0;
	int64_t last = INT64_MIN;

	for (uint32_t j = 0; j < t->n_packets; j++) {
		uint32_t later = 0;
		/* Nothing is held back for what an edit list takes from elsewhere. */
		if (p[j].flags & TABLE_KEY && p[j].pts <= last) {
			start = j;
			last = INT64_MIN;
		}
		last = p[j].pts > last ? p[j].pts : last;
		for (uint32_t k = j - start > window ? j - window : start; k < j; k++)
			later += p[k].pts > p[j].pts && !(p[k].flags & TABLE_SECOND);
		depth = later > depth ? later : depth;
	}
	return depth < TABLE_REORDER_MAX ? depth : TABLE_REORDER_MAX;
}

int64_t plan_sync_before(const struct table_head *t, uint32_t sync)
{
	const struct table_packet *p = table_packets(t);

	for (int64_t i = (int64_t)sync - 1; i >= 0; i--)
		if (p[i].flags & TABLE_KEY)
			return i;
	return -1;
}

/* Some containers (AVI) carry no pts, or not for every frame. */
static bool lacks_pts(const struct table_head *t)
{
	const struct table_packet *p = table_packets(t);

	for (uint32_t j = 0; j < t->n_packets; j++)
		if (p[j].pts == TABLE_NOPTS)
			return true;
	return false;
}

/* Without pts only output order from the very first packet is known. */
static uint32_t shown_by_ordinal(const struct table_head *t, struct shown *out)
{
	const struct table_packet *p = table_packets(t);
	uint32_t n = 0;

	for (uint32_t j = 0; j < t->n_packets; j++) {
		if (p[j].flags & TABLE_HIDDEN || p[j].size == 0)
			continue;
		out[n] = (struct shown){ .pts = n, .packet = j, .sync = 0 };
		n++;
	}
	return n;
}

/* The last sync packet so far, in decode order, with pts <= the wanted one; -1: none. The stack holds table
 * indices, ascending in both decode order and pts: a sync packet is dropped when a later one is shown no later. */
static int64_t sync_for(const struct table_packet *p, const uint32_t *stack, uint32_t n, int64_t pts)
{
	uint32_t low = 0, high = n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (p[stack[mid]].pts <= pts)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return -1;
	return stack[low - 1];
}

static int shown_by_pts(const struct table_head *t, struct shown *out, uint32_t *ret_n)
{
	const struct table_packet *p = table_packets(t);
	uint32_t *stack = calloc(t->n_packets ? t->n_packets : 1, sizeof(*stack));
	uint32_t n_sync = 0, n = 0;

	if (!stack)
		return -ENOMEM;
	for (uint32_t j = 0; j < t->n_packets; j++) {
		if (p[j].flags & TABLE_KEY) {
			while (n_sync > 0 && p[stack[n_sync - 1]].pts >= p[j].pts)
				n_sync--;
			stack[n_sync++] = j;
		}
		if (p[j].flags & TABLE_HIDDEN)
			continue;
		int64_t from = sync_for(p, stack, n_sync, p[j].pts);
		if (from >= 0)
			out[n++] = (struct shown){ .pts = p[j].pts, .packet = j, .sync = (uint32_t)from };
	}
	free(stack);
	qsort(out, n, sizeof(*out), by_pts);
	*ret_n = n;
	return 0;
}

/* How long the last frame is shown: as stored, else as long as the one before
 * it, never by an average rate, which differs between containers of one clip. */
static int64_t last_duration(const struct table_head *t, const struct shown *f, uint32_t n)
{
	int64_t stored = table_packets(t)[f[n - 1].packet].duration;

	if (stored > 0)
		return stored;
	if (n > 1)
		return f[n - 1].pts - f[n - 2].pts;
	return 1;
}

/* Row i lies at the middle of the i-th of T equal segments:
 * (pts - start) * 2T <= (2i + 1) * D, without rounding. */
static bool at_or_before(int64_t pts, const struct plan *plan, uint32_t i)
{
	__int128 left = (__int128)(pts - plan->start) * 2 * plan->n_rows;
	__int128 right = (__int128)(2 * (uint64_t)i + 1) * plan->duration;

	return left <= right;
}

static uint32_t *choose_uniform(const struct plan *plan, const struct shown *f, uint32_t n, uint32_t *chosen)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < plan->n_rows; i++) {
		while (at + 1 < n && at_or_before(f[at + 1].pts, plan, i))
			at++;
		chosen[i] = at;
	}
	return chosen;
}

/* The nearest shown sync packet at or before the uniform time; the first shown
 * frame where the edit list hides it. */
static uint32_t *choose_keyframes(const struct table_head *t, const struct plan *plan,
                                  const struct shown *f, uint32_t n, uint32_t *chosen)
{
	const struct table_packet *p = table_packets(t);

	uint32_t key = 0, at = 0;

	choose_uniform(plan, f, n, chosen);
	for (uint32_t i = 0; i < plan->n_rows; i++) {
		for (; at <= chosen[i]; at++)
			if (p[f[at].packet].flags & TABLE_KEY)
				key = at;
		chosen[i] = key;
	}
	return chosen;
}

/* floor(linspace(0, N - 1, T)), exactly. */
static uint32_t *choose_linspace(const struct plan *plan, uint32_t n, uint32_t *chosen)
{
	for (uint32_t i = 0; i < plan->n_rows; i++)
		chosen[i] = plan->n_rows < 2 ? 0 : (uint32_t)((uint64_t)i * (n - 1) / (plan->n_rows - 1));
	return chosen;
}

static void fill_rows(const struct shown *f, const uint32_t *chosen, struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n_rows; i++) {
		const struct shown *s = &f[chosen[i]];
		bool again = i > 0 && chosen[i] == chosen[i - 1];

		plan->rows[i] = (struct plan_row){
			.pts = plan->by_ordinal ? TABLE_NOPTS : s->pts,
			.ordinal = chosen[i],
			.packet = s->packet,
			.sync = s->sync,
			.first = again ? plan->rows[i - 1].first : i,
		};
	}
}

int plan_make(const struct table_head *t, const struct frames_spec *s, char *why, struct plan **ret_plan)
{
	struct shown *f = NULL;
	struct plan *plan = NULL;
	uint32_t *chosen = NULL;
	uint32_t n = 0;
	bool by_ordinal;
	int err = -ENOMEM;

	snprintf(why, WHY_MAX, "not enough memory to plan the frames");
	if (t->video_stream < 0) {
		snprintf(why, WHY_MAX, "the object has no video stream");
		return -ENODATA;
	}
	by_ordinal = lacks_pts(t);
	f = calloc(t->n_packets ? t->n_packets : 1, sizeof(*f));
	if (!f)
		goto out;
	if (by_ordinal)
		n = shown_by_ordinal(t, f);
	else if (shown_by_pts(t, f, &n) < 0)
		goto out;
	if (n == 0) {
		err = -EBADMSG;
		snprintf(why, WHY_MAX, "no frame of the %u packets of its video can be shown", t->n_packets);
		goto out;
	}

	uint32_t rows = s->sampling == SAMPLING_ALL ? n : s->num_frames;
	plan = calloc(1, sizeof(*plan) + (size_t)rows * sizeof(plan->rows[0]));
	chosen = calloc(rows, sizeof(*chosen));
	if (!plan || !chosen)
		goto out;
	plan->n_rows = rows;
	plan->n_shown = n;
	plan->by_ordinal = by_ordinal;
	plan->reorder = by_ordinal ? TABLE_REORDER_MAX : plan_reorder(t);
	plan->start = f[0].pts;
	plan->duration = f[n - 1].pts + (by_ordinal ? 1 : last_duration(t, f, n)) - plan->start;

	switch ((enum sampling)s->sampling) {
	case SAMPLING_UNIFORM:
		choose_uniform(plan, f, n, chosen);
		break;
	case SAMPLING_KEYFRAMES:
		choose_keyframes(t, plan, f, n, chosen);
		break;
	case SAMPLING_LINSPACE:
		choose_linspace(plan, n, chosen);
		break;
	case SAMPLING_ALL:
		for (uint32_t i = 0; i < rows; i++)
			chosen[i] = i;
		break;
	}
	fill_rows(f, chosen, plan);
	*ret_plan = plan;
	plan = NULL;
	err = 0;
out:
	free(chosen);
	free(plan);
	free(f);
	return err;
}
