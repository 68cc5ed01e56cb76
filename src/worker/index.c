#include "worker/index.h"

#include <errno.h>

#include "worker/why.h"

int index_add(struct index *x, const struct table_packet *p, char *why)
{
	if (p->size == 0)
		return 0;
	if (x->n == TABLE_PACKETS_MAX)
		return why_set(why, -EBADMSG, "more than %u video packets", TABLE_PACKETS_MAX);
	/* There may be more room: the daemon asks again with all it has. */
	if (x->n == x->max)
		return why_set(why, -ENOSPC, "a table of its video packets doesn't fit");
	x->p[x->n++] = *p;
	return 0;
}
