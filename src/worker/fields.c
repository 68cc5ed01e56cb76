#include "worker/fields.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <stdlib.h>

struct fields {
	AVCodecParserContext *parser;   /* tells a packet's picture structure */
	AVCodecContext *codec;          /* with the stream's parameters, never opened */
	bool paired;                    /* the packet before was a second field */
};

int fields_new(const AVCodecParameters *par, struct fields **ret)
{
	struct fields *f;

	*ret = NULL;
	if (par->codec_id != AV_CODEC_ID_H264)
		return 0;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->parser = av_parser_init(par->codec_id);
	f->codec = avcodec_alloc_context3(NULL);
	if (!f->parser || !f->codec || avcodec_parameters_to_context(f->codec, par) < 0) {
		fields_free(f);
		return -ENOMEM;
	}
	f->parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
	*ret = f;
	return 0;
}

void fields_free(struct fields *f)
{
	if (!f)
		return;
	av_parser_close(f->parser);
	avcodec_free_context(&f->codec);
	free(f);
}

bool fields_is_second(struct fields *f, const AVPacket *packet)
{
	uint8_t *out;
	int len;
	bool pairs;

	if (!f)
		return false;
	f->parser->field_order = AV_FIELD_UNKNOWN;
	f->parser->picture_structure = AV_PICTURE_STRUCTURE_UNKNOWN;
	(void)av_parser_parse2(f->parser, f->codec, &out, &len, packet->data, packet->size,
	                       AV_NOPTS_VALUE, AV_NOPTS_VALUE, -1);
	/* A field whose frame number is that of the other field just before it gets a
	 * field order. */
	pairs = (f->parser->picture_structure == AV_PICTURE_STRUCTURE_TOP_FIELD ||
	         f->parser->picture_structure == AV_PICTURE_STRUCTURE_BOTTOM_FIELD) &&
	        (f->parser->field_order == AV_FIELD_TT || f->parser->field_order == AV_FIELD_BB);
	f->paired = pairs && !f->paired;
	return f->paired;
}
