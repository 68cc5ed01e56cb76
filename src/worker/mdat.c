#include "worker/mdat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

#define BOXES_MAX (8u << 20)    /* far more than a file has packets: ends a walk over rubbish */

struct box {
	char type[4];
	uint64_t off, header, size;     /* of the header, its bytes, bytes with it */
};

void mdat_done(struct mdat *m)
{
	free(m->ranges);
}

static uint64_t big_endian(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

/* The box at m->next, which moves behind it. Returns 1, 0 or -errno. */
static int next_box(struct mdat *m, struct box *ret)
{
	uint64_t left = input_size(m->in) - m->next;
	size_t len = left < 16 ? (size_t)left : 16;
	struct box b = {.off = m->next, .header = 8};
	uint8_t head[16];
	int err;

	if (len < 8)
		return 0;
	err = input_read_all(m->in, m->next, head, len);
	if (err)
		return err;
	b.size = big_endian(head, 4);
	memcpy(b.type, head + 4, 4);
	if (b.size == 0) {
		b.size = left;
	} else if (b.size == 1) {
		b.header = 16;
		b.size = len == 16 ? big_endian(head + 8, 8) : 0;
	}
	if (b.size < b.header)
		return 0;
	/* A last box may be cut off. */
	m->next = b.size < left ? m->next + b.size : input_size(m->in);
	*ret = b;
	return 1;
}

static int add(struct mdat *m, uint64_t off, uint64_t len)
{
	if (vec_grow(&m->ranges, m->n, &m->allocated, sizeof(*m->ranges)))
		return -ENOMEM;
	m->ranges[m->n++] = (struct input_range){off, len};
	return 0;
}

/* Is there a box of this type at off? Then m->next moves behind it. */
static int try_box(struct mdat *m, uint64_t off, const char *type, uint64_t header, bool *ret)
{
	struct box b;
	int n;

	m->next = off;
	n = next_box(m, &b);
	*ret = n > 0 && memcmp(b.type, type, 4) == 0 && (header == 0 || b.header == header);
	return n < 0 ? n : 0;
}

/* The demuxer mostly stands at the start of an mdat's contents or of a fragment,
 * which saves walking there. */
static int try_usual_places(struct mdat *m, uint64_t off, bool *ret)
{
	static const char next[][5] = {"moof", "sidx", "styp"};
	int err;

	err = off < 8 ? 0 : try_box(m, off - 8, "mdat", 8, ret);
	if (!err && !*ret && off >= 16)
		err = try_box(m, off - 16, "mdat", 16, ret);
	for (size_t i = 0; i < sizeof(next) / sizeof(next[0]) && !err && !*ret; i++) {
		err = try_box(m, off, next[i], 0, ret);
		m->next = off;
	}
	return err;
}

int mdat_init(struct mdat *m, struct input *in, uint64_t off)
{
	bool found = false;
	int err, n = 1;

	*m = (struct mdat){.in = in, .next = input_size(in)};
	if (off >= input_size(in))
		return add(m, 0, input_size(in));
	err = try_usual_places(m, off, &found);
	if (err)
		return err;
	if (!found)
		m->next = 0;
	for (uint32_t i = 0; i < BOXES_MAX && !found && n > 0 && m->next <= off; i++) {
		struct box b;

		n = next_box(m, &b);
	}
	return n < 0 ? n : add(m, 0, m->next);
}

int mdat_next(struct mdat *m)
{
	struct box b;
	int n = 0;

	for (uint32_t i = 0; i < BOXES_MAX && (n = next_box(m, &b)) > 0; i++) {
		if (memcmp(b.type, "mdat", 4) != 0)
			continue;
		n = add(m, b.off + b.header, m->next - b.off - b.header);
		return n < 0 ? n : 1;
	}
	return n;
}
