/* text.h - small pure functions on strings: numbers with units, percent
 * encoding, glob patterns, hashes. No allocation unless stated. */
#ifndef S3SAMPLEFS_BASE_TEXT_H
#define S3SAMPLEFS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "4096", "64K", "10M", "1G", "2T" (powers of 1024, any case, optional "iB"
 * or "B") -> bytes. Returns 0, -EINVAL (not of this form) or -ERANGE. */
int text_parse_size(const char *s, uint64_t *ret_bytes);

/* "250ms", "60s", "5m", "1h", "60" (seconds), "0.5s" -> milliseconds.
 * Returns 0, -EINVAL or -ERANGE. */
int text_parse_duration_ms(const char *s, uint64_t *ret_ms);

/* Decimal digits only, min <= value <= max. Returns 0, -EINVAL, -ERANGE. */
int text_parse_uint(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/* A finite decimal number, C locale. Returns 0, -EINVAL. */
int text_parse_double(const char *s, double *ret);

/* "1", "yes", "true", "on" / "0", "no", "false", "off", any case.
 * Returns 0 or -EINVAL. */
int text_parse_bool(const char *s, bool *ret);

/* RFC 3986 percent-encoding as AWS SigV4 wants it: everything but
 * A-Za-z0-9-_.~ becomes %XX (upper case); '/' is kept if keep_slash. Returns a
 * malloc'd string or NULL. */
char *text_uri_encode(const char *s, bool keep_slash);

/* The reverse, '+' left alone. A malloc'd string, or NULL (out of memory, bad
 * escape, or %00). */
char *text_uri_decode(const char *s);

/* Shell glob on the base name of key (the part after the last '/'), letters of
 * any case equal: the meaning of match= in a view. */
bool text_glob_basename(const char *pattern, const char *key);

/* FNV-1a, 64 bit (http://www.isthe.com/chongo/tech/comp/fnv/). */
uint64_t text_hash64(const void *data, size_t len);

/* Copies src into dst[size], truncating at a UTF-8 boundary, control
 * characters replaced by '?'; always terminated. For text from a server or a
 * worker that will be shown to a person. */
void text_sanitize(char *dst, size_t size, const char *src, size_t src_len);

/* Copies src into dst[size] without what a URL has before its '@', a name and perhaps a
 * password, or where a port would be a number: "***" is left of them. For what a person
 * wrote and is told back. */
void text_mask_userinfo(char *dst, size_t size, const char *src);

/* path if it is absolute, else base/path; base NULL: path as it is. A malloc'd string or
 * NULL (out of memory). */
char *text_absolute_path(const char *base, const char *path);

/* CLOCK_MONOTONIC in milliseconds / nanoseconds. */
uint64_t clock_ms(void);
uint64_t clock_ns(void);

/* A list of strings that ends with NULL, all of it the caller's: its copy, an empty one for NULL;
 * NULL when out of memory. text_list_free takes NULL. */
char **text_list_dup(char *const *list);
void text_list_free(char **list);

#endif
