#include "net/transfer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "net/proxy.h"

#define HEADERS_SIZE_MAX (64u << 10)  /* bytes of all header lines of one reply */
#define SLOW (64u << 10)         /* bytes/s below which a transfer that won't be in time is slow */
#define SLOW_UNKNOWN (1u << 10)  /* bytes/s of one whose end isn't known */
#define RECEIVE_BUFFER (128L << 10)   /* bytes curl reads at once */

struct transfer {
	struct transfers *all;
	struct http_request *request;  /* NULL: free */
	struct transfer *next_free;
	CURL *easy;
	bool running;
	struct curl_slist *headers;
	struct curl_slist *addresses;
	char host[HTTP_HOST_SIZE];
	uint16_t port;
	const struct proxy *proxy;     /* NULL: directly */
	uint64_t progress_ms;
	uint64_t body_bytes;           /* received */
	uint64_t mark_ms, mark_bytes;  /* when its rate was last looked at, and what it had then */
	bool headers_done;
	size_t header_bytes;
	enum http_body route;
	enum http_result cut;          /* why we ended it ourselves, or HTTP_OK */
	char error[CURL_ERROR_SIZE];
};

struct transfers {
	CURLM *multi;
	struct stats *stats;
	enum stat_id stat_bytes, stat_connections;
	struct proxies proxies;
	long connect_ms;
	char *ca_bundle;
	struct transfer *free_list;
	unsigned n;
	struct transfer items[];
};

/* ---- receiving: curl's callbacks ---- */

/* Value [value, end) into field, "" where it doesn't fit. */
static void store_value(char *field, size_t size, const char *value, const char *end)
{
	while (value < end && isspace((unsigned char)*value))
		value++;
	while (value < end && isspace((unsigned char)end[-1]))
		end--;
	field[0] = '\0';
	if ((size_t)(end - value) < size && !memchr(value, '\0', (size_t)(end - value))) {
		memcpy(field, value, (size_t)(end - value));
		field[end - value] = '\0';
	}
}

static bool is_called(const char *line, size_t len, const char *name)
{
	return name && strlen(name) == len && strncasecmp(line, name, len) == 0;
}

static void store_header(struct http_request *r, const char *line, size_t len)
{
	static const struct {
		const char *name;
		size_t offset;
		size_t size;
	} kept[] = {
#define KEPT(header, field) { header, offsetof(struct http_reply, field), sizeof(r->reply.field) }
		KEPT("ETag", etag),
		KEPT("Content-Range", content_range),
		KEPT("Content-Length", content_length_text),
		KEPT("Last-Modified", last_modified),
		KEPT("Date", date),
		KEPT("Retry-After", retry_after),
#undef KEPT
	};
	const char *end = line + len;
	const char *colon = memchr(line, ':', len);
	const char *value = colon ? colon + 1 : end;
	size_t name_len = colon ? (size_t)(colon - line) : 0;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (is_called(line, name_len, kept[i].name))
			store_value((char *)&r->reply + kept[i].offset, kept[i].size, value, end);
	}
	for (size_t i = 0; i < HTTP_EXTRA_MAX; i++) {
		if (is_called(line, name_len, r->hooks->extra[i]))
			store_value(r->reply.extra[i], sizeof(r->reply.extra[i]), value, end);
	}
}

static void clear_reply(struct http_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	reply->content_length = -1;
}

/* "HTTP/1.1 206 Partial Content" */
static void store_status(struct http_reply *reply, const char *line, size_t len)
{
	const char *blank = memchr(line, ' ', len);

	clear_reply(reply);
	for (size_t i = 1; i <= 3 && blank && (size_t)(blank - line) + i < len; i++) {
		if (!isdigit((unsigned char)blank[i]))
			break;
		reply->status = reply->status * 10 + (blank[i] - '0');
	}
}

/* All headers of the final reply are there: whereto with its body? */
static bool finish_headers(struct transfer *t)
{
	struct http_request *r = t->request;
	uint64_t length;

	t->headers_done = true;
	t->mark_ms = clock_ms();  /* from here on its body is timed */
	if (text_parse_uint(r->reply.content_length_text, 0, INT64_MAX, &length) == 0)
		r->reply.content_length = (int64_t)length;
	t->route = r->method == HTTP_HEAD ? HTTP_BODY_TEXT : r->hooks->accept(r);
	if (t->route == HTTP_BODY_REFUSE)
		t->cut = HTTP_REFUSED;
	return t->route != HTTP_BODY_REFUSE;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct http_reply *reply = &t->request->reply;
	size_t len = size * n;

	t->progress_ms = clock_ms();
	t->header_bytes += len;
	if (t->header_bytes > HEADERS_SIZE_MAX) {
		t->cut = HTTP_TOO_LONG;
		return 0;
	}
	if (t->headers_done)  /* trailers of a chunked body */
		return len;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		store_status(reply, line, len);
	else if (line[0] != '\r' && line[0] != '\n')
		store_header(t->request, line, len);
	else if (reply->status >= 200 && !finish_headers(t))
		return 0;
	return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct http_request *r = t->request;
	size_t len = size * n;

	t->progress_ms = clock_ms();
	t->body_bytes += len;
	stats_add(t->all->stats, t->all->stat_bytes, (int64_t)len);
	if (t->route == HTTP_BODY_INTO) {
		if (len > r->into_cap - r->into_len) {
			/* Nor is what came before to be trusted. */
			r->into_len = 0;
			t->cut = HTTP_EXCESS;
			return 0;
		}
		memcpy(r->into + r->into_len, data, len);
		r->into_len += len;
		return len;
	}
	buf_add(&r->text, data, len);
	if (buf_error(&r->text)) {
		t->cut = buf_error(&r->text) == -EMSGSIZE ? HTTP_TOO_LONG : HTTP_NOMEM;
		return 0;
	}
	return len;
}

/* The connection stands and the request is about to go out. */
static int on_connected(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct transfer *t = arg;

	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	/* To connect has a time of its own. */
	t->progress_ms = t->mark_ms = clock_ms();
	return CURL_PREREQFUNC_OK;
}

/* ---- ending ---- */

/* Whether it goes over a connection that another request has used. */
static bool is_reused(const struct transfer *t)
{
	long connects = 1;

	curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
	return connects == 0;
}

/* The status with which a proxy refused to connect us; 0: it didn't. */
static int refused_by_proxy(const struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return t->proxy && (status < 200 || status >= 300) ? (int)status : 0;
}

static enum http_result translate(CURLcode code, const struct transfer *t)
{
	if (t->cut != HTTP_OK)
		return t->cut;
	if (code != CURLE_OK && refused_by_proxy(t))
		return HTTP_PROXY;
	switch (code) {
	case CURLE_OK:
		return HTTP_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_RESOLVE;
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:  /* only connecting is timed by curl */
	case CURLE_PROXY:
		return HTTP_CONNECT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return HTTP_CERT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
		return HTTP_TLS;
	case CURLE_PARTIAL_FILE:
		return HTTP_SHORT;
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
		return HTTP_NOMEM;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return HTTP_RESET;
	default:
		/* Bytes that a reply before had too many. */
		return is_reused(t) ? HTTP_RESET : HTTP_GARBLED;
	}
}

/* curl tells the URL of a proxy that it doesn't understand: all of it, or as much as finds room. */
static bool tells_password(const struct transfer *t, const char *text)
{
	return t->proxy && (strchr(text, '@') || (strchr(t->proxy->url, '@') && strcasestr(text, "proxy")));
}

/* curl's words, or better the system's where it was the system. */
static void store_detail(struct transfer *t, CURLcode code)
{
	char *detail = t->request->reply.detail;
	const size_t size = sizeof(t->request->reply.detail);
	const char *text = t->error[0] ? t->error : curl_easy_strerror(code);
	long os_error = 0;

	if (code == CURLE_OK || t->cut != HTTP_OK)
		return;
	if (refused_by_proxy(t)) {
		t->request->reply.status = refused_by_proxy(t);
		return;
	}
	curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT && os_error > 0)
		text = strerror((int)os_error);
	else if (tells_password(t, text))
		text = curl_easy_strerror(code);
	text_sanitize(detail, size, text, strlen(text));
}

void transfer_release(struct transfer *t)
{
	struct transfers *all = t->all;
	long connects = 0;

	if (t->running) {
		curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
		stats_add(all->stats, all->stat_connections, connects);
		curl_multi_remove_handle(all->multi, t->easy);
	}
	curl_easy_reset(t->easy);
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->addresses);
	t->headers = NULL;
	t->addresses = NULL;
	t->running = false;
	t->request->transfer = NULL;
	t->request = NULL;
	t->next_free = all->free_list;
	all->free_list = t;
}

/* ---- starting ---- */

struct transfer *transfer_take(struct transfers *all, struct http_request *r)
{
	struct transfer *t = all->free_list;

	if (!t)
		return NULL;
	all->free_list = t->next_free;
	t->request = r;
	t->progress_ms = 0;
	t->body_bytes = t->mark_ms = t->mark_bytes = 0;
	t->headers_done = false;
	t->header_bytes = 0;
	t->route = HTTP_BODY_TEXT;
	t->cut = HTTP_OK;
	t->error[0] = '\0';
	r->transfer = t;
	return t;
}

static bool add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer)
		*list = longer;
	return longer;
}

static int set_options(struct transfer *t, const struct http_message *m)
{
	CURL *e = t->easy;
	bool head = t->request->method == HTTP_HEAD;
	CURLcode bad = CURLE_OK;

	for (size_t i = 0; i < m->n_headers; i++) {
		if (!add_header(&t->headers, m->headers[i]))
			return -ENOMEM;
	}
	bad |= curl_easy_setopt(e, CURLOPT_URL, m->url);
	bad |= curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
	bad |= curl_easy_setopt(e, CURLOPT_NOBODY, head ? 1L : 0L);
	bad |= curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#if LIBCURL_VERSION_NUM >= 0x075500
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	bad |= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	/* "" and not NULL: which proxy is for us to say. */
	bad |= curl_easy_setopt(e, CURLOPT_PROXY, t->proxy ? t->proxy->url : "");
	bad |= curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	bad |= curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, t->all->connect_ms);
	bad |= curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
	bad |= curl_easy_setopt(e, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_USERAGENT, "s3samplefs");
	bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	bad |= curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected);
	bad |= curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
	bad |= curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	if (t->all->ca_bundle)
		bad |= curl_easy_setopt(e, CURLOPT_CAINFO, t->all->ca_bundle);
	return bad ? -ENOMEM : 0;
}

int transfer_prepare(struct transfer *t, const struct http_message *m)
{
	memcpy(t->host, m->host, sizeof(t->host));
	t->port = m->port;
	t->proxy = proxies_for(&t->all->proxies, strncmp(m->url, "https:", 6) == 0, t->host);
	t->request->proxy = t->proxy ? t->proxy->shown : NULL;
	return set_options(t, m);
}

const char *transfer_host(const struct transfer *t)
{
	const char *host = t->proxy ? t->proxy->host : t->host;
	struct in6_addr a;

	if (!host[0] || inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1)
		return NULL;
	return host;
}

int transfer_start(struct transfer *t, const char *addresses)
{
	char *line;

	if (addresses) {
		bool added;

		if (asprintf(&line, "%s:%u:%s", t->proxy ? t->proxy->host : t->host,
		             t->proxy ? t->proxy->port : t->port, addresses) < 0)
			return -ENOMEM;
		added = add_header(&t->addresses, line);
		free(line);
		if (!added || curl_easy_setopt(t->easy, CURLOPT_RESOLVE, t->addresses) != CURLE_OK)
			return -ENOMEM;
	}
	if (curl_multi_add_handle(t->all->multi, t->easy) != CURLM_OK)
		return -ENOMEM;
	t->running = true;
	stats_add(t->all->stats, t->request->counter, 1);
	return 0;
}

uint64_t transfer_progress_ms(const struct transfer *t)
{
	return t->progress_ms;
}

bool transfer_has_headers(const struct transfer *t)
{
	return t->headers_done;
}

bool transfer_is_slow(struct transfer *t, uint64_t window_ms, uint64_t deadline_ms)
{
	const uint64_t now = clock_ms();
	const uint64_t ms = now - t->mark_ms;
	const uint64_t got = t->body_bytes - t->mark_bytes;
	const int64_t length = t->request->reply.content_length;
	const uint64_t left = length >= 0 && (uint64_t)length > t->body_bytes ? (uint64_t)length - t->body_bytes : 0;

	if (ms < window_ms || now >= deadline_ms)
		return false;
	t->mark_ms = now;
	t->mark_bytes = t->body_bytes;
	if (!t->headers_done || length < 0)
		return got * 1000 < ms * SLOW_UNKNOWN;
	/* Both numbers are small: a deadline is an hour at most. */
	return got * 1000 < ms * SLOW && (double)got * (double)(deadline_ms - now) < (double)left * (double)ms;
}

void transfer_postpone(struct transfer *t, uint64_t ms)
{
	const uint64_t now = clock_ms();

	t->progress_ms = t->progress_ms && t->progress_ms + ms < now ? t->progress_ms + ms : t->progress_ms;
	t->mark_ms = t->mark_ms + ms < now ? t->mark_ms + ms : now;
}

/* ---- all of them ---- */

int transfers_new(const struct http_options *o, struct transfers **ret_all)
{
	struct transfers *all = calloc(1, sizeof(*all) + o->connections * sizeof(all->items[0]));

	if (!all)
		return -ENOMEM;
	/* Counted, and undone by curl_global_cleanup in transfers_free. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(all);
		return -ENOMEM;
	}
	all->stats = o->stats;
	all->stat_bytes = o->stat_bytes;
	all->stat_connections = o->stat_connections;
	all->connect_ms = (long)http_stall_ms(o->timeout_ms);
	all->ca_bundle = o->ca_bundle ? strdup(o->ca_bundle) : NULL;
	all->multi = curl_multi_init();
	if (!all->multi || (o->ca_bundle && !all->ca_bundle) || proxies_load(&all->proxies) < 0 ||
	    curl_multi_setopt(all->multi, CURLMOPT_MAXCONNECTS, (long)o->connections) != CURLM_OK)
		goto fail;
	for (; all->n < o->connections; all->n++) {
		struct transfer *t = &all->items[all->n];

		t->easy = curl_easy_init();
		if (!t->easy)
			goto fail;
		t->all = all;
		t->next_free = all->free_list;
		all->free_list = t;
	}
	*ret_all = all;
	return 0;
fail:
	transfers_free(all);
	return -ENOMEM;
}

void transfers_free(struct transfers *all)
{
	if (!all)
		return;
	for (unsigned i = 0; i < all->n; i++)
		curl_easy_cleanup(all->items[i].easy);
	curl_multi_cleanup(all->multi);
	proxies_done(&all->proxies);
	free(all->ca_bundle);
	free(all);
	curl_global_cleanup();
}

void transfers_run(struct transfers *all,
                   void (*ended)(void *arg, struct http_request *r, enum http_result result),
                   void *arg)
{
	CURLMsg *m;
	int n;

	curl_multi_perform(all->multi, &n);
	while ((m = curl_multi_info_read(all->multi, &n))) {
		CURLcode code = m->data.result;
		struct transfer *t;

		if (m->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t) != CURLE_OK)
			continue;
		store_detail(t, code);
		ended(arg, t->request, translate(code, t));
	}
}

void transfers_wait(struct transfers *all, uint64_t ms)
{
	curl_multi_poll(all->multi, NULL, 0, ms < 60000 ? (int)ms : 60000, NULL);
}

void transfers_wake(struct transfers *all)
{
	curl_multi_wakeup(all->multi);
}
