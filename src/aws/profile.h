/* profile.h - the INI dialect of ~/.aws/config and ~/.aws/credentials.
 *
 * It is read as botocore (Python's configparser) reads it: comments only at
 * the start of a line, ';' and '#'; option names in any case; lines indented
 * deeper than an option belong to its value: those of a nested section, `s3 =`
 * and nothing behind it, are options named as `s3.addressing_style`, others are
 * skipped. inih isn't used: it cuts lines at 200 bytes and section names
 * at 50 without a word, and session tokens and SSO profile names are longer;
 * it also takes " ;" inside a value for a comment. */
#ifndef S3SAMPLEFS_AWS_PROFILE_H
#define S3SAMPLEFS_AWS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#define PROFILE_FILE_MAX (1u << 20)  /* bytes of a file */

struct profile_file;

/* Parses data[0..len). Returns 0; -EINVAL with ret_line at the line that is
 * neither section, option nor comment; -ENOMEM. */
int profile_parse(const char *data, size_t len, struct profile_file **ret_file, unsigned *ret_line);

/* Reads path and parses it. Returns 0, -errno of the file (-ENOENT: there is
 * none), -EFBIG, -EINVAL with ret_line as above (0 otherwise), -ENOMEM. */
int profile_read(const char *path, struct profile_file **ret_file, unsigned *ret_line);

void profile_free(struct profile_file *f);  /* NULL allowed; secrets are wiped */

/* f may be NULL: a file without sections. section is the text between the
 * brackets with blanks at both ends removed and "profile NAME", "services NAME"
 * written with one blank and no quotes. Of equal options the last one counts. The string lives
 * as long as f. NULL: not there. */
const char *profile_get(const struct profile_file *f, const char *section, const char *option);
bool profile_has(const struct profile_file *f, const char *section);

#endif
