#include "s3/s3.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/log.h"
#include "base/text.h"
#include "aws/date.h"
#include "s3/op.h"
#include "aws/settings.h"
#include "aws/shared.h"
#include "s3/xml.h"

#define ERROR_BODY_MAX (64u << 10)
#define LIST_BODY_MAX (32u << 20)  /* some stores ignore max-keys */

_Static_assert(S3_ETAG_SIZE == XML_ETAG_SIZE, "ETags are copied from listings");

struct s3 {
	struct op_client client;
	char *prefix;
};

/* Sets op->key to the client's prefix and key. NULL, or why it can't be sent. */
static const char *set_key(struct s3 *s, struct op *op, const char *key, int *err)
{
	op->client = &s->client;
	if (strlen(s->prefix) + strlen(key) > S3_KEY_MAX) {
		*err = -ENOENT;
		return "a key longer than S3's 1024 bytes";
	}
	if (asprintf(&op->key, "%s%s", s->prefix, key) < 0) {
		op->key = NULL;
		*err = -ENOMEM;
		return "out of memory";
	}
	return NULL;
}

static void start(struct s3 *s, struct op *op, const char *key)
{
	int err = 0;
	const char *why = set_key(s, op, key, &err);

	if (why)
		op_refuse(op, err, why);
	else
		op_start(op);
}

/* ---- head ---- */

struct head {
	struct op op;
	s3_head_fn *done;
	void *arg;
};

static int head_describe(struct op *op, struct op_request *ret)
{
	(void)op;
	(void)ret;
	return 0;
}

static enum cause head_complete(struct op *op)
{
	struct head *h = (struct head *)op;
	const struct http_reply *reply = &op->http.reply;
	struct s3_object object = { .mtime_ns = S3_MTIME_UNKNOWN };
	const int64_t last_s = INT64_MAX / 1000000000;
	int64_t mtime_s = 0;

	if (reply->content_length < 0)
		return CAUSE_NOT_S3;
	object.size = (uint64_t)reply->content_length;
	xml_strip_etag(object.etag, sizeof(object.etag), reply->etag);
	if (!object.etag[0])
		return CAUSE_NO_ETAG;
	if (date_parse_http(reply->last_modified, &mtime_s) == 0 && mtime_s < last_s &&
	    mtime_s > -last_s)
		object.mtime_ns = mtime_s * 1000000000;
	h->done(h->arg, 0, NULL, &object);
	return CAUSE_NONE;
}

static void head_fail(struct op *op, int err, const char *why)
{
	struct head *h = (struct head *)op;

	h->done(h->arg, err, why, NULL);
}

static void head_free(struct op *op)
{
	free((struct head *)op);
}

static const struct op_kind head_kind = {
	.op = VERDICT_HEAD, .method = HTTP_HEAD, .counter = STAT_s3_head, .text_cap = ERROR_BODY_MAX,
	.describe = head_describe, .complete = head_complete, .fail = head_fail, .free = head_free,
};

void s3_head(struct s3 *s, const char *key, s3_head_fn *done, void *arg)
{
	struct head *h = calloc(1, sizeof(*h));

	if (!h) {
		done(arg, -ENOMEM, "out of memory", NULL);
		return;
	}
	h->op.kind = &head_kind;
	h->done = done;
	h->arg = arg;
	start(s, &h->op, key);
}

/* ---- list ---- */

struct list {
	struct op op;
	size_t prefix_len;   /* of the client's prefix */
	bool delimiter;
	unsigned max_keys;
	char *token;
	s3_list_fn *done;
	void *arg;
};

static void add_param(struct op_request *q, const char *name, const char *value)
{
	q->params[q->n_params++] = (struct sigv4_pair){ name, value };
}

static int list_describe(struct op *op, struct op_request *ret)
{
	const struct list *l = (const struct list *)op;

	add_param(ret, "list-type", "2");
	add_param(ret, "encoding-type", "url");
	add_param(ret, "prefix", op->key);
	if (l->delimiter)
		add_param(ret, "delimiter", "/");
	if (l->token)
		add_param(ret, "continuation-token", l->token);
	if (l->max_keys) {
		snprintf(ret->text, sizeof(ret->text), "%u", l->max_keys);
		add_param(ret, "max-keys", ret->text);
	}
	return 0;
}

/* By name; of equal ones the object that was written last comes first. */
static int compare_entries(const void *a, const void *b)
{
	const struct s3_entry *x = a;
	const struct s3_entry *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->object.mtime_ns < y->object.mtime_ns) - (x->object.mtime_ns > y->object.mtime_ns);
}

/* Whether keys and common prefixes, which come apart from each other, are each in order
 * and each there once. */
static bool is_in_order(const struct xml_list *x)
{
	const char *last[2] = { NULL, NULL };

	for (size_t i = 0; i < x->n; i++) {
		const struct xml_entry *e = &x->entries[i];

		if (!e->name[0])
			continue;
		if (last[e->is_prefix] && strcmp(last[e->is_prefix], e->name) >= 0)
			return false;
		last[e->is_prefix] = e->name;
	}
	return true;
}

/* Sorted ones; lets each stand once. */
static size_t drop_repeated(struct s3_entry *entries, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && entries[kept - 1].is_prefix == entries[i].is_prefix &&
		    strcmp(entries[kept - 1].name, entries[i].name) == 0)
			continue;
		entries[kept++] = entries[i];
	}
	return kept;
}

/* Entries relative to the client's prefix. What isn't below the prefix, the
 * prefix itself, and objects that can't be pinned to a version are left out. */
static size_t fill_entries(const struct list *l, const struct xml_list *x, struct s3_entry *entries)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++) {
		const struct xml_entry *e = &x->entries[i];

		if (!e->name[0]) {
			stats_add(l->op.client->stats, STAT_names_left_out, 1);
			continue;
		}
		if (strncmp(e->name, l->op.key, l->prefix_len) != 0 || !e->name[l->prefix_len])
			continue;
		if (!e->is_prefix && !e->etag[0]) {
			log_debug("s3 %s: left out of a listing, it has no ETag", e->name);
			continue;
		}
		entries[n] = (struct s3_entry){ .name = e->name + l->prefix_len,
		                                .is_prefix = e->is_prefix };
		entries[n].object.size = e->size;
		entries[n].object.mtime_ns = e->has_mtime ? e->mtime_ns : S3_MTIME_UNKNOWN;
		memcpy(entries[n].object.etag, e->etag, sizeof(e->etag));
		n++;
	}
	qsort(entries, n, sizeof(*entries), compare_entries);
	return drop_repeated(entries, n);
}

static enum cause list_complete(struct op *op)
{
	struct list *l = (struct list *)op;
	struct xml_list x;
	struct s3_page page = { 0 };
	struct s3_entry *entries;
	int err = xml_parse_list(op->http.text.data ? op->http.text.data : "", op->http.text.len, &x);

	if (err)
		return err == -ENOMEM ? CAUSE_NOMEM : CAUSE_NOT_S3;
	/* A store that gives the same token again would be asked for ever. */
	if (x.next && l->token && strcmp(x.next, l->token) == 0) {
		xml_list_done(&x);
		return CAUSE_NOT_S3;
	}
	entries = calloc(x.n ? x.n : 1, sizeof(*entries));
	if (!entries) {
		xml_list_done(&x);
		return CAUSE_NOMEM;
	}
	page.entries = entries;
	page.n = fill_entries(l, &x, entries);
	page.next = x.next;
	page.partial = (l->token || x.next) && !is_in_order(&x);
	l->done(l->arg, 0, NULL, &page);
	free(entries);
	xml_list_done(&x);
	return CAUSE_NONE;
}

static void list_fail(struct op *op, int err, const char *why)
{
	struct list *l = (struct list *)op;

	l->done(l->arg, err, why, NULL);
}

static void list_free(struct op *op)
{
	struct list *l = (struct list *)op;

	free(l->token);
	free(l);
}

static const struct op_kind list_kind = {
	.op = VERDICT_LIST, .method = HTTP_GET, .counter = STAT_s3_list, .text_cap = LIST_BODY_MAX,
	.of_bucket = true, .describe = list_describe, .complete = list_complete, .fail = list_fail,
	.free = list_free,
};

void s3_list(struct s3 *s, const struct s3_listing *listing, s3_list_fn *done, void *arg)
{
	struct list *l = calloc(1, sizeof(*l));

	if (l && listing->token) {
		l->token = strdup(listing->token);
		if (!l->token) {
			free(l);
			l = NULL;
		}
	}
	if (!l) {
		done(arg, -ENOMEM, "out of memory", NULL);
		return;
	}
	l->op.kind = &list_kind;
	l->prefix_len = strlen(s->prefix);
	l->delimiter = listing->delimiter;
	l->max_keys = listing->max_keys;
	l->done = done;
	l->arg = arg;
	start(s, &l->op, listing->prefix);
}

/* ---- get ---- */

struct get {
	struct op op;
	struct s3_object version;
	uint64_t off;
	size_t len;
	size_t got;          /* bytes of the body that are there */
	struct blob *body;   /* NULL until it is served */
	s3_get_fn *done;
	void *arg;
};

static int get_describe(struct op *op, struct op_request *ret)
{
	struct get *g = (struct get *)op;

	if (!g->body)
		g->body = blob_new(g->len);
	if (!g->body)
		return -ENOMEM;
	op->http.into = blob_writable(g->body) + g->got;
	op->http.into_cap = g->len - g->got;
	snprintf(ret->text, sizeof(ret->text), "bytes=%llu-%llu", (unsigned long long)(g->off + g->got),
	         (unsigned long long)(g->off + g->len - 1));
	ret->range = ret->text;
	ret->if_match = g->version.etag;
	return 0;
}

static enum http_body get_accept(struct op *op)
{
	struct get *g = (struct get *)op;

	op->refused = verdict_range(&op->http.reply, g->version.etag, g->version.size, g->off + g->got,
	                            g->len - g->got);
	return op->refused == CAUSE_NONE ? HTTP_BODY_INTO : HTTP_BODY_REFUSE;
}

/* What came is kept, even if it broke off there: the rest is asked for. */
static void get_ended(struct op *op)
{
	struct get *g = (struct get *)op;

	g->got += op->http.into_len;
	op->http.into_len = 0;
}

static bool get_is_whole(struct op *op)
{
	const struct get *g = (const struct get *)op;

	return g->got == g->len;
}

static enum cause get_complete(struct op *op)
{
	struct get *g = (struct get *)op;

	if (g->got < g->len)
		return CAUSE_BROKEN;
	g->done(g->arg, 0, NULL, g->body);
	return CAUSE_NONE;
}

static void get_fail(struct op *op, int err, const char *why)
{
	struct get *g = (struct get *)op;

	g->done(g->arg, err, why, NULL);
}

static void get_free(struct op *op)
{
	struct get *g = (struct get *)op;

	blob_unref(g->body);
	free(g);
}

static const struct op_kind get_kind = {
	.op = VERDICT_GET, .method = HTTP_GET, .counter = STAT_s3_get, .text_cap = ERROR_BODY_MAX,
	.describe = get_describe, .accept = get_accept, .ended = get_ended, .is_whole = get_is_whole,
	.complete = get_complete, .fail = get_fail, .free = get_free,
};

void s3_get(struct s3 *s, const char *key, const struct s3_object *version,
            const struct s3_range *range, s3_get_fn *done, void *arg)
{
	struct get *g = calloc(1, sizeof(*g));

	if (!g) {
		done(arg, -ENOMEM, "out of memory", NULL);
		return;
	}
	g->op.kind = &get_kind;
	g->op.http.prio = range->ahead ? HTTP_AHEAD : HTTP_DEMAND;
	g->version = *version;
	g->off = range->off;
	g->len = range->len;
	g->done = done;
	g->arg = arg;
	if (range->len == 0 || range->len > S3_GET_MAX || range->off > version->size ||
	    range->len > version->size - range->off) {
		op_refuse(&g->op, -EINVAL, "a range outside the object");
		return;
	}
	start(s, &g->op, key);
}

/* ---- open, free ---- */

/* Region and endpoint, from options, environment and files. */
static int configure(struct s3 *s, const struct s3_options *o, const struct shared *shared,
                     char *why, struct settings *settings)
{
	int err = settings_load(o->region, o->endpoint_url, o->max_attempts, shared, why, settings);

	if (err)
		return err;
	err = endpoint_init(settings->endpoint_url, o->bucket, o->path_style ? ENDPOINT_PATH : settings->style,
	                    why, &s->client.endpoint);
	if (!err && !endpoint_takes_region(&s->client.endpoint, settings->region))
		err = why_set(why, -EINVAL, "'%s' is not the name of a region%s", settings->region,
		              s->client.endpoint.aws ? " of AWS, and no endpoint_url is set" : "");
	s->client.max_attempts = settings->max_attempts;
	return err;
}

/* Before credentials are looked for: some sources of them are services. */
static int start_net(struct s3 *s, const struct s3_options *o, const struct settings *settings, char *why)
{
	const struct http_options http = { .connections = o->connections, .timeout_ms = o->timeout_ms,
	                                   .ca_bundle = settings->ca_bundle, .stats = o->stats,
	                                   .stat_bytes = STAT_s3_bytes, .stat_connections = STAT_s3_connections };
	int err = http_new(&http, &s->client.http);

	return err ? why_set(why, err, "cannot start the threads for s3://%s: %s", o->bucket, strerror(-err)) : 0;
}

static int start_signer(struct s3 *s, const struct s3_options *o, const struct shared *shared,
                        const struct settings *settings, char *why)
{
	struct signer_options signer = { .creds = o->creds, .net = s->client.http, .region = settings->region };
	int err = o->no_sign_request ? 0 : creds_load(&o->creds, shared, s->client.http, why, &signer.first);

	if (err)
		return err;
	err = signer_new(&signer, &s->client.signer);
	if (!err)
		return 0;
	creds_unref(signer.first);
	return why_set(why, err, "cannot start the threads for s3://%s: %s", o->bucket, strerror(-err));
}

int s3_open(const struct s3_options *o, char why[AWS_WHY_MAX], struct s3 **ret_s3)
{
	struct s3 *s = calloc(1, sizeof(*s));
	struct shared shared = { 0 };
	struct settings settings = { 0 };
	int err;

	if (!s)
		return why_set(why, -ENOMEM, "out of memory");
	pthread_mutex_init(&s->client.lock, NULL);
	s->client.stats = o->stats;
	s->client.timeout_ms = o->timeout_ms;
	retry_bucket_init(&s->client.bucket);
	s->prefix = strdup(o->prefix);
	if (s->prefix)
		err = shared_open(o->creds.profile, o->creds.cwd, why, &shared);
	else
		err = why_set(why, -ENOMEM, "out of memory");
	if (!err)
		err = configure(s, o, &shared, why, &settings);
	if (!err)
		err = start_net(s, o, &settings, why);
	if (!err)
		err = start_signer(s, o, &shared, &settings, why);
	settings_done(&settings);
	shared_done(&shared);
	if (err) {
		s3_free(s);
		return err;
	}
	*ret_s3 = s;
	return 0;
}

void s3_cancel(struct s3 *s)
{
	signer_stop(s->client.signer);
	http_stop(s->client.http);
}

void s3_free(struct s3 *s)
{
	if (!s)
		return;
	/* What the credentials' thread waits for ends; what waits for credentials goes back to
	 * http, which then ends all. */
	if (s->client.http)
		http_stop(s->client.http);
	if (s->client.signer)
		signer_finish(s->client.signer);
	http_free(s->client.http);
	signer_free(s->client.signer);
	pthread_mutex_destroy(&s->client.lock);
	free(s->prefix);
	free(s);
}
