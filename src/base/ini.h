/* ini.h - sections, keys and values of an INI text, with their line numbers: a
 * face for inih that tells of sections and lines.
 *
 *     [section]
 *     key = value      ; a comment starts at a ';' behind a blank
 *     # or ; at the start of a line
 *
 * "key: value" does too. One line is one setting: values don't continue, nothing is quoted, blanks
 * around names and values go. Pure: bytes in, calls out, no I/O. */
#ifndef S3SAMPLEFS_BASE_INI_H
#define S3SAMPLEFS_BASE_INI_H

#include <stddef.h>

/* Bytes of a line. inih as distributions build it cuts longer ones without a
 * word, which is why the files of AWS, whose session tokens reach 2 KB, are read
 * by s3/profile.h. Here a longer one is an error. */
#define INI_LINE_MAX 198

struct ini_item {
	unsigned line;        /* from 1 */
	const char *section;  /* "" before the first one */
	const char *key;      /* NULL: the line that opens the section */
	const char *value;    /* NULL with key NULL */
};

/* Strings are valid during the call. Anything but 0 stops the reading. */
typedef int ini_fn(void *arg, const struct ini_item *item);

/* Reads text[0..len). Returns 0, what fn returned, or -EINVAL: *ret_line is
 * then the line and *ret_why a constant sentence. -ENOMEM. */
int ini_read(const char *text, size_t len, ini_fn *fn, void *arg, unsigned *ret_line,
             const char **ret_why);

#endif
