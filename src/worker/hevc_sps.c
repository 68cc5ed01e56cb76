#include "worker/hevc_sps.h"

#define NAL_SPS 33
#define HVCC_ARRAYS 22          /* offset of numOfArrays; ISO/IEC 14496-15, 8.3.3.1.2 */

struct found {
	size_t sps, single;
};

/* A NAL unit: two bytes of header, then in an SPS u(4) vps id, u(3)
 * sps_max_sub_layers_minus1 (H.265, 7.3.2.2.1). */
static void look_at(const uint8_t *nal, size_t size, struct found *f)
{
	if (size < 3 || (nal[0] >> 1 & 0x3f) != NAL_SPS)
		return;
	f->sps++;
	f->single += (nal[2] >> 1 & 7) == 0;
}

static void scan_hvcc(const uint8_t *p, size_t size, struct found *f)
{
	size_t at = HVCC_ARRAYS + 1;

	for (unsigned arrays = p[HVCC_ARRAYS]; arrays && size - at >= 3; arrays--) {
		unsigned nals = (unsigned)p[at + 1] << 8 | p[at + 2];

		at += 3;
		for (; nals && size - at >= 2; nals--) {
			size_t len = (size_t)p[at] << 8 | p[at + 1];

			at += 2;
			if (len > size - at)
				return;
			look_at(p + at, len, f);
			at += len;
		}
	}
}

static void scan_annex_b(const uint8_t *p, size_t size, struct found *f)
{
	for (size_t i = 0; i + 3 < size; i++) {
		if (p[i] == 0 && p[i + 1] == 0 && p[i + 2] == 1)
			look_at(p + i + 3, size - i - 3, f);
	}
}

bool hevc_sps_single_layer(const uint8_t *extradata, size_t size)
{
	struct found f = {0};

	if (size > HVCC_ARRAYS && extradata[0] == 1)
		scan_hvcc(extradata, size, &f);
	else if (size)
		scan_annex_b(extradata, size, &f);
	return f.sps > 0 && f.single == f.sps;
}
