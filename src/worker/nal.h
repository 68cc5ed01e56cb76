/* nal.h - the NAL units of H.264 and HEVC, one after the other.
 *
 * Believes nothing: a length that leads outside ends the walk. Units come with
 * their header and with emulation prevention bytes in them. */
#ifndef S3SAMPLEFS_WORKER_NAL_H
#define S3SAMPLEFS_WORKER_NAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void nal_fn(const uint8_t *nal, size_t size, void *arg);

/* Units behind start codes (Annex B); one may have zeros at its end that belong
 * to the next start code. */
void nal_each_annex_b(const uint8_t *data, size_t size, nal_fn *fn, void *arg);

/* Units behind lengths of length_size (1..4) bytes, as in mp4. The last one may
 * be cut: what is there is given. */
void nal_each_sized(const uint8_t *data, size_t size, unsigned length_size, nal_fn *fn, void *arg);

/* Units of an hvcC record (ISO/IEC 14496-15, 8.3.3.1.2). */
void nal_each_hvcc(const uint8_t *data, size_t size, nal_fn *fn, void *arg);

/* Is it an hvcC record rather than Annex B? */
bool nal_is_hvcc(const uint8_t *data, size_t size);

#endif
