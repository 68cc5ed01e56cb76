#include "store/list_guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NAMES_MAX ((size_t)1 << 20) /* places, of 8 bytes */

void list_guard_done(struct list_guard *g)
{
	free(g->highest);
	free(g->names);
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

/* The place of a name's hash, or the free one where it would be. */
static uint64_t *place(uint64_t *names, size_t room, uint64_t h)
{
	size_t i = h & (room - 1);

	while (names[i] && names[i] != h)
		i = (i + 1) & (room - 1);
	return &names[i];
}

static uint64_t hash_name(const char *name)
{
	uint64_t h = hash(name);

	return h ? h : 1;
}

bool list_guard_repeats(const struct list_guard *g, const char *name)
{
	int order = g->highest ? strcmp(name, g->highest) : 1;

	if (order >= 0 || !g->names)
		return order == 0;
	return *place(g->names, g->room, hash_name(name)) != 0;
}

/* Room for n more, at most half of it used. Beyond NAMES_MAX, or without memory, the guard
 * remembers no longer: what a store does that doesn't sort isn't worth failing for. */
static bool make_room(struct list_guard *g, size_t n)
{
	size_t room = g->room ? g->room : 4096;
	uint64_t *names = NULL;

	while (room < 2 * (g->n_names + n))
		room *= 2;
	if (room == g->room)
		return true;
	if (room <= NAMES_MAX)
		names = calloc(room, sizeof(*names));
	for (size_t i = 0; names && i < g->room; i++) {
		if (g->names[i])
			*place(names, room, g->names[i]) = g->names[i];
	}
	free(g->names);
	g->names = names;
	g->room = names ? room : 0;
	g->remembers = names != NULL;
	return names != NULL;
}

static void remember(struct list_guard *g, const struct store_page *page)
{
	if (!make_room(g, page->n))
		return;
	for (size_t i = 0; i < page->n; i++) {
		uint64_t h = hash_name(page->entries[i].name);
		uint64_t *at = place(g->names, g->room, h);

		g->n_names += *at == 0;
		*at = h;
	}
}

int list_guard_pass(struct list_guard *g, const struct store_page *page)
{
	const char *last = page->n > 0 ? page->entries[page->n - 1].name : NULL;

	if (last && (!g->highest || strcmp(last, g->highest) > 0)) {
		char *highest = strdup(last);

		if (!highest)
			return -ENOMEM;
		free(g->highest);
		g->highest = highest;
	}
	/* Of a listing in one page nothing comes after. */
	if (g->remembers && page->next)
		remember(g, page);
	g->keyless = page->n > 0 ? 0 : g->keyless + 1;
	if (page->next && g->pages >= g->mark_until) {
		g->mark = hash(page->next);
		g->mark_until = 2 * (g->pages + 1);
	}
	g->pages++;
	return 0;
}
