#include "aws/sigv4.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define DAY_LEN 8             /* "20130524" */
#define TEXT_MAX (64u << 10)  /* cap on any string made here */

static void to_hex(const uint8_t hash[SIGV4_HASH_SIZE], char ret[SIGV4_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < SIGV4_HASH_SIZE; i++) {
		ret[2 * i] = digits[hash[i] >> 4];
		ret[2 * i + 1] = digits[hash[i] & 15];
	}
	ret[2 * SIGV4_HASH_SIZE] = '\0';
}

/* The string, or NULL after any failed append; the buffer is done either way. */
static char *finish(struct buf *b)
{
	char *s = buf_take(b);

	buf_done(b);
	return s;
}

static int hmac(const void *key, size_t key_len, const char *data, size_t len,
                uint8_t ret[SIGV4_HASH_SIZE])
{
	unsigned n = SIGV4_HASH_SIZE;

	if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)data, len, ret, &n))
		return -ENOMEM;
	return 0;
}

/* Drops "." and empty segments, and ".." together with the one before it. */
static char *normalise_path(const char *raw)
{
	size_t len = strlen(raw);
	char *out = malloc(len + 2);
	size_t n = 0;

	if (!out)
		return NULL;
	for (const char *p = raw; *p;) {
		size_t seg;

		p += strspn(p, "/");
		seg = strcspn(p, "/");
		if (seg == 2 && memcmp(p, "..", 2) == 0) {
			while (n > 0 && out[--n] != '/')
				;
		} else if (seg > 0 && !(seg == 1 && *p == '.')) {
			out[n++] = '/';
			memcpy(out + n, p, seg);
			n += seg;
		}
		p += seg;
	}
	if (n == 0 || (len > 0 && raw[len - 1] == '/'))
		out[n++] = '/';
	out[n] = '\0';
	return out;
}

char *sigv4_path(const char *raw, bool normalise)
{
	char *plain;
	char *encoded;

	if (!normalise)
		return text_uri_encode(raw, true);
	plain = normalise_path(raw);
	if (!plain)
		return NULL;
	encoded = text_uri_encode(plain, true);
	free(plain);
	return encoded;
}

struct encoded {
	char *name;
	char *value;
};

/* Code points of the encoded names, then of the values: strcmp compares
 * unsigned bytes whatever the locale. */
static int compare_encoded(const void *a, const void *b)
{
	const struct encoded *x = a;
	const struct encoded *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->value, y->value);
}

char *sigv4_query(const struct sigv4_pair *params, size_t n)
{
	struct encoded e[SIGV4_PAIRS_MAX] = { 0 };
	struct buf out;
	char *query = NULL;

	if (n > SIGV4_PAIRS_MAX)
		return NULL;
	buf_init(&out, TEXT_MAX);
	for (size_t i = 0; i < n; i++) {
		e[i].name = text_uri_encode(params[i].name, false);
		e[i].value = text_uri_encode(params[i].value, false);
		if (!e[i].name || !e[i].value)
			goto cleanup;
	}
	qsort(e, n, sizeof(e[0]), compare_encoded);
	for (size_t i = 0; i < n; i++)
		buf_printf(&out, "%s%s=%s", i ? "&" : "", e[i].name, e[i].value);
	query = buf_take(&out);
cleanup:
	for (size_t i = 0; i < n; i++) {
		free(e[i].name);
		free(e[i].value);
	}
	buf_done(&out);
	return query;
}

/* Indices of the headers by lower-case name; those of one name keep their
 * order, which is why this isn't qsort. */
static void sort_headers(const struct sigv4_request *r, size_t order[SIGV4_PAIRS_MAX])
{
	for (size_t i = 0; i < r->n_headers; i++) {
		size_t j = i;

		for (; j > 0 && strcasecmp(r->headers[order[j - 1]].name, r->headers[i].name) > 0; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
}

static void add_lower(struct buf *b, const char *s)
{
	for (; *s; s++)
		buf_putc(b, (char)tolower((unsigned char)*s));
}

/* Blanks at both ends go, runs of them inside become one. */
static void add_trimmed(struct buf *b, const char *s)
{
	bool pending = false;
	bool any = false;

	for (; *s; s++) {
		if (*s == ' ' || *s == '\t') {
			pending = any;
			continue;
		}
		if (pending)
			buf_putc(b, ' ');
		buf_putc(b, *s);
		pending = false;
		any = true;
	}
}

static void add_headers(struct buf *b, const struct sigv4_request *r, const size_t *order)
{
	for (size_t i = 0; i < r->n_headers; i++) {
		const struct sigv4_pair *h = &r->headers[order[i]];
		const char *previous = i ? r->headers[order[i - 1]].name : NULL;

		if (previous && strcasecmp(previous, h->name) == 0) {
			buf_putc(b, ',');
		} else {
			if (previous)
				buf_putc(b, '\n');
			add_lower(b, h->name);
			buf_putc(b, ':');
		}
		add_trimmed(b, h->value);
	}
	if (r->n_headers > 0)
		buf_putc(b, '\n');
}

static void add_signed_names(struct buf *b, const struct sigv4_request *r, const size_t *order)
{
	for (size_t i = 0; i < r->n_headers; i++) {
		const char *name = r->headers[order[i]].name;

		if (i && strcasecmp(r->headers[order[i - 1]].name, name) == 0)
			continue;
		if (i)
			buf_putc(b, ';');
		add_lower(b, name);
	}
}

char *sigv4_canonical_request(const struct sigv4_request *r)
{
	size_t order[SIGV4_PAIRS_MAX];
	struct buf b;

	if (r->n_headers > SIGV4_PAIRS_MAX)
		return NULL;
	sort_headers(r, order);
	buf_init(&b, TEXT_MAX);
	buf_printf(&b, "%s\n%s\n%s\n", r->method, r->path, r->query);
	add_headers(&b, r, order);
	buf_putc(&b, '\n');
	add_signed_names(&b, r, order);
	buf_printf(&b, "\n%s", r->payload_sha256);
	return finish(&b);
}

static void add_scope(struct buf *b, const struct sigv4_scope *scope)
{
	buf_printf(b, "%.*s/%s/%s/aws4_request", DAY_LEN, scope->date, scope->region, scope->service);
}

char *sigv4_string_to_sign(const struct sigv4_scope *scope, const char *canonical_request)
{
	uint8_t hash[SIGV4_HASH_SIZE];
	char hex[SIGV4_HEX_SIZE];
	struct buf b;

	if (!EVP_Digest(canonical_request, strlen(canonical_request), hash, NULL, EVP_sha256(), NULL))
		return NULL;
	to_hex(hash, hex);
	buf_init(&b, TEXT_MAX);
	buf_printf(&b, "%s\n%s\n", ALGORITHM, scope->date);
	add_scope(&b, scope);
	buf_printf(&b, "\n%s", hex);
	return finish(&b);
}

int sigv4_signing_key(const struct sigv4_scope *scope, const char *secret,
                      uint8_t ret_key[SIGV4_HASH_SIZE])
{
	const char *steps[] = { scope->region, scope->service, "aws4_request" };
	uint8_t key[SIGV4_HASH_SIZE];
	struct buf start;
	int err;

	buf_init(&start, TEXT_MAX);
	buf_printf(&start, "AWS4%s", secret);
	err = buf_error(&start);
	if (!err)
		err = hmac(start.data, start.len, scope->date, strnlen(scope->date, DAY_LEN), key);
	for (size_t i = 0; !err && i < sizeof(steps) / sizeof(steps[0]); i++)
		err = hmac(key, sizeof(key), steps[i], strlen(steps[i]), key);
	if (!err)
		memcpy(ret_key, key, sizeof(key));
	OPENSSL_cleanse(key, sizeof(key));
	if (start.data)
		OPENSSL_cleanse(start.data, start.len);
	buf_done(&start);
	return err ? -ENOMEM : 0;
}

int sigv4_signature(const uint8_t key[SIGV4_HASH_SIZE], const char *string_to_sign,
                    char ret_hex[SIGV4_HEX_SIZE])
{
	uint8_t mac[SIGV4_HASH_SIZE];
	int err = hmac(key, SIGV4_HASH_SIZE, string_to_sign, strlen(string_to_sign), mac);

	if (!err)
		to_hex(mac, ret_hex);
	return err;
}

static char *format_authorization(const struct sigv4_request *r, const struct sigv4_scope *scope,
                                  const char *access_key_id, const char *signature)
{
	size_t order[SIGV4_PAIRS_MAX];
	struct buf b;

	sort_headers(r, order);
	buf_init(&b, TEXT_MAX);
	buf_printf(&b, "%s Credential=%s/", ALGORITHM, access_key_id);
	add_scope(&b, scope);
	buf_puts(&b, ", SignedHeaders=");
	add_signed_names(&b, r, order);
	buf_printf(&b, ", Signature=%s", signature);
	return finish(&b);
}

char *sigv4_authorization(const struct sigv4_request *r, const struct sigv4_scope *scope,
                          const char *access_key_id, const char *secret_access_key)
{
	char *canonical = sigv4_canonical_request(r);
	char *to_sign = canonical ? sigv4_string_to_sign(scope, canonical) : NULL;
	char *authorization = NULL;
	uint8_t key[SIGV4_HASH_SIZE];
	char signature[SIGV4_HEX_SIZE];

	if (to_sign && sigv4_signing_key(scope, secret_access_key, key) == 0 &&
	    sigv4_signature(key, to_sign, signature) == 0)
		authorization = format_authorization(r, scope, access_key_id, signature);
	OPENSSL_cleanse(key, sizeof(key));
	free(to_sign);
	free(canonical);
	return authorization;
}
