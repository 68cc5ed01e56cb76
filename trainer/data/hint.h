/* hint.h - tells a mount in which order its files will be read. */
#ifndef S3SAMPLE_DATA_HINT_H
#define S3SAMPLE_DATA_HINT_H

#include <stddef.h>
#include <stdint.h>

struct clip_spec;
struct samples;

/* Writes the files of the samples, in order, one path a line as seen from FOLDER/.., to
 * FOLDER/../.s3samplefs/prefetch. Where there is no such file, or it can't be written,
 * nothing happens: a local copy has none. Returns whether all of it was written. */
int hint_write(const char *folder, const struct samples *samples, const struct clip_spec *spec,
               const uint32_t *order, size_t n);

#endif
