#include "worker/sei.h"

#include <libavcodec/codec_par.h>

#include "worker/nal.h"

#define DISPLAY_ORIENTATION 47u         /* payloadType, in both */
#define H264_SEI 6
#define HEVC_PREFIX_SEI 39

/* Bytes of an SEI unit without its emulation prevention: 0 0 3 stands for 0 0. */
struct bytes {
	const uint8_t *p, *end;
	unsigned zeros;                 /* that came right before p */
};

struct search {
	enum AVCodecID codec;
	struct orientation found;
};

/* The next byte, or -1 at the end. */
static int next_byte(struct bytes *b)
{
	int byte;

	if (b->zeros >= 2 && b->p < b->end && *b->p == 3) {
		b->p++;
		b->zeros = 0;
	}
	if (b->p == b->end)
		return -1;
	byte = *b->p++;
	b->zeros = byte ? 0 : b->zeros + 1;
	return byte;
}

/* payloadType and payloadSize: 255 as long as more is added. -1 at the end. */
static int64_t next_number(struct bytes *b)
{
	int64_t n = 0;
	int byte;

	do {
		byte = next_byte(b);
		n += byte;
	} while (byte == 255);
	return byte < 0 ? -1 : n;
}

/* u(1) cancelled, u(1) hor_flip, u(1) ver_flip, u(16) anticlockwise_rotation:
 * flipped first, then turned by so many 65536ths. */
static void read_orientation(struct bytes *b, struct search *s)
{
	int first = next_byte(b), second = next_byte(b), third = next_byte(b);
	bool hor, ver;
	uint32_t turn;

	if (third < 0 || first & 0x80)
		return;
	hor = first & 0x40;
	ver = first & 0x20;
	turn = ((uint32_t)first & 0x1f) << 11 | (uint32_t)second << 3 | (uint32_t)third >> 5;
	s->found = orient_make((ver ? 180.0 : 0.0) - turn * 360.0 / 65536.0, hor != ver);
}

static void look_at(const uint8_t *nal, size_t size, void *arg)
{
	struct search *s = arg;
	size_t header = s->codec == AV_CODEC_ID_HEVC ? 2 : 1;
	int type = s->codec == AV_CODEC_ID_HEVC ? nal[0] >> 1 & 0x3f : nal[0] & 0x1f;
	struct bytes b;

	if (type != (s->codec == AV_CODEC_ID_HEVC ? HEVC_PREFIX_SEI : H264_SEI) || size <= header)
		return;
	b = (struct bytes){.p = nal + header, .end = nal + size};
	/* Messages, then a byte of trailing bits, and zeros perhaps. */
	while (b.end - b.p >= 2) {
		int64_t payload = next_number(&b), left = next_number(&b);

		if (payload < 0 || left < 0)
			return;
		if (payload == DISPLAY_ORIENTATION && left >= 3) {
			read_orientation(&b, s);
			return;
		}
		while (left > 0 && next_byte(&b) >= 0)
			left--;
	}
}

/* Bytes of the lengths before NAL units; 0: they are in Annex B. */
static unsigned length_size(const AVCodecParameters *par)
{
	size_t at = par->codec_id == AV_CODEC_ID_HEVC ? 21 : 4;

	if ((size_t)par->extradata_size <= at || par->extradata[0] != 1)
		return 0;
	return (par->extradata[at] & 3) + 1u;
}

struct orientation sei_orientation(const AVCodecParameters *par, const uint8_t *packet, size_t size)
{
	struct search s = {.codec = par->codec_id};
	unsigned sized;

	if (par->codec_id != AV_CODEC_ID_H264 && par->codec_id != AV_CODEC_ID_HEVC)
		return s.found;
	/* What the parameter sets bring with them holds until the packet says more. */
	if (par->codec_id == AV_CODEC_ID_HEVC && par->extradata_size > 0)
		nal_each_hvcc(par->extradata, (size_t)par->extradata_size, look_at, &s);
	sized = length_size(par);
	if (sized)
		nal_each_sized(packet, size, sized, look_at, &s);
	else
		nal_each_annex_b(packet, size, look_at, &s);
	return s.found;
}
