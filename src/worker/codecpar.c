#include "worker/codecpar.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <string.h>

#define MAGIC (0x43500000u | LIBAVCODEC_VERSION_MAJOR)

/* Extradata follows. No padding: eight-byte members first. */
struct packed {
	int64_t bit_rate;
	uint32_t magic;
	uint32_t codec_id, codec_tag;
	int32_t format, profile, level;
	int32_t width, height;
	int32_t sar_num, sar_den;
	int32_t field_order;
	int32_t color_range, color_primaries, color_trc, color_space, chroma_location;
	int32_t video_delay;
	int32_t bits_per_coded_sample, bits_per_raw_sample;
	uint32_t extradata_size;
};

int codecpar_pack(const AVCodecParameters *par, uint8_t *out, size_t cap, size_t *ret_len)
{
	struct packed p = {
		.bit_rate = par->bit_rate,
		.magic = MAGIC,
		.codec_id = par->codec_id,
		.codec_tag = par->codec_tag,
		.format = par->format,
		.profile = par->profile,
		.level = par->level,
		.width = par->width,
		.height = par->height,
		.sar_num = par->sample_aspect_ratio.num,
		.sar_den = par->sample_aspect_ratio.den,
		.field_order = (int32_t)par->field_order,
		.color_range = (int32_t)par->color_range,
		.color_primaries = (int32_t)par->color_primaries,
		.color_trc = (int32_t)par->color_trc,
		.color_space = (int32_t)par->color_space,
		.chroma_location = (int32_t)par->chroma_location,
		.video_delay = par->video_delay,
		.bits_per_coded_sample = par->bits_per_coded_sample,
		.bits_per_raw_sample = par->bits_per_raw_sample,
	};

	if (par->codec_type != AVMEDIA_TYPE_VIDEO || par->extradata_size < 0)
		return -EBADMSG;
	p.extradata_size = par->extradata ? (uint32_t)par->extradata_size : 0;
	if (cap < sizeof(p) || p.extradata_size > cap - sizeof(p))
		return -EBADMSG;
	memcpy(out, &p, sizeof(p));
	if (p.extradata_size)
		memcpy(out + sizeof(p), par->extradata, p.extradata_size);
	*ret_len = sizeof(p) + p.extradata_size;
	return 0;
}

static int unpack_extradata(const uint8_t *data, uint32_t size, AVCodecParameters *par)
{
	if (size == 0)
		return 0;
	par->extradata = av_mallocz((size_t)size + AV_INPUT_BUFFER_PADDING_SIZE);
	if (!par->extradata)
		return -ENOMEM;
	memcpy(par->extradata, data, size);
	par->extradata_size = (int)size;
	return 0;
}

int codecpar_unpack(const uint8_t *data, size_t len, AVCodecParameters **ret)
{
	struct packed p;
	AVCodecParameters *par;
	int err;

	if (len < sizeof(p))
		return -EBADMSG;
	memcpy(&p, data, sizeof(p));
	if (p.magic != MAGIC || p.extradata_size != len - sizeof(p) ||
	    p.extradata_size > INT32_MAX / 2)
		return -EBADMSG;
	par = avcodec_parameters_alloc();
	if (!par)
		return -ENOMEM;
	err = unpack_extradata(data + sizeof(p), p.extradata_size, par);
	if (err) {
		avcodec_parameters_free(&par);
		return err;
	}
	par->codec_type = AVMEDIA_TYPE_VIDEO;
	par->bit_rate = p.bit_rate;
	par->codec_id = (enum AVCodecID)p.codec_id;
	par->codec_tag = p.codec_tag;
	par->format = p.format;
	par->profile = p.profile;
	par->level = p.level;
	par->width = p.width;
	par->height = p.height;
	par->sample_aspect_ratio = (AVRational){p.sar_num, p.sar_den};
	par->field_order = (enum AVFieldOrder)p.field_order;
	par->color_range = (enum AVColorRange)p.color_range;
	par->color_primaries = (enum AVColorPrimaries)p.color_primaries;
	par->color_trc = (enum AVColorTransferCharacteristic)p.color_trc;
	par->color_space = (enum AVColorSpace)p.color_space;
	par->chroma_location = (enum AVChromaLocation)p.chroma_location;
	par->video_delay = p.video_delay;
	par->bits_per_coded_sample = p.bits_per_coded_sample;
	par->bits_per_raw_sample = p.bits_per_raw_sample;
	*ret = par;
	return 0;
}
