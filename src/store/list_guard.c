#include "store/list_guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void list_guard_done(struct list_guard *g)
{
	free(g->last);
	*g = (struct list_guard){ 0 };
}

static uint64_t hash(const char *token)
{
	return text_hash64(token, strlen(token));
}

/* Tokens that go round in circles of any length are found by Brent's algorithm
 * (https://doi.org/10.1007/BF01933190): each is compared with one that came before, and
 * that is exchanged for the current one after 1, 2, 4, 8 ... pages. */
int list_guard_check(const struct list_guard *g, const struct store_page *page, const char **ret_why)
{
	if (!page->next)
		return 0;
	if (page->n == 0 && g->keyless + 1 >= LIST_GUARD_KEYLESS_MAX) {
		*ret_why = "the store's listing does not end: 1000 pages in a row have no key";
		return -EPROTO;
	}
	if (g->pages > 0 && hash(page->next) == g->mark) {
		*ret_why = "the store's listing does not end: it goes back to a page that came before";
		return -EPROTO;
	}
	return 0;
}

bool list_guard_repeats(const struct list_guard *g, const char *name)
{
	return g->last && strcmp(g->last, name) == 0;
}

int list_guard_pass(struct list_guard *g, const struct store_page *page)
{
	if (page->n > 0) {
		char *last = strdup(page->entries[page->n - 1].name);

		if (!last)
			return -ENOMEM;
		free(g->last);
		g->last = last;
	}
	g->keyless = page->n > 0 ? 0 : g->keyless + 1;
	if (page->next && g->pages >= g->mark_until) {
		g->mark = hash(page->next);
		g->mark_until = 2 * (g->pages + 1);
	}
	g->pages++;
	return 0;
}
