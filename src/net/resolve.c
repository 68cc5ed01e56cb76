#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"
#include "base/workq.h"

/* Fields under resolve.lock but for r and host, which don't change. */
struct entry {
	struct entry *next;
	struct resolve *r;
	bool pending;                            /* a look-up is under way */
	int err;                                 /* of the last one; -EAGAIN before the first */
	uint64_t done_ms;                        /* when it came */
	char addresses[RESOLVE_ADDRESSES_SIZE];
	char host[];
};

struct resolve {
	void (*ready)(void *arg);
	void *arg;
	struct workq *q;
	pthread_mutex_t lock;
	/* lock: */
	struct entry *entries;
};

struct resolve *resolve_new(void (*ready)(void *arg), void *arg)
{
	struct resolve *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->q = workq_new("resolve", 1);
	if (!r->q) {
		free(r);
		return NULL;
	}
	r->ready = ready;
	r->arg = arg;
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void resolve_free(struct resolve *r)
{
	if (!r)
		return;
	workq_free(r->q);
	while (r->entries) {
		struct entry *e = r->entries;

		r->entries = e->next;
		free(e);
	}
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static int from_gai(int gai)
{
	switch (gai) {
	case EAI_NONAME:
#ifdef EAI_NODATA
	case EAI_NODATA:
#endif
		return -ENOENT;
	case EAI_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int format_addresses(const struct addrinfo *list, char ret[RESOLVE_ADDRESSES_SIZE])
{
	struct buf b;
	int err;

	buf_init(&b, RESOLVE_ADDRESSES_SIZE - 1);
	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		char text[NI_MAXHOST];

		/* A scope ("%eth0") is more than curl's syntax can hold. */
		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) ||
		    strchr(text, '%') || b.len + strlen(text) + 4 > b.cap)
			continue;
		buf_printf(&b, a->ai_family == AF_INET6 ? "%s[%s]" : "%s%s", b.len ? "," : "", text);
	}
	err = buf_error(&b);
	if (!err && b.len == 0)
		err = -ENOENT;
	if (!err)
		memcpy(ret, b.data, b.len + 1);
	buf_done(&b);
	return err;
}

/* On the workq's thread. */
static void look_up(void *arg)
{
	struct entry *e = arg;
	struct resolve *r = e->r;
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
	                          .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list = NULL;
	char addresses[RESOLVE_ADDRESSES_SIZE];
	int gai = getaddrinfo(e->host, NULL, &hints, &list);
	int err = gai ? from_gai(gai) : format_addresses(list, addresses);

	if (list)
		freeaddrinfo(list);
	log_debug("resolve %s: %s", e->host,
	          gai ? gai_strerror(gai) : err ? strerror(-err) : addresses);
	pthread_mutex_lock(&r->lock);
	if (!err)
		memcpy(e->addresses, addresses, sizeof(addresses));
	e->err = err;
	e->done_ms = clock_ms();
	e->pending = false;
	pthread_mutex_unlock(&r->lock);
	r->ready(r->arg);
}

/* Hosts that are asked for no more go, so that a server that sends us from
 * region to region can't fill the memory. */
static void drop_old_locked(struct resolve *r, uint64_t now)
{
	for (struct entry **at = &r->entries; *at;) {
		struct entry *e = *at;

		if (e->pending || now - e->done_ms < RESOLVE_TTL_MS) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		free(e);
	}
}

static struct entry *find_locked(struct resolve *r, const char *host)
{
	for (struct entry *e = r->entries; e; e = e->next) {
		if (strcmp(e->host, host) == 0)
			return e;
	}
	return NULL;
}

static struct entry *add_locked(struct resolve *r, const char *host)
{
	size_t len = strlen(host) + 1;
	struct entry *e = calloc(1, sizeof(*e) + len);

	if (!e)
		return NULL;
	e->r = r;
	e->err = -EAGAIN;
	memcpy(e->host, host, len);
	e->next = r->entries;
	r->entries = e;
	return e;
}

static int get_locked(struct resolve *r, const char *host, uint64_t asked_ms, char *ret)
{
	uint64_t now = clock_ms();
	struct entry *e = find_locked(r, host);

	if (e && e->err == 0 && now - e->done_ms < RESOLVE_TTL_MS) {
		memcpy(ret, e->addresses, RESOLVE_ADDRESSES_SIZE);
		return 0;
	}
	if (e && e->pending)
		return -EAGAIN;
	if (e && e->err && e->err != -EAGAIN && e->done_ms >= asked_ms)
		return e->err;
	if (!e) {
		drop_old_locked(r, now);
		e = add_locked(r, host);
	}
	if (!e || workq_submit(r->q, look_up, e) < 0)
		return -ENOMEM;
	e->pending = true;
	return -EAGAIN;
}

int resolve_get(struct resolve *r, const char *host, uint64_t asked_ms,
                char ret_addresses[RESOLVE_ADDRESSES_SIZE])
{
	int err;

	pthread_mutex_lock(&r->lock);
	err = get_locked(r, host, asked_ms, ret_addresses);
	pthread_mutex_unlock(&r->lock);
	return err;
}

void resolve_forget(struct resolve *r, const char *host)
{
	struct entry *e;

	pthread_mutex_lock(&r->lock);
	e = find_locked(r, host);
	if (e && !e->pending)
		e->err = -EAGAIN;
	pthread_mutex_unlock(&r->lock);
}
