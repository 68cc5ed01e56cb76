#include "worker/peek.h"

#include <errno.h>
#include <libavcodec/avcodec.h>

#include "worker/decoder.h"
#include "worker/why.h"

static void take(const AVCodecContext *c, const AVFrame *frame, struct peek *p)
{
	p->width = frame ? frame->width : c->width;
	p->height = frame ? frame->height : c->height;
	p->format = frame ? frame->format : c->pix_fmt;
	p->matrix = frame ? (int)frame->colorspace : (int)c->colorspace;
	p->range = frame ? (int)frame->color_range : (int)c->color_range;
}

/* One packet in, and out comes what the decoder knows then. */
static int attempt(const AVCodecParameters *par, const AVPacket *packet, enum AVDiscard skip,
                   struct peek *ret, char *why)
{
	AVCodecContext *c = NULL;
	AVFrame *frame = av_frame_alloc();
	int err = frame ? decoder_new(par, &c, why) : why_set(why, -ENOMEM, "no memory");

	if (err)
		goto free_frame;
	/* So that it is known whether the decoder has set it. */
	c->pix_fmt = AV_PIX_FMT_NONE;
	c->skip_frame = skip;
	err = decoder_open(c, why);
	if (err)
		goto free_codec;
	(void)avcodec_send_packet(c, packet);
	(void)avcodec_send_packet(c, NULL);
	take(c, avcodec_receive_frame(c, frame) >= 0 ? frame : NULL, ret);

free_codec:
	avcodec_free_context(&c);
free_frame:
	av_frame_free(&frame);
	return err;
}

/* A cut packet of H.264 in mp4 form: the last NAL unit's length is made to fit,
 * or the decoder would refuse the whole. */
static void close_last_nal(const AVCodecParameters *par, AVPacket *packet)
{
	size_t size = (size_t)packet->size, width, at = 0;

	if (par->codec_id != AV_CODEC_ID_H264 || par->extradata_size < 7 || par->extradata[0] != 1)
		return;
	width = (par->extradata[4] & 3) + 1u;
	while (size - at > width) {
		size_t left = size - at - width, len = 0;

		for (size_t i = 0; i < width; i++)
			len = len << 8 | packet->data[at + i];
		if (len > left) {
			for (size_t i = width, rest = left; i-- > 0; rest >>= 8)
				packet->data[at + i] = (uint8_t)rest;
			return;
		}
		at += width + len;
	}
}

int peek_stream(const AVCodecParameters *par, AVPacket *packet, bool cut, struct peek *ret,
                char *why)
{
	struct peek p = {0};
	int err;

	if (cut)
		close_last_nal(par, packet);
	/* Most decoders tell from the headers, without decoding the picture. */
	err = attempt(par, packet, AVDISCARD_ALL, &p, why);

	if (!err && p.format < 0)
		err = attempt(par, packet, AVDISCARD_DEFAULT, &p, why);
	if (err)
		return err;
	*ret = p;
	return p.format < 0;
}
