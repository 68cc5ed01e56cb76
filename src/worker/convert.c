#include "worker/convert.h"

#include <errno.h>
#include <libavutil/frame.h>
#include <libavutil/macros.h>
#include <libavutil/mem.h>
#include <libswscale/swscale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "worker/orient.h"

/* A part of a frame is cut at multiples of this, so that every pixel goes
 * through the same lanes of the same loops as in the whole frame. */
#define CUT_ALIGN 64u

/* What a swscale context was made for. */
struct scaler_key {
	int format, width, height, matrix, full_range;
};

struct image {
	uint8_t *pixels;
	size_t size, stride;        /* bytes */
};

struct convert {
	struct SwsContext *scaler;
	struct scaler_key key;
	struct image rgb, upright;
};

struct convert *convert_new(void)
{
	return calloc(1, sizeof(struct convert));
}

void convert_free(struct convert *c)
{
	if (!c)
		return;
	sws_freeContext(c->scaler);
	av_free(c->rgb.pixels);
	av_free(c->upright.pixels);
	free(c);
}

/* Rows are padded: swscale writes whole vectors, and leaves the end of a row
 * alone where they don't fit. */
static int image_reserve(struct image *image, uint32_t height, uint32_t width)
{
	size_t stride = FFALIGN((size_t)width * 3 + CUT_ALIGN, 64);
	size_t size = stride * height + RESIZE_OVERREAD;

	if (size > image->size) {
		av_freep(&image->pixels);
		image->size = 0;
		image->pixels = av_mallocz(size);
		if (!image->pixels)
			return -ENOMEM;
		image->size = size;
	}
	image->stride = stride;
	return 0;
}

static bool is_8bit_420(int format)
{
	return format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUVJ420P;
}

static bool is_full_range(const AVFrame *frame)
{
	switch (frame->format) {
	case AV_PIX_FMT_YUVJ420P:
	case AV_PIX_FMT_YUVJ422P:
	case AV_PIX_FMT_YUVJ444P:
	case AV_PIX_FMT_YUVJ440P:
	case AV_PIX_FMT_YUVJ411P:
		return true;
	default:
		return frame->color_range == AVCOL_RANGE_JPEG;
	}
}

static int reserve_scaler(struct convert *c, const AVFrame *frame, struct resize_window part)
{
	struct scaler_key key = {
		.format = frame->format,
		.width = (int)part.width,
		.height = (int)part.height,
		.matrix = (int)frame->colorspace,
		.full_range = is_full_range(frame),
	};
	const int *table = sws_getCoefficients(key.matrix);

	if (c->scaler && memcmp(&key, &c->key, sizeof(key)) == 0)
		return 0;
	sws_freeContext(c->scaler);
	c->scaler = sws_getContext(key.width, key.height, (enum AVPixelFormat)key.format, key.width,
	                           key.height, AV_PIX_FMT_RGB24, SWS_BICUBIC, NULL, NULL, NULL);
	if (!c->scaler)
		return -EBADMSG;
	/* Fails where the source is RGB already, which has no matrix. */
	sws_setColorspaceDetails(c->scaler, table, key.full_range,
	                         sws_getCoefficients(SWS_CS_DEFAULT), 0, 0, 1 << 16, 1 << 16);
	c->key = key;
	return 0;
}

/* The part of the frame that has to be converted for the window: all of it,
 * but for the format whose pixels don't depend on their neighbours' chroma. */
static struct resize_window choose_part(const AVFrame *frame, struct orientation o,
                                        struct resize_window w)
{
	uint32_t height = (uint32_t)frame->height, width = (uint32_t)frame->width, right, bottom;
	struct resize_window part = {.height = height, .width = width};

	if (!orient_is_upright(o) || !is_8bit_420(frame->format) || height % 2)
		return part;
	right = FFALIGN(w.left + w.width, CUT_ALIGN);
	bottom = FFALIGN(w.top + w.height, 2);
	part.left = w.left / CUT_ALIGN * CUT_ALIGN;
	part.top = w.top / 2 * 2;
	part.width = (right < width ? right : width) - part.left;
	part.height = (bottom < height ? bottom : height) - part.top;
	return part;
}

static int convert_part(struct convert *c, const AVFrame *frame, struct resize_window part)
{
	const uint8_t *src[4] = {frame->data[0], frame->data[1], frame->data[2], frame->data[3]};
	uint8_t *dst[4] = {0};
	int dst_stride[4] = {0}, err;

	if (part.top || part.left) {
		/* only planar 4:2:0, even offsets */
		src[0] += (ptrdiff_t)part.top * frame->linesize[0] + part.left;
		src[1] += (ptrdiff_t)(part.top / 2) * frame->linesize[1] + part.left / 2;
		src[2] += (ptrdiff_t)(part.top / 2) * frame->linesize[2] + part.left / 2;
	}
	err = reserve_scaler(c, frame, part);
	if (!err)
		err = image_reserve(&c->rgb, part.height, part.width);
	if (err)
		return err;
	dst[0] = c->rgb.pixels;
	dst_stride[0] = (int)c->rgb.stride;
	if (sws_scale(c->scaler, src, frame->linesize, 0, (int)part.height, dst, dst_stride) < 0)
		return -EBADMSG;
	return 0;
}

int convert_run(struct convert *c, const AVFrame *frame, struct orientation o,
                struct resize_window window, const uint8_t **ret_pixels, size_t *ret_stride)
{
	struct resize_window part = choose_part(frame, o, window);
	const struct image *from = &c->rgb;
	int err;

	err = convert_part(c, frame, part);
	if (err)
		return err;
	if (!orient_is_upright(o)) {
		bool swapped = orient_swaps_sides(o);

		err = image_reserve(&c->upright, swapped ? part.width : part.height,
		                    swapped ? part.height : part.width);
		if (err)
			return err;
		orient_rgb(c->rgb.pixels, c->rgb.stride, part.height, part.width, o,
		           c->upright.pixels, c->upright.stride);
		from = &c->upright;
	}
	*ret_pixels = from->pixels + (window.top - part.top) * from->stride +
	              (size_t)(window.left - part.left) * 3;
	*ret_stride = from->stride;
	return 0;
}
