/* sha256.h - SHA-256 as hexadecimal digits, by libcrypto. */
#ifndef S3SAMPLE_UTIL_SHA256_H
#define S3SAMPLE_UTIL_SHA256_H

#include <stddef.h>

#define SHA256_HEX_SIZE 65 /* with the NUL */

struct file_part;

/* Of the parts one behind the other. Returns 0 or -ENOMEM. */
int sha256_parts(const struct file_part *parts, size_t n, char ret_hex[SHA256_HEX_SIZE]);

/* Of one piece. */
int sha256_hex(const void *data, size_t len, char ret_hex[SHA256_HEX_SIZE]);

#endif
