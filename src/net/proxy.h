/* proxy.h - which proxy, if any, requests go through: the environment's variables, as
 * curl reads them (http_proxy in small letters only; https_proxy, all_proxy and no_proxy
 * in either). Pure but for reading the environment once.
 *
 * It is told here and not left to curl, so that the proxy's name is looked up as other
 * names are, and so that a failure can be laid at the right door. */
#ifndef S3SAMPLEFS_NET_PROXY_H
#define S3SAMPLEFS_NET_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#define PROXY_HOST_SIZE 256

struct proxy {
	char *url;                         /* for curl; may have a password in it. NULL: none */
	char host[PROXY_HOST_SIZE];        /* to be looked up, IPv6 without brackets; "": curl's
	                                    * business (SOCKS, or what can't be understood) */
	uint16_t port;
	char shown[PROXY_HOST_SIZE + 32];  /* for a person, without name and password */
};

struct proxies {
	struct proxy http, https;
	char *direct;                      /* no_proxy, or NULL */
};

/* Returns 0 or -ENOMEM. */
int proxies_load(struct proxies *ret_proxies);
void proxies_done(struct proxies *p);  /* a zeroed one is allowed */

/* For a request to host (IPv6 without brackets); NULL: directly. Lives as long as p. */
const struct proxy *proxies_for(const struct proxies *p, bool https, const char *host);

/* Whether no_proxy's text names host: "*", names with what is below them, addresses,
 * networks as 10.0.0.0/8, with commas or blanks between. */
bool proxy_is_direct(const char *no_proxy, const char *host);

#endif
