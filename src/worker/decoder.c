#include "worker/decoder.h"

#include <errno.h>
#include <libavcodec/avcodec.h>

#include "media/spec.h"
#include "worker/avlog.h"
#include "worker/why.h"

int decoder_new(const AVCodecParameters *par, AVCodecContext **ret, char *why)
{
	const AVCodec *codec = avcodec_find_decoder(par->codec_id);
	AVCodecContext *c;
	int err;

	if (!codec)
		return why_set(why, -EBADMSG, "there is no decoder for its %s video",
		               avcodec_get_name(par->codec_id));
	c = avcodec_alloc_context3(codec);
	if (!c)
		return why_set(why, -ENOMEM, "no memory for a decoder");
	err = avcodec_parameters_to_context(c, par);
	if (err < 0) {
		avcodec_free_context(&c);
		return why_set(why, avlog_errno(err), "its video's parameters can't be used");
	}
	/* Several threads give the same pixels, and take memory for each. */
	c->thread_count = 1;
	c->max_pixels = (int64_t)SPEC_SIDE_MAX * SPEC_SIDE_MAX;
	*ret = c;
	return 0;
}

int decoder_open(AVCodecContext *codec, char *why)
{
	int err = avcodec_open2(codec, NULL, NULL);

	if (err < 0)
		return why_set(why, avlog_errno(err), "its %s decoder can't be opened",
		               avcodec_get_name(codec->codec_id));
	return 0;
}
