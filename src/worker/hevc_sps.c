#include "worker/hevc_sps.h"

#include "worker/nal.h"

#define NAL_SPS 33

struct found {
	size_t sps, single;
};

/* A NAL unit: two bytes of header, then in an SPS u(4) vps id, u(3)
 * sps_max_sub_layers_minus1 (H.265, 7.3.2.2.1). */
static void look_at(const uint8_t *nal, size_t size, void *arg)
{
	struct found *f = arg;

	if (size < 3 || (nal[0] >> 1 & 0x3f) != NAL_SPS)
		return;
	f->sps++;
	f->single += (nal[2] >> 1 & 7) == 0;
}

bool hevc_sps_single_layer(const uint8_t *extradata, size_t size)
{
	struct found f = {0};

	if (nal_is_hvcc(extradata, size))
		nal_each_hvcc(extradata, size, look_at, &f);
	else
		nal_each_annex_b(extradata, size, look_at, &f);
	return f.sps > 0 && f.single == f.sps;
}
