/* endpoint.h - which host a bucket is asked at, and under which path.
 *
 * Virtual-host addressing (BUCKET.s3.REGION.amazonaws.com) where it can work;
 * path style (HOST/BUCKET) if asked for, if the bucket's name is no host name,
 * if it has dots under https (no wildcard certificate covers them), or if the
 * endpoint is an IP address or localhost. Pure: no name is looked up here. */
#ifndef S3SAMPLEFS_S3_ENDPOINT_H
#define S3SAMPLEFS_S3_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/settings.h"
#include "aws/why.h"

#define ENDPOINT_HOST_SIZE 256
#define ENDPOINT_BUCKET_SIZE 256
#define ENDPOINT_REGION_SIZE 64

struct endpoint {
	bool aws;                           /* host follows from the region */
	bool https;
	bool path_style;
	uint16_t port;
	char host[ENDPOINT_HOST_SIZE];      /* lower case, IPv6 without brackets; unused if aws */
	char base[ENDPOINT_HOST_SIZE];      /* path of the URL without a slash at its end */
	char bucket[ENDPOINT_BUCKET_SIZE];
};

/* Where one request goes. */
struct target {
	char host[2 * ENDPOINT_HOST_SIZE];            /* to be resolved */
	uint16_t port;
	char authority[2 * ENDPOINT_HOST_SIZE + 16];  /* as in the URL and the Host header */
	char root[2 * ENDPOINT_HOST_SIZE + 2];        /* unencoded: "" or "/bucket", behind base */
};

/* url NULL: AWS's own. Returns 0 or -EINVAL with why filled: not a URL of an
 * endpoint, not a bucket, or a kind of bucket that isn't supported. */
int endpoint_init(const char *url, const char *bucket, enum endpoint_style style, char why[AWS_WHY_MAX],
                  struct endpoint *ret_endpoint);

/* Whether url is of the form that endpoint_init takes. */
bool endpoint_valid_url(const char *url);

/* region must be valid. */
void endpoint_target(const struct endpoint *e, const char *region, struct target *ret_target);

/* [a-z0-9-], short enough: fit to stand in a host name, whoever told us. */
bool endpoint_valid_region(const char *region);

/* What other stores call a region: letters, digits, '-' and '_', short enough. It is
 * signed with, no host is made of it. */
bool endpoint_any_region(const char *region);

/* The one of the two that counts for e. */
bool endpoint_takes_region(const struct endpoint *e, const char *region);

#endif
