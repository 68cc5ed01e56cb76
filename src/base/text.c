#include "base/text.h"

#include <errno.h>
#include <fnmatch.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at *s -> value, *s moves behind them. */
static int scan_digits(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;
	int err = 0;

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			err = -ERANGE;
	}
	*s = p;
	if (!err)
		*ret = v;
	return err;
}

int text_parse_size(const char *s, uint64_t *ret_bytes)
{
	static const char units[] = "kKmMgGtTpPeE";
	const char *unit;
	uint64_t v = 0;
	unsigned shift = 0;
	int err = scan_digits(&s, &v);

	if (err == -EINVAL)
		return err;
	if (*s && (unit = strchr(units, *s))) {
		shift = 10 * ((unsigned)(unit - units) / 2 + 1);
		s++;
		if (*s == 'i' || *s == 'I') {
			s++;
			if (*s != 'b' && *s != 'B')
				return -EINVAL;
		}
	}
	if (*s == 'b' || *s == 'B')
		s++;
	if (*s)
		return -EINVAL;
	if (err || v > UINT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = v << shift;
	return 0;
}

/* Milliseconds of one unit, 0 if there is no such unit. */
static uint64_t duration_unit(const char *s)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(s, units[i].name) == 0)
			return units[i].ms;
	}
	return 0;
}

int text_parse_duration_ms(const char *s, uint64_t *ret_ms)
{
	uint64_t whole = 0, part = 0, scale = 1, unit, ms;
	int err = scan_digits(&s, &whole);

	if (err == -EINVAL)
		return err;
	if (*s == '.') {
		s++;
		if (!is_digit(*s))
			return -EINVAL;
		/* Nine digits are more than a millisecond of an hour needs. */
		for (; is_digit(*s); s++) {
			if (scale < 1000000000) {
				part = part * 10 + (uint64_t)(*s - '0');
				scale *= 10;
			}
		}
	}
	unit = duration_unit(s);
	if (!unit)
		return -EINVAL;
	if (err || __builtin_mul_overflow(whole, unit, &ms) ||
	    __builtin_add_overflow(ms, part * unit / scale, &ms))
		return -ERANGE;
	*ret_ms = ms;
	return 0;
}

int text_parse_uint(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	int err = scan_digits(&s, &v);

	if (err == -EINVAL || *s)
		return -EINVAL;
	if (err || v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int text_parse_double(const char *s, double *ret)
{
	locale_t c;
	double v;
	char *end;

	/* strtod also takes blanks, hexadecimal, inf and nan. */
	if (!*s || s[strspn(s, "0123456789+-.eE")])
		return -EINVAL;
	/* glibc's "C" is static: nothing is allocated, nothing can fail. */
	c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	v = strtod_l(s, &end, c);
	freelocale(c);
	if (end == s || *end || !isfinite(v))
		return -EINVAL;
	*ret = v;
	return 0;
}

int text_parse_bool(const char *s, bool *ret)
{
	static const char *const names[2][4] = {
		{ "0", "no", "false", "off" },
		{ "1", "yes", "true", "on" },
	};

	for (int v = 0; v < 2; v++) {
		for (int i = 0; i < 4; i++) {
			if (strcasecmp(s, names[v][i]) == 0) {
				*ret = v;
				return 0;
			}
		}
	}
	return -EINVAL;
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' &&
	                                                            c <= '9') || c == '-' ||
	       c == '_' || c == '.' || c == '~';
}

char *text_uri_encode(const char *s, bool keep_slash)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t len = strlen(s);
	char *out, *o;

	if (len > (SIZE_MAX - 1) / 3)
		return NULL;
	o = out = malloc(3 * len + 1);
	if (!out)
		return NULL;
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (is_unreserved(c) || (c == '/' && keep_slash)) {
			*o++ = (char)c;
		} else {
			*o++ = '%';
			*o++ = hex[c >> 4];
			*o++ = hex[c & 15];
		}
	}
	*o = '\0';
	return out;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

char *text_uri_decode(const char *s)
{
	char *out = malloc(strlen(s) + 1);
	char *o = out;

	if (!out)
		return NULL;
	while (*s) {
		int hi, lo;

		if (*s != '%') {
			*o++ = *s++;
			continue;
		}
		hi = hex_value(s[1]);
		lo = hi < 0 ? -1 : hex_value(s[2]);
		if (lo < 0 || hi + lo == 0) {
			free(out);
			return NULL;
		}
		*o++ = (char)(hi << 4 | lo);
		s += 3;
	}
	*o = '\0';
	return out;
}

bool text_glob_basename(const char *pattern, const char *key)
{
	const char *slash = strrchr(key, '/');

	return fnmatch(pattern, slash ? slash + 1 : key, FNM_CASEFOLD) == 0;
}

uint64_t text_hash64(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h;
}

/* Bytes of the well-formed UTF-8 sequence at p (Unicode 15, table 3-7), or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
	size_t len;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (n < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

void text_sanitize(char *dst, size_t size, const char *src, size_t src_len)
{
	const unsigned char *p = (const unsigned char *)src;
	size_t out = 0;

	if (size == 0)
		return;
	while (src_len > 0) {
		size_t len = utf8_sequence(p, src_len);
		/* C1 controls (U+0080..9F) move terminals as C0 ones do. */
		bool bad = len == 0 || p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
		size_t room = bad ? 1 : len;

		if (room >= size - out)
			break;
		if (bad)
			dst[out] = '?';
		else
			memcpy(dst + out, p, len);
		out += room;
		p += len ? len : 1;
		src_len -= len ? len : 1;
	}
	dst[out] = '\0';
}

uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Whether what stands behind "://" is HOST:TEXT where a port would be a number: a name and
 * the begin of a password that was cut at its comma. */
static bool is_cut_userinfo(const char *authority)
{
	const char *colon = authority[0] == '[' ? NULL : strchr(authority, ':');

	return colon && colon[1 + strspn(colon + 1, "0123456789")] != '\0' &&
	       colon[1 + strspn(colon + 1, "0123456789")] != '/';
}

void text_mask_userinfo(char *dst, size_t size, const char *src)
{
	/* The last one: a password may have others in it. */
	const char *at = strrchr(src, '@');
	const char *scheme = strstr(src, "://");
	int kept = scheme && (!at || scheme < at) ? (int)(scheme + 3 - src) : 0;

	if (at && memchr(src, ':', (size_t)(at - src)))
		snprintf(dst, size, "%.*s***%s", kept, src, at);
	else if (scheme && is_cut_userinfo(src + kept))
		snprintf(dst, size, "%.*s***", kept, src);
	else
		snprintf(dst, size, "%s", src);
}

char *text_absolute_path(const char *base, const char *path)
{
	char *whole;

	if (path[0] == '/' || !base)
		return strdup(path);
	if (asprintf(&whole, "%s/%s", base, path) < 0)
		return NULL;
	return whole;
}

uint64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

void text_list_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

char **text_list_dup(char *const *list)
{
	char **copy;
	size_t n = 0;

	while (list && list[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(list[i]);
		if (!copy[i]) {
			text_list_free(copy);
			return NULL;
		}
	}
	return copy;
}
