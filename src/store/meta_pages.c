#include "store/meta_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/table.h"

#define SIBLINGS_MAX ((size_t)64 << 10) /* bytes of names; more are asked of the store */
#define SIBLINGS_PAGES 4                /* over which they may lie */
#define HEAP (2 * sizeof(void *))       /* malloc's own, and a place among a hash's buckets */

enum kind { LEVEL = 'l', ALL = 'a' };   /* with a delimiter, and without */

struct meta_page {
	struct meta_page *prev, *next;         /* LRU */
	struct meta_page *older, *younger;     /* of the group */
	struct meta_group *group;
	struct meta_date date;
	size_t bytes;
	bool is_first;           /* nothing comes before */
	const char *after;       /* or: it shows what comes after this name; NULL: from its own first */
	const char *token;       /* of the page behind it; NULL: nothing comes behind */
	size_t n;                /* > 0 where there is a token */
	const char *names[];     /* bytewise order */
};

/* Pages of listings of one prefix. */
struct meta_group {
	UT_hash_handle hh;
	struct meta_page *pages; /* youngest last */
	char name[];             /* kind, then prefix */
};

void meta_pages_init(struct meta_pages *p, size_t max_bytes)
{
	*p = (struct meta_pages){ .max_bytes = max_bytes };
}

static size_t group_bytes(size_t len)
{
	return sizeof(struct meta_group) + 1 + len + 2 * HEAP;
}

static struct meta_group *find_group(const struct meta_pages *p, enum kind kind, const char *prefix,
                                     size_t len)
{
	char name[1 + OBJECT_KEY_MAX];
	struct meta_group *g;

	if (len > OBJECT_KEY_MAX)
		return NULL;
	name[0] = (char)kind;
	memcpy(name + 1, prefix, len);
	HASH_FIND(hh, p->groups, name, 1 + len, g);
	return g;
}

static struct meta_group *get_group(struct meta_pages *p, enum kind kind, const char *prefix)
{
	size_t len = strlen(prefix);
	struct meta_group *g = find_group(p, kind, prefix, len);

	if (g || len > OBJECT_KEY_MAX)
		return g;
	g = calloc(1, sizeof(*g) + 1 + len);
	if (!g)
		return NULL;
	g->name[0] = (char)kind;
	memcpy(g->name + 1, prefix, len);
	HASH_ADD_KEYPTR(hh, p->groups, g->name, 1 + len, g);
	if (!table_added(g)) {
		free(g);
		return NULL;
	}
	p->bytes += group_bytes(len);
	return g;
}

static void group_free(struct meta_pages *p, struct meta_group *g)
{
	p->bytes -= group_bytes(g->hh.keylen - 1);
	HASH_DELETE(hh, p->groups, g);
	free(g);
}

static void page_free(struct meta_pages *p, struct meta_page *page)
{
	struct meta_group *g = page->group;

	DL_DELETE(p->lru, page);
	DL_DELETE2(g->pages, page, older, younger);
	p->bytes -= page->bytes;
	free(page);
	if (!g->pages)
		group_free(p, g);
}

static void forget_group(struct meta_pages *p, struct meta_group *g)
{
	struct meta_page *page, *next;

	for (page = g->pages; page; page = next) {
		next = page->younger;
		page_free(p, page);  /* the last one takes the group along */
	}
}

void meta_pages_done(struct meta_pages *p)
{
	while (p->lru)
		page_free(p, p->lru);
}

/* ------------------------------------------------------------------ adding */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool in_order(const struct store_page *page)
{
	for (size_t i = 1; i < page->n; i++)
		if (strcmp(page->entries[i - 1].name, page->entries[i].name) >= 0)
			return false;
	return true;
}

static const char *last_name(const struct meta_page *page)
{
	return page->names[page->n - 1];
}

/* The last name of the page before the one that token asks for, if that is known. */
static const char *name_before(const struct meta_group *g, const char *token)
{
	const char *last = NULL;
	struct meta_page *page;

	/* The youngest counts: some servers give the same token to any second page. */
	DL_FOREACH2(g ? g->pages : NULL, page, younger)
		if (page->token && strcmp(page->token, token) == 0)
			last = last_name(page);
	return last;
}

static const char *pack(char **at, const char *text)
{
	char *to = *at;
	size_t size;

	if (!text)
		return NULL;
	size = strlen(text) + 1;
	memcpy(to, text, size);
	*at += size;
	return to;
}

static size_t packed(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* One block of memory. */
static struct meta_page *page_new(const struct store_page *from, bool is_first, const char *after)
{
	size_t size = sizeof(struct meta_page) + from->n * sizeof(char *) + packed(after) + packed(from->next);
	struct meta_page *page;
	char *at;

	for (size_t i = 0; i < from->n; i++)
		size += packed(from->entries[i].name);
	page = calloc(1, size);
	if (!page)
		return NULL;
	page->bytes = size + HEAP;
	page->is_first = is_first;
	page->n = from->n;
	at = (char *)&page->names[from->n];
	page->after = pack(&at, after);
	page->token = pack(&at, from->next);
	for (size_t i = 0; i < from->n; i++)
		page->names[i] = pack(&at, from->entries[i].name);
	return page;
}

/* Whether all that old shows lies between page's ends. */
static bool replaces(const struct meta_page *page, const struct meta_page *old)
{
	bool from = page->is_first || (page->n > 0 && old->n > 0 && !old->is_first &&
	                               strcmp(page->names[0], old->names[0]) <= 0);
	bool to = !page->token || (old->token && strcmp(last_name(page), last_name(old)) >= 0);

	return from && to && old->date.seq < page->date.seq;
}

/* Where so many bytes don't fit, lets pages go that can't be needed any more, then those that
 * aren't, until they do. */
static void make_room(struct meta_pages *p, size_t bytes, uint64_t oldest_ms)
{
	struct meta_page *page, *next;

	if (p->bytes <= p->max_bytes - bytes)
		return;
	DL_FOREACH_SAFE(p->lru, page, next)
		if (page->date.ms < oldest_ms)
			page_free(p, page);
	while (p->lru && p->bytes > p->max_bytes - bytes)
		page_free(p, p->lru);
}

/* A reply may be the whole listing and yet not be sorted. */
static void sort(struct meta_page *page)
{
	if (page->is_first && !page->token && page->n > 0)
		qsort(page->names, page->n, sizeof(page->names[0]), compare_names);
}

void meta_pages_add(struct meta_pages *p, const struct store_list *l, const struct store_page *page,
                    struct meta_date date, uint64_t oldest_ms)
{
	enum kind kind = l->delimiter ? LEVEL : ALL;
	size_t len = strlen(l->prefix);
	bool is_whole = !l->token && !page->next;
	const char *after = l->token ? name_before(find_group(p, kind, l->prefix, len), l->token) : NULL;
	struct meta_page *new, *old, *next;
	size_t room;

	/* One that isn't sorted belies those of its listing that seemed to be. */
	if (page->partial && page->n > 0 && after)
		forget_group(p, find_group(p, kind, l->prefix, len));
	if (page->partial || (page->n == 0 && (page->next || (l->token && !after))) ||
	    (!is_whole && !in_order(page)))
		return;
	/* Not where the page before would begin. Where this one begins before that one ended,
	 * nobody sorts: what is missing in any of them may be in another. */
	if (after && page->n > 0 && strcmp(after, page->entries[0].name) >= 0) {
		if (strcmp(after, page->entries[0].name) > 0) {
			forget_group(p, find_group(p, kind, l->prefix, len));
			return;
		}
		after = NULL;
	}
	new = page_new(page, !l->token, after);
	if (!new)
		return;
	new->date = date;
	sort(new);
	room = new->bytes + group_bytes(len);
	if (room <= p->max_bytes)
		make_room(p, room, oldest_ms);
	new->group = room <= p->max_bytes ? get_group(p, kind, l->prefix) : NULL;
	if (!new->group) {
		free(new);
		return;
	}
	DL_APPEND(p->lru, new);
	DL_APPEND2(new->group->pages, new, older, younger);
	p->bytes += new->bytes;
	for (old = new->group->pages; old; old = next) {
		next = old->younger;
		if (old != new && replaces(new, old))
			page_free(p, old);
	}
}

/* ------------------------------------------------------------------ asking */

/* A place among names: at one, or right behind it. */
struct place {
	const char *name;
	bool behind;
};

static bool is_before(const char *name, struct place at)
{
	int order = strcmp(name, at.name);

	return at.behind ? order <= 0 : order < 0;
}

/* Whether page shows the name that comes first from there on, or that there is none. */
static bool covers(const struct meta_page *page, struct place at)
{
	bool from = page->is_first || (page->after && is_before(page->after, at)) ||
	            (page->n > 0 && strcmp(page->names[0], at.name) <= 0);

	return from && (!page->token || !is_before(last_name(page), at));
}

/* The later one of best and the latest of g's pages that cover the place. */
static struct meta_page *later(struct meta_page *best, const struct meta_group *g, struct place at,
                               uint64_t oldest_ms)
{
	struct meta_page *page;

	DL_FOREACH2(g ? g->pages : NULL, page, younger)
		if (page->date.ms >= oldest_ms && (!best || page->date.seq > best->date.seq) && covers(page, at))
			best = page;
	return best;
}

/* The latest page that covers a place among the names that begin with prefix: of a
 * listing of all that is below one of the directories above, of the level that prefix
 * lies in, or of prefix itself. */
static struct meta_page *latest(struct meta_pages *p, const char *prefix, struct place at, uint64_t oldest_ms)
{
	size_t len = strlen(prefix), level = 0;
	struct meta_page *best = NULL;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && prefix[i - 1] != '/')
			continue;
		level = i;
		best = later(best, find_group(p, ALL, prefix, i), at, oldest_ms);
	}
	best = later(best, find_group(p, LEVEL, prefix, level), at, oldest_ms);
	best = later(best, find_group(p, LEVEL, prefix, len), at, oldest_ms);
	if (best) {
		DL_DELETE(p->lru, best);
		DL_APPEND(p->lru, best);
	}
	return best;
}

/* The first of page's names from there on, or n. */
static size_t first_from(const struct meta_page *page, struct place at)
{
	size_t low = 0, high = page->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (is_before(page->names[mid], at))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Whether dir, without its slash and perhaps without endings, is a name that was shown. */
static bool is_made_of_one(struct meta_pages *p, const char *dir, uint64_t oldest_ms)
{
	char name[OBJECT_KEY_MAX + 1] = "";
	size_t len = strlen(dir);
	char *base, *end = len > sizeof(name) ? NULL : name + len - 1;

	if (!end)
		return false;
	memcpy(name, dir, len - 1);
	base = strrchr(name, '/');
	for (base = base ? base + 1 : name; end; end = strrchr(base, '.')) {
		const struct place at = { name, false };
		const struct meta_page *page;
		size_t i;

		*end = '\0';
		page = *base ? latest(p, dir, at, oldest_ms) : NULL;
		i = page ? first_from(page, at) : 0;
		if (page && i < page->n && strcmp(page->names[i], name) == 0)
			return true;
	}
	return false;
}

bool meta_pages_dir(struct meta_pages *p, const char *dir, uint64_t oldest_ms, bool *ret_exists,
                    struct meta_date *ret_date)
{
	const struct place at = { dir, false };
	struct meta_page *page = dir[0] ? latest(p, dir, at, oldest_ms) : NULL;
	bool exists;
	size_t i;

	if (!page)
		return false;
	i = first_from(page, at);
	exists = i < page->n && strncmp(page->names[i], dir, strlen(dir)) == 0;
	if (!exists && page->group->name[0] == ALL && !is_made_of_one(p, dir, oldest_ms))
		return false;
	*ret_exists = exists;
	*ret_date = page->date;
	return true;
}

int meta_pages_siblings(struct meta_pages *p, const char *prefix, uint64_t oldest_ms,
                        char **ret_names, struct meta_date *ret_date)
{
	struct place at = { prefix, false };
	size_t len = strlen(prefix), i = 0;
	struct meta_date date = { UINT64_MAX, UINT64_MAX };
	struct meta_page *page;
	struct buf names;
	char *found;
	int err = -EAGAIN;

	buf_init(&names, SIBLINGS_MAX);
	for (unsigned pages = 0; pages < SIBLINGS_PAGES && (page = latest(p, prefix, at, oldest_ms)); pages++) {
		if (page->date.seq < date.seq)
			date = page->date;
		for (i = first_from(page, at); i < page->n && strncmp(page->names[i], prefix, len) == 0; i++)
			if (page->names[i][len] && !strpbrk(page->names[i] + len, "./"))
				buf_add(&names, page->names[i], strlen(page->names[i]) + 1);
		if (i < page->n || !page->token) {
			err = 0;
			break;
		}
		at = (struct place){ last_name(page), true };
	}
	if (!err && buf_error(&names) == -EMSGSIZE)
		err = -EAGAIN;
	found = err ? NULL : buf_take(&names);
	buf_done(&names);
	if (!found)
		return err ? err : -ENOMEM;
	*ret_names = found;
	*ret_date = date;
	return 0;
}
