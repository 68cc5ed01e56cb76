#include "worker/index.h"

#include <errno.h>

#include "worker/why.h"

int index_add(struct index *x, const struct table_packet *p, char *why)
{
	if (p->size == 0)
		return 0;
	if (x->n == x->max)
		return why_set(why, -EBADMSG, "more than %u video packets", x->max);
	x->p[x->n++] = *p;
	return 0;
}
