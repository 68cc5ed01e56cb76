#include "store/ranges.h"

#include <stdlib.h>

static int compare_off(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

static uint64_t end_of(struct range r)
{
	return r.len <= UINT64_MAX - r.off ? r.off + r.len : UINT64_MAX;
}

size_t ranges_merge(struct range *r, size_t n, uint64_t gap)
{
	size_t kept = 0;

	if (n > 1)
		qsort(r, n, sizeof(r[0]), compare_off);
	for (size_t i = 0; i < n; i++) {
		uint64_t end = end_of(r[i]);

		if (end == r[i].off)
			continue;
		if (kept > 0) {
			struct range *last = &r[kept - 1];
			uint64_t last_end = last->off + last->len;

			if (r[i].off <= last_end || r[i].off - last_end <= gap) {
				if (end > last_end)
					last->len = end - last->off;
				continue;
			}
		}
		r[kept++] = (struct range){ .off = r[i].off, .len = end - r[i].off };
	}
	return kept;
}

uint64_t ranges_pieces(uint64_t len, uint64_t max)
{
	return len / max + (len % max != 0);
}

struct range ranges_cut(struct range *r, uint64_t max)
{
	struct range piece = { .off = r->off, .len = r->len < max ? r->len : max };

	r->off += piece.len;
	r->len -= piece.len;
	return piece;
}

uint64_t ranges_total(const struct range *r, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++) {
		if (__builtin_add_overflow(total, r[i].len, &total))
			return UINT64_MAX;
	}
	return total;
}
