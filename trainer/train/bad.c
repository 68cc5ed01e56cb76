#include "train/bad.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct bad_list {
	struct bad_sample *item;
	size_t n;
	size_t samples;
	bool known[];           /* by number of the sample */
};

int bad_new(size_t samples, struct bad_list **ret)
{
	struct bad_list *b = calloc(1, sizeof(*b) + samples * sizeof(b->known[0]));

	if (!b)
		return -ENOMEM;
	b->samples = samples;
	*ret = b;
	return 0;
}

void bad_free(struct bad_list *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n; i++)
		free(b->item[i].reason);
	free(b->item);
	free(b);
}

static int add(struct bad_list *b, uint32_t sample, const char *reason)
{
	struct bad_sample *item = reallocarray(b->item, b->n + 1, sizeof(*item));
	char *copy = strdup(reason);

	if (item)
		b->item = item;
	if (!item || !copy) {
		free(copy);
		return -ENOMEM;
	}
	item[b->n++] = (struct bad_sample){ sample, copy };
	b->known[sample] = true;
	return 0;
}

int bad_add(struct bad_list *b, const struct bad_sample *bad, size_t n, size_t *ret_new)
{
	size_t before = b->n;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		if (!b->known[bad[i].sample])
			err = add(b, bad[i].sample, bad[i].reason);
	}
	if (!err)
		*ret_new = b->n - before;
	return err;
}

int bad_restore(struct bad_list *b, const uint32_t *samples, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		if (samples[i] >= b->samples || b->known[samples[i]])
			return -EBADMSG;
		err = add(b, samples[i], "");
	}
	return err;
}

size_t bad_count(const struct bad_list *b)
{
	return b->n;
}

const struct bad_sample *bad_get(const struct bad_list *b)
{
	return b->item;
}

uint32_t *bad_numbers(const struct bad_list *b)
{
	uint32_t *list = calloc(b->n + 1, sizeof(*list));

	for (size_t i = 0, n = 0; i < b->samples && list; i++) {
		if (b->known[i])
			list[n++] = (uint32_t)i;
	}
	return list;
}
