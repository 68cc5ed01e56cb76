/* The input as FFmpeg's AVIOContext. */
#include <errno.h>
#include <libavformat/avio.h>
#include <libavutil/error.h>
#include <libavutil/mem.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/input.h"

#define AVIO_BUFFER (32 * 1024)     /* bytes; FFmpeg's own choice for protocols */

struct avio_position {
	struct input *in;
	uint64_t off;
};

static int avio_read_packet(void *opaque, uint8_t *buf, int len)
{
	struct avio_position *p = opaque;
	ssize_t n = input_read(p->in, p->off, buf, (size_t)len);

	if (n == 0)
		return AVERROR_EOF;
	if (n < 0)
		return AVERROR((int)-n);
	p->off += (uint64_t)n;
	return (int)n;
}

static int64_t avio_seek_to(void *opaque, int64_t off, int whence)
{
	struct avio_position *p = opaque;
	int64_t base;

	switch (whence & ~AVSEEK_FORCE) {
	case AVSEEK_SIZE:
		return (int64_t)input_size(p->in);
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = (int64_t)p->off;
		break;
	case SEEK_END:
		base = (int64_t)input_size(p->in);
		break;
	default:
		return AVERROR(EINVAL);
	}
	if (__builtin_add_overflow(base, off, &base) || base < 0)
		return AVERROR(EINVAL);
	p->off = (uint64_t)base;
	return base;
}

struct AVIOContext *input_avio(struct input *in)
{
	struct avio_position *p = calloc(1, sizeof(*p));
	uint8_t *buffer = av_malloc(AVIO_BUFFER);
	AVIOContext *io = NULL;

	if (p && buffer)
		io = avio_alloc_context(buffer, AVIO_BUFFER, 0, p, avio_read_packet, NULL,
		                        avio_seek_to);
	if (!io) {
		free(p);
		av_free(buffer);
		return NULL;
	}
	p->in = in;
	return io;
}

void input_avio_rebind(struct AVIOContext *io, struct input *in)
{
	struct avio_position *p = io->opaque;

	p->in = in;
}

void input_avio_free(struct AVIOContext *io)
{
	if (!io)
		return;
	free(io->opaque);
	av_freep(&io->buffer);
	avio_context_free(&io);
}
