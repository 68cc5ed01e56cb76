#include <errno.h>
#include <libavcodec/packet.h>
#include <stdlib.h>

#include "worker/input.h"
#include "worker/source.h"
#include "worker/why.h"

struct direct {
	struct source base;         /* first: a struct source * is cast to this */
	struct input *in;
};

static int direct_read(struct source *s, const struct request_frames *r, uint32_t i,
                       AVPacket *packet, char *why)
{
	struct direct *d = (struct direct *)s;
	const struct table_packet *p = request_packet(r, i);
	int err;

	if (av_new_packet(packet, (int)p->size) < 0)
		return why_set(why, -ENOMEM, "no memory for a packet of %u bytes", p->size);
	err = input_read_all(d->in, (uint64_t)p->pos, packet->data, p->size);
	return err ? why_set(why, err, "packet %u can't be read", i) : 0;
}

static void direct_rebind(struct source *s, struct input *in)
{
	((struct direct *)s)->in = in;
}

static void direct_free(struct source *s)
{
	free(s);
}

static const struct source_ops direct_ops = {direct_read, direct_rebind, direct_free};

struct source *source_direct_new(struct input *in)
{
	struct direct *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->base.ops = &direct_ops;
	d->in = in;
	return &d->base;
}
