#include "net/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static const char *first_set(const char *const *names)
{
	for (; *names; names++) {
		const char *value = getenv(*names);

		if (value && value[0])
			return value;
	}
	return NULL;
}

/* [SCHEME://][NAME[:PASSWORD]@]HOST[:PORT][/], curl's default port. host stays "" where it
 * isn't HTTP that is spoken, or the text isn't of this form. */
static void parse(struct proxy *p)
{
	const char *scheme_end = strstr(p->url, "://");
	const char *rest = scheme_end ? scheme_end + 3 : p->url;
	const char *at = strrchr(rest, '@');
	const bool https = strncasecmp(p->url, "https://", 8) == 0;
	uint64_t port = https ? 443 : 1080;
	char authority[PROXY_HOST_SIZE + 16];
	char *host = authority;
	char *colon;

	if (at)
		rest = at + 1;
	snprintf(authority, sizeof(authority), "%.*s", (int)strcspn(rest, "/"), rest);
	snprintf(p->shown, sizeof(p->shown), "%.*s%.250s", scheme_end ? (int)(scheme_end + 3 - p->url) : 0, p->url,
	         authority);
	if (scheme_end && !https && strncasecmp(p->url, "http://", 7) != 0)
		return;
	colon = strrchr(authority, ':');
	if (authority[0] == '[') {
		char *close = strchr(authority, ']');

		if (!close)
			return;
		colon = close[1] == ':' ? close + 1 : NULL;
		*close = '\0';
		host++;
	}
	if (colon) {
		*colon = '\0';
		if (text_parse_uint(colon + 1, 1, UINT16_MAX, &port) < 0)
			return;
	}
	if (strlen(host) < sizeof(p->host))
		memcpy(p->host, host, strlen(host) + 1);
	p->port = (uint16_t)port;
}

static int load(struct proxy *p, const char *const *names)
{
	const char *value = first_set(names);

	if (!value)
		return 0;
	p->url = strdup(value);
	if (!p->url)
		return -ENOMEM;
	parse(p);
	return 0;
}

int proxies_load(struct proxies *ret_proxies)
{
	static const char *const http[] = { "http_proxy", "all_proxy", "ALL_PROXY", NULL };
	static const char *const https[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL };
	static const char *const direct[] = { "no_proxy", "NO_PROXY", NULL };
	struct proxies p = { 0 };
	const char *no_proxy = first_set(direct);

	if (no_proxy)
		p.direct = strdup(no_proxy);
	if ((no_proxy && !p.direct) || load(&p.http, http) < 0 || load(&p.https, https) < 0) {
		proxies_done(&p);
		return -ENOMEM;
	}
	*ret_proxies = p;
	return 0;
}

static void wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void proxies_done(struct proxies *p)
{
	wipe(p->http.url);
	wipe(p->https.url);
	free(p->direct);
	*p = (struct proxies){ 0 };
}

/* Whether the first bits of a and b are the same. */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	const unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* text, an address or a network, against an address of that family. */
static bool has_address(const char *text, int family, const uint8_t *address)
{
	const unsigned width = family == AF_INET ? 32 : 128;
	const char *slash = strchr(text, '/');
	char copy[INET6_ADDRSTRLEN + 2];
	uint8_t network[16];
	uint64_t bits = width;
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(copy) || (slash && text_parse_uint(slash + 1, 0, width, &bits) < 0))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return inet_pton(family, copy, network) == 1 && same_bits(network, address, (unsigned)bits);
}

/* name is the host's, or that of a domain around it; a dot before it changes nothing. */
static bool has_name(const char *name, size_t len, const char *host)
{
	size_t host_len = strlen(host);

	if (len > 0 && name[0] == '.') {
		name++;
		len--;
	}
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (host_len > 0 && host[host_len - 1] == '.')
		host_len--;
	if (len == 0 || len > host_len || strncasecmp(host + host_len - len, name, len) != 0)
		return false;
	return len == host_len || host[host_len - len - 1] == '.';
}

bool proxy_is_direct(const char *no_proxy, const char *host)
{
	static const char between[] = ", \t";
	uint8_t address[16];
	const int family = inet_pton(AF_INET, host, address) == 1  ? AF_INET :
	                   inet_pton(AF_INET6, host, address) == 1 ? AF_INET6 :
	                                                             0;

	if (strcmp(no_proxy, "*") == 0)
		return true;
	for (const char *at = no_proxy + strspn(no_proxy, between); *at; at += strspn(at, between)) {
		size_t len = strcspn(at, between);
		char word[PROXY_HOST_SIZE];

		if (len < sizeof(word)) {
			memcpy(word, at, len);
			word[len] = '\0';
			if (family ? has_address(word, family, address) : has_name(word, len, host))
				return true;
		}
		at += len;
	}
	return false;
}

const struct proxy *proxies_for(const struct proxies *p, bool https, const char *host)
{
	const struct proxy *proxy = https ? &p->https : &p->http;

	return proxy->url && !(p->direct && proxy_is_direct(p->direct, host)) ? proxy : NULL;
}
