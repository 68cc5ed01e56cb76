/* date.h - the three ways S3 writes a time, to and from numbers. Pure; no
 * clock is read and no locale or time zone consulted. */
#ifndef S3SAMPLEFS_AWS_DATE_H
#define S3SAMPLEFS_AWS_DATE_H

#include <stddef.h>
#include <stdint.h>

#define DATE_AMZ_SIZE 17  /* "20130524T000000Z" and the NUL */

/* ISO 8601 in UTC as in listings: "2013-05-24T00:00:00.000Z" (or "+00:00", as some
 * stores write it), any number of fractional digits or none, years 1678 to 2261.
 * Returns 0 or -EINVAL; ns since the epoch, negative before 1970. */
int date_parse_iso8601(const char *s, size_t len, int64_t *ret_ns);

/* IMF-fixdate of RFC 9110, 5.6.7, as in Last-Modified, Date and Retry-After:
 * "Fri, 24 May 2013 00:00:00 GMT". Returns 0 or -EINVAL; s since the epoch. */
int date_parse_http(const char *s, int64_t *ret_s);

/* x-amz-date. Times outside the years 1970 to 9999 are clamped to them. */
void date_format_amz(int64_t s, char ret[DATE_AMZ_SIZE]);

#endif
