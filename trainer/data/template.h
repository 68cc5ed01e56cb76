/* template.h - --data with {epoch} and {seed} in it. */
#ifndef S3SAMPLE_DATA_TEMPLATE_H
#define S3SAMPLE_DATA_TEMPLATE_H

#include <stdint.h>

struct why;

/* Replaces {epoch} and {seed} by numbers. Returns a malloc'd string; NULL with why: no
 * memory, or a {word} that is neither. */
char *template_expand(const char *template, uint32_t epoch, uint64_t seed, struct why *why);

#endif
