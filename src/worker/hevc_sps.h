/* hevc_sps.h - one fact of an HEVC sequence parameter set. */
#ifndef S3SAMPLEFS_WORKER_HEVC_SPS_H
#define S3SAMPLEFS_WORKER_HEVC_SPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Has every SPS in the extradata (hvcC or Annex B) sps_max_sub_layers_minus1
 * 0? Only then does "not a reference" mean that nothing refers to a picture.
 * false where there is none to look at. */
bool hevc_sps_single_layer(const uint8_t *extradata, size_t size);

#endif
