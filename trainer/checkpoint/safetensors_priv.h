/* safetensors_priv.h - what writing and reading share. */
#ifndef S3SAMPLE_CHECKPOINT_SAFETENSORS_PRIV_H
#define S3SAMPLE_CHECKPOINT_SAFETENSORS_PRIV_H

#include <stdbool.h>

#include "checkpoint/safetensors.h"
#include "util/sha256.h"

#define META_KEY "__metadata__"
#define CHECKSUM_KEY "checksum"
#define CHECKSUM_FIELD "\"" CHECKSUM_KEY "\":\""
#define CHECKSUM_DIGITS (SHA256_HEX_SIZE - 1)
#define LENGTH_SIZE 8
#define HEADER_MAX ((size_t)100 << 20) /* bytes; what the format allows */

const char *tensor_type_name(enum tensor_type type);
bool tensor_type_parse(const char *name, enum tensor_type *ret);

#endif
