#include "s3/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define LABEL_MAX 63  /* bytes between two dots of a host name, RFC 1035 */

bool endpoint_valid_region(const char *region)
{
	size_t len = strlen(region);

	return len > 0 && len < ENDPOINT_REGION_SIZE &&
	       strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

bool endpoint_any_region(const char *region)
{
	size_t len = strlen(region);

	return len > 0 && len < ENDPOINT_REGION_SIZE &&
	       strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len;
}

bool endpoint_takes_region(const struct endpoint *e, const char *region)
{
	return e->aws ? endpoint_valid_region(region) : endpoint_any_region(region);
}

static bool is_ip(const char *host)
{
	struct in6_addr a;

	return inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
}

/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
static bool is_dns_compatible(const char *bucket)
{
	size_t len = strlen(bucket);

	return len >= 3 && len <= LABEL_MAX &&
	       strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len &&
	       isalnum((unsigned char)bucket[0]) && isalnum((unsigned char)bucket[len - 1]) &&
	       !strstr(bucket, "..") && !strstr(bucket, ".-") && !strstr(bucket, "-.") &&
	       !is_ip(bucket);
}

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s);
	size_t n = strlen(end);

	return len >= n && strcmp(s + len - n, end) == 0;
}

static int check_bucket(const char *bucket, char *why)
{
	if (strncmp(bucket, "arn:", 4) == 0)
		return why_set(why, -EINVAL, "%s: an access point is named by its alias, not by its ARN",
		               bucket);
	if (!bucket[0] || strlen(bucket) >= ENDPOINT_BUCKET_SIZE || strchr(bucket, '/') ||
	    strcmp(bucket, ".") == 0 || strcmp(bucket, "..") == 0)
		return why_set(why, -EINVAL, "'%s' is not the name of a bucket", bucket);
	if (ends_with(bucket, "--x-s3"))
		return why_set(why, -EINVAL, "%s is a directory bucket (S3 Express One Zone), which is not "
		               "supported: it lists in no order and signs by sessions", bucket);
	return 0;
}

/* "host", "host:1", "[::1]:1" in text[0..len). */
static int parse_authority(const char *text, size_t len, struct endpoint *e)
{
	char copy[ENDPOINT_HOST_SIZE];
	char *host = copy;
	char *port = NULL;
	uint64_t number = e->https ? 443 : 80;

	if (len == 0 || len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (copy[0] == '[') {
		char *close = strchr(copy, ']');

		if (!close || (close[1] && close[1] != ':'))
			return -EINVAL;
		*close = '\0';
		host = copy + 1;
		port = close[1] ? close + 2 : NULL;
		if (!is_ip(host))
			return -EINVAL;
	} else {
		port = strchr(copy, ':');
		if (port)
			*port++ = '\0';
		if (strspn(copy, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") !=
		    strlen(copy))
			return -EINVAL;
	}
	if (!host[0] || (port && text_parse_uint(port, 1, UINT16_MAX, &number) < 0))
		return -EINVAL;
	for (size_t i = 0; (e->host[i] = (char)tolower((unsigned char)host[i])); i++)
		;
	e->port = (uint16_t)number;
	return 0;
}

/* The URL's path is put into ours as it is, so it may hold nothing that would
 * need encoding. */
static int parse_base(const char *path, struct endpoint *e)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len >= sizeof(e->base))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)path[i]) && !strchr("-_.~/", path[i]))
			return -EINVAL;
	}
	memcpy(e->base, path, len);
	e->base[len] = '\0';
	return 0;
}

static int parse_url(const char *url, struct endpoint *e)
{
	const char *authority;
	size_t len;

	if (strncasecmp(url, "https://", 8) == 0) {
		e->https = true;
		authority = url + 8;
	} else if (strncasecmp(url, "http://", 7) == 0) {
		authority = url + 7;
	} else {
		return -EINVAL;
	}
	len = strcspn(authority, "/?#");
	if (parse_authority(authority, len, e) < 0)
		return -EINVAL;
	return parse_base(authority + len, e);
}

bool endpoint_valid_url(const char *url)
{
	struct endpoint e = { 0 };

	return parse_url(url, &e) == 0;
}

int endpoint_init(const char *url, const char *bucket, enum endpoint_style style, char why[AWS_WHY_MAX],
                  struct endpoint *ret_endpoint)
{
	struct endpoint e = { .aws = !url, .https = !url, .port = 443 };
	int err = check_bucket(bucket, why);
	char shown[ENDPOINT_HOST_SIZE];

	if (err)
		return err;
	if (url && parse_url(url, &e) < 0) {
		text_mask_userinfo(shown, sizeof(shown), url);
		return why_set(why, -EINVAL, "endpoint_url '%s' is not of the form "
		               "http[s]://HOST[:PORT][/PATH]", shown);
	}
	strcpy(e.bucket, bucket);
	e.path_style = style == ENDPOINT_PATH || !is_dns_compatible(bucket) ||
	               (e.https && strchr(bucket, '.')) || is_ip(e.host) ||
	               (style != ENDPOINT_VIRTUAL && strcmp(e.host, "localhost") == 0);
	*ret_endpoint = e;
	return 0;
}

/* The DNS suffixes of AWS's partitions, as botocore's partitions.json has them. */
static const char *aws_suffix(const char *region)
{
	static const struct {
		const char *prefix;
		const char *suffix;
	} partitions[] = {
		{ "cn-", "amazonaws.com.cn" },
		{ "us-iso-", "c2s.ic.gov" },
		{ "us-isob-", "sc2s.sgov.gov" },
		{ "eu-isoe-", "cloud.adc-e.uk" },
		{ "us-isof-", "csp.hci.ic.gov" },
		{ "eusc-", "amazonaws.eu" },
	};

	for (size_t i = 0; i < sizeof(partitions) / sizeof(partitions[0]); i++) {
		if (strncmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) == 0)
			return partitions[i].suffix;
	}
	return "amazonaws.com";
}

void endpoint_target(const struct endpoint *e, const char *region, struct target *ret_target)
{
	struct target t = { .port = e->port };
	const char *dot = e->path_style ? "" : ".";
	const char *bucket = e->path_style ? "" : e->bucket;
	const char *open = strchr(e->host, ':') ? "[" : "";
	const char *close = strchr(e->host, ':') ? "]" : "";

	if (e->aws)
		snprintf(t.host, sizeof(t.host), "%s%ss3.%s.%s", bucket, dot, region, aws_suffix(region));
	else
		snprintf(t.host, sizeof(t.host), "%s%s%s", bucket, dot, e->host);
	/* The default port is left out, as curl leaves it out of Host. */
	if (e->port == (e->https ? 443 : 80))
		snprintf(t.authority, sizeof(t.authority), "%s%s%s", open, t.host, close);
	else
		snprintf(t.authority, sizeof(t.authority), "%s%s%s:%u", open, t.host, close, e->port);
	snprintf(t.root, sizeof(t.root), "%s%s%s", e->base, e->path_style ? "/" : "",
	         e->path_style ? e->bucket : "");
	*ret_target = t;
}
