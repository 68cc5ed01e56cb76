#include "s3/xml.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/vec.h"
#include "aws/date.h"

#define DEPTH_MAX 16
#define TEXT_MAX XML_TOKEN_MAX  /* bytes between two tags; the longest we keep is a token */

/* What both documents share: the walk through the tree, the text of a leaf. */
struct walk {
	XML_Parser parser;
	const char *root;               /* local name that the document must have */
	unsigned depth;                 /* of open elements */
	char parent[32];                /* local name of the open element at depth 2 */
	struct buf text;                /* since the last tag */
	int err;                        /* the first; nothing is looked at afterwards */
	/* The end of an element at depth 2 (parent is "") or 3. */
	int (*leaf)(void *into, const char *parent, const char *name, const char *text);
	/* The begin or the end of an element at depth 2. */
	int (*begin)(void *into, const char *name);
	int (*end)(void *into, const char *name);
	void *into;
};

static void fail(struct walk *w, int err)
{
	if (!w->err)
		w->err = err;
	XML_StopParser(w->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
	struct walk *w = user;
	int err = 0;

	(void)attributes;
	if (w->err)
		return;
	name = local_name(name);
	buf_reset(&w->text);
	w->depth++;
	if (w->depth > DEPTH_MAX || (w->depth == 1 && strcmp(name, w->root) != 0)) {
		fail(w, -EPROTO);
	} else if (w->depth == 2) {
		/* A name that doesn't fit is none of ours. */
		bool fits = strlen(name) < sizeof(w->parent);

		strcpy(w->parent, fits ? name : "");
		err = w->begin ? w->begin(w->into, name) : 0;
	}
	if (err)
		fail(w, err);
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
	struct walk *w = user;
	const char *text = w->text.data ? w->text.data : "";
	int err = 0;

	if (w->err)
		return;
	name = local_name(name);
	if (w->depth == 2 || w->depth == 3)
		err = w->leaf(w->into, w->depth == 3 ? w->parent : "", name, text);
	if (!err && w->depth == 2 && w->end)
		err = w->end(w->into, name);
	buf_reset(&w->text);
	w->depth--;
	if (err)
		fail(w, err);
}

static void XMLCALL on_text(void *user, const XML_Char *s, int len)
{
	struct walk *w = user;

	if (w->err || (w->depth != 2 && w->depth != 3))
		return;
	buf_add(&w->text, s, (size_t)len);
	if (buf_error(&w->text))
		fail(w, buf_error(&w->text));
}

/* A DTD could define entities; S3 sends none. */
static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *sysid,
                               const XML_Char *pubid, int has_internal_subset)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)has_internal_subset;
	fail(user, -EPROTO);
}

static int walk_document(struct walk *w, const char *data, size_t len)
{
	if (len > INT_MAX)
		return -EMSGSIZE;
	w->parser = XML_ParserCreate(NULL);
	if (!w->parser)
		return -ENOMEM;
	buf_init(&w->text, TEXT_MAX);
	XML_SetUserData(w->parser, w);
	XML_SetElementHandler(w->parser, on_start, on_end);
	XML_SetCharacterDataHandler(w->parser, on_text);
	XML_SetStartDoctypeDeclHandler(w->parser, on_doctype);
	if (XML_Parse(w->parser, data, (int)len, XML_TRUE) != XML_STATUS_OK && !w->err)
		w->err = XML_GetErrorCode(w->parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EPROTO;
	buf_done(&w->text);
	XML_ParserFree(w->parser);
	return w->err;
}

/* RFC 9110, 8.8.3. It will stand in a header of ours. */
static bool is_etag(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] <= ' ' || s[i] == '"' || s[i] == 0x7f)
			return false;
	}
	return true;
}

void xml_strip_etag(char *dst, size_t size, const char *src)
{
	size_t len;

	if (src[0] == 'W' && src[1] == '/')
		src += 2;
	len = strlen(src);
	if (len >= 2 && src[0] == '"' && src[len - 1] == '"') {
		src++;
		len -= 2;
	}
	if (len >= size || !is_etag(src, len))
		len = 0;
	memcpy(dst, src, len);
	dst[len] = '\0';
}

/* ---- ListBucketResult ---- */

struct listing {
	struct xml_list out;
	size_t alloc;
	struct xml_entry current;
	bool has_size;
	bool truncated;
	bool url_encoded;
};

static int set_string(char **dst, const char *text)
{
	if (*dst)
		return -EPROTO;
	*dst = strdup(text);
	return *dst ? 0 : -ENOMEM;
}

static int set_entry_field(struct listing *l, const char *name, const char *text)
{
	struct xml_entry *e = &l->current;

	if (strcmp(name, "Key") == 0)
		return set_string(&e->name, text);
	if (strcmp(name, "Size") == 0) {
		l->has_size = true;
		/* off_t is signed. */
		return text_parse_uint(text, 0, INT64_MAX, &e->size) < 0 ? -EPROTO : 0;
	}
	if (strcmp(name, "ETag") == 0)
		xml_strip_etag(e->etag, sizeof(e->etag), text);
	else if (strcmp(name, "LastModified") == 0)
		e->has_mtime = date_parse_iso8601(text, strlen(text), &e->mtime_ns) == 0;
	else if (strcmp(name, "StorageClass") == 0)
		text_sanitize(e->storage_class, sizeof(e->storage_class), text, strlen(text));
	return 0;
}

static int list_leaf(void *into, const char *parent, const char *name, const char *text)
{
	struct listing *l = into;

	if (strcmp(parent, "Contents") == 0)
		return set_entry_field(l, name, text);
	if (strcmp(parent, "CommonPrefixes") == 0)
		return strcmp(name, "Prefix") == 0 ? set_string(&l->current.name, text) : 0;
	if (parent[0] != '\0')
		return 0;
	if (strcmp(name, "IsTruncated") == 0)
		l->truncated = strcmp(text, "true") == 0;
	else if (strcmp(name, "EncodingType") == 0)
		l->url_encoded = strcmp(text, "url") == 0;
	else if (strcmp(name, "NextContinuationToken") == 0)
		return set_string(&l->out.next, text);
	return 0;
}

static bool is_entry(const char *name)
{
	return strcmp(name, "Contents") == 0 || strcmp(name, "CommonPrefixes") == 0;
}

static int list_begin(void *into, const char *name)
{
	struct listing *l = into;

	if (!is_entry(name))
		return 0;
	free(l->current.name);
	memset(&l->current, 0, sizeof(l->current));
	l->current.is_prefix = strcmp(name, "CommonPrefixes") == 0;
	l->has_size = l->current.is_prefix;
	return 0;
}

static int grow_entries(struct listing *l)
{
	if (l->out.n >= l->alloc && l->out.n >= XML_ENTRIES_MAX)
		return -EMSGSIZE;
	return vec_grow(&l->out.entries, l->out.n, &l->alloc, sizeof(*l->out.entries));
}

static int list_end(void *into, const char *name)
{
	struct listing *l = into;
	int err;

	if (!is_entry(name))
		return 0;
	if (!l->current.name || !l->has_size)
		return -EPROTO;
	err = grow_entries(l);
	if (err)
		return err;
	l->out.entries[l->out.n++] = l->current;
	l->current.name = NULL;
	return 0;
}

static int decode_name(char **name)
{
	char *decoded;

	for (char *p = *name; *p; p++) {
		if (*p == '+')
			*p = ' ';
	}
	decoded = text_uri_decode(*name);
	if (!decoded)
		return -EPROTO;
	free(*name);
	*name = decoded;
	return 0;
}

/* Only now is the whole document, and with it EncodingType, known. A name that
 * no object can have becomes "": one odd key must not hide a whole directory. */
static void decode_names(struct listing *l)
{
	for (size_t i = 0; i < l->out.n; i++) {
		struct xml_entry *e = &l->out.entries[i];
		bool odd = l->url_encoded && decode_name(&e->name) < 0;
		size_t len = strlen(e->name);

		if (odd || len > XML_KEY_MAX || (e->is_prefix && len > 0 && e->name[len - 1] != '/'))
			e->name[0] = '\0';
	}
}

int xml_parse_list(const char *data, size_t len, struct xml_list *ret_list)
{
	struct listing l = { 0 };
	struct walk w = { .root = "ListBucketResult", .leaf = list_leaf, .begin = list_begin,
	                  .end = list_end, .into = &l };
	int err = walk_document(&w, data, len);

	free(l.current.name);
	decode_names(&l);
	if (!err && l.truncated && (!l.out.next || !l.out.next[0]))
		err = -EPROTO;
	if (err) {
		xml_list_done(&l.out);
		return err;
	}
	if (!l.truncated) {
		free(l.out.next);
		l.out.next = NULL;
	}
	*ret_list = l.out;
	return 0;
}

void xml_list_done(struct xml_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->entries[i].name);
	free(list->entries);
	free(list->next);
	memset(list, 0, sizeof(*list));
}

/* ---- Error ---- */

static int error_leaf(void *into, const char *parent, const char *name, const char *text)
{
	struct xml_error *e = into;
	size_t len = strlen(text);

	if (parent[0] != '\0')
		return 0;
	if (strcmp(name, "Code") == 0)
		text_sanitize(e->code, sizeof(e->code), text, len);
	else if (strcmp(name, "Message") == 0)
		text_sanitize(e->message, sizeof(e->message), text, len);
	else if (strcmp(name, "Region") == 0)
		text_sanitize(e->region, sizeof(e->region), text, len);
	else if (strcmp(name, "Endpoint") == 0)
		text_sanitize(e->endpoint, sizeof(e->endpoint), text, len);
	return 0;
}

int xml_parse_error(const char *data, size_t len, struct xml_error *ret_error)
{
	struct xml_error e = { 0 };
	struct walk w = { .root = "Error", .leaf = error_leaf, .into = &e };
	int err = walk_document(&w, data, len);

	if (err == -EMSGSIZE)
		err = -EPROTO;
	if (!err)
		*ret_error = e;
	return err;
}
