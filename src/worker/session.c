#include "worker/session.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <stdlib.h>
#include <string.h>

#include "worker/avlog.h"
#include "worker/codecpar.h"
#include "worker/decoder.h"
#include "worker/input.h"
#include "worker/source.h"
#include "worker/why.h"

/* Frames that a decoder holds back: at most its reorder depth and delay. */
#define PENDING_MAX 64u

/* Packets that didn't decode that are remembered. */
#define LOST_MAX 16u

/* Errors in a row that a decoder may report for one packet. */
#define ERRORS_MAX 1000

struct session {
	AVCodecParameters *par;
	AVCodecContext *codec;
	struct source *source;
	AVPacket *packet;
	AVFrame *frame;                 /* the one in hand */
	bool has_frame;
	int64_t in_hand;                /* table index of the packet it came of */
	bool drained;
	bool no_skip;                   /* nothing was left out so far */
	uint32_t next;                  /* table index of the packet to feed */
	uint64_t n_out;                 /* frames that came out, and lost ones that they came after */
	uint32_t pending[PENDING_MAX];  /* packets fed whole, whose frames may still come */
	uint32_t n_pending;
	struct lost {
		uint32_t packet;
		bool counted;           /* in n_out */
	} lost[LOST_MAX];               /* packets that didn't decode, the latest, ascending */
	uint32_t n_lost;
};

static bool is_contiguous(const struct request_frames *r)
{
	return r->head->table_flags & TABLE_CONTIGUOUS;
}

int session_new(const struct request_frames *r, const char *extension, struct input *in,
                struct session **ret, char *why)
{
	struct session *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return why_set(why, -ENOMEM, "no memory");
	s->packet = av_packet_alloc();
	s->frame = av_frame_alloc();
	s->source = is_contiguous(r) ? source_direct_new(in) : source_demux_new(in, extension);
	err = s->packet && s->frame && s->source ? 0 : why_set(why, -ENOMEM, "no memory");
	if (!err) {
		err = codecpar_unpack(r->params, r->head->params_len, &s->par);
		if (err)
			why_set(why, err, "its codec parameters can't be read");
	}
	if (!err)
		err = session_restart(s, r, why);
	if (err) {
		session_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	avcodec_free_context(&s->codec);
	avcodec_parameters_free(&s->par);
	av_packet_free(&s->packet);
	av_frame_free(&s->frame);
	if (s->source)
		s->source->ops->free(s->source);
	free(s);
}

void session_rebind(struct session *s, struct input *in)
{
	s->source->ops->rebind(s->source, in);
}

const AVFrame *session_in_hand(const struct session *s)
{
	return s->has_frame ? s->frame : NULL;
}

int64_t session_packet(const struct session *s)
{
	return s->in_hand;
}

uint64_t session_ordinal(const struct session *s)
{
	return s->n_out - 1;
}

uint32_t session_next_packet(const struct session *s)
{
	return s->next;
}

/* A new decoder rather than a flushed one: nothing of what it has seen may show
 * in what comes. */
int session_restart(struct session *s, const struct request_frames *r, char *why)
{
	int err;

	avcodec_free_context(&s->codec);
	av_frame_unref(s->frame);
	s->has_frame = false;
	s->drained = false;
	s->no_skip = true;
	s->next = r->head->first_packet;
	s->n_out = 0;
	s->n_pending = 0;
	s->n_lost = 0;
	err = decoder_new(s->par, &s->codec, why);
	if (err)
		return err;
	s->codec->pkt_timebase = (AVRational){r->head->time_base_num, r->head->time_base_den};
	s->codec->has_b_frames = r->head->reorder < TABLE_REORDER_MAX ? (int)r->head->reorder
	                                                              : (int)TABLE_REORDER_MAX;
	return decoder_open(s->codec, why);
}

static bool is_pending(const struct session *s, uint32_t packet)
{
	for (uint32_t i = 0; i < s->n_pending; i++) {
		if (s->pending[i] == packet)
			return true;
	}
	return false;
}

static void add_pending(struct session *s, uint32_t packet)
{
	if (s->n_pending == PENDING_MAX)
		memmove(s->pending, s->pending + 1, --s->n_pending * sizeof(s->pending[0]));
	s->pending[s->n_pending++] = packet;
}

static void drop_pending(struct session *s, int64_t packet)
{
	for (uint32_t i = 0; i < s->n_pending; i++) {
		if (s->pending[i] == packet) {
			s->n_pending--;
			memmove(s->pending + i, s->pending + i + 1,
			        (s->n_pending - i) * sizeof(s->pending[0]));
			return;
		}
	}
}

/* The packet fed last is damaged. */
static void add_lost(struct session *s)
{
	uint32_t packet = s->next - 1;

	if (!is_pending(s, packet))
		return;
	drop_pending(s, packet);
	if (s->n_lost == LOST_MAX)
		memmove(s->lost, s->lost + 1, --s->n_lost * sizeof(s->lost[0]));
	s->lost[s->n_lost++] = (struct lost){.packet = packet};
}

/* A frame has come out. Where frames are counted, a lost one counts before those of
 * later packets, so that they keep their numbers. */
static void count_frame(struct session *s)
{
	bool was_counted = false;

	s->in_hand = s->frame->pts;
	drop_pending(s, s->in_hand);
	for (uint32_t i = 0; i < s->n_lost; i++) {
		struct lost *l = &s->lost[i];

		if (l->packet == s->in_hand)
			was_counted = l->counted;       /* it does come, and late */
		else if (l->packet < s->in_hand && !l->counted)
			s->n_out++;
		l->counted = l->counted || l->packet <= s->in_hand;
	}
	if (!was_counted)
		s->n_out++;
}

/* A drained decoder takes no more packets, but may have more frames to give. */
static bool can_still_come(const struct session *s, const struct request_frames *r,
                           const struct proto_frame_row *row)
{
	bool all_fed = s->drained && s->next == request_end(r);

	if (r->by_ordinal)
		return (row->ordinal >= s->n_out && (!s->drained || all_fed)) ||
		       (s->has_frame && row->ordinal == session_ordinal(s));
	return (row->packet >= s->next && !s->drained) || is_pending(s, row->packet) ||
	       (s->has_frame && s->in_hand == row->packet);
}

bool session_can_continue(const struct session *s, const struct request_frames *r)
{
	if (s->next < r->head->first_packet || s->next > request_end(r))
		return false;
	if (r->head->no_skip && !s->no_skip)
		return false;
	for (uint32_t i = 0; i < r->head->n_rows; i++) {
		if (r->rows[i].emit && !can_still_come(s, r, &r->rows[i]))
			return false;
	}
	return true;
}

static int drain(struct session *s)
{
	s->drained = true;
	return avcodec_send_packet(s->codec, NULL) == AVERROR(ENOMEM) ? -ENOMEM : 0;
}

/* Gives the decoder one packet. A packet that doesn't decode is no error yet: the
 * wanted frame may come all the same. */
static int feed(struct session *s, const struct request_frames *r, char *why)
{
	const struct table_packet *p = request_packet(r, s->next);
	bool skip = request_may_skip(r, s->next);
	int err = s->source->ops->read(s->source, r, s->next, s->packet, why);

	if (err)
		return err;
	/* Whatever its times are in the file, which several packets may share: the decoder
	 * hands them on to the frame, and what the frame is asked for is whose it is. */
	s->packet->pts = s->next;
	s->packet->dts = s->next;
	s->packet->duration = p->duration;
	s->packet->flags = p->flags & TABLE_KEY ? AV_PKT_FLAG_KEY : 0;
	s->codec->skip_frame = skip ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
	s->no_skip = s->no_skip && !skip;
	if (!skip && !(p->flags & TABLE_SECOND))
		add_pending(s, s->next);
	err = avcodec_send_packet(s->codec, s->packet);
	av_packet_unref(s->packet);
	s->next++;
	if (err < 0)
		add_lost(s);
	return err == AVERROR(ENOMEM) ? why_set(why, -ENOMEM, "no memory to decode its video") : 0;
}

/* Is there a packet that r wants fed? */
static bool has_more(const struct session *s, const struct request_frames *r)
{
	if (s->next >= request_end(r))
		return false;
	return !r->head->drain || s->next <= r->head->target ||
	       (request_packet(r, s->next)->flags & TABLE_SECOND);
}

int session_next(struct session *s, const struct request_frames *r, const AVFrame **ret, char *why)
{
	int av, err = 0, errors = 0;

	av_frame_unref(s->frame);
	s->has_frame = false;
	/* A packet is only sent when the decoder has nothing left to give, so that it
	 * is decoded at once, with the skip_frame that was set for it. */
	while ((av = avcodec_receive_frame(s->codec, s->frame)) < 0) {
		if (av == AVERROR_EOF)
			return 0;
		if (av == AVERROR(ENOMEM))
			return why_set(why, -ENOMEM, "no memory to decode its video");
		if (av != AVERROR(EAGAIN)) {
			if (!s->drained)
				add_lost(s);
			if (++errors > ERRORS_MAX)
				return why_set(why, -EBADMSG, "its video doesn't decode");
			continue;
		}
		errors = 0;
		if (s->drained)
			return 0;
		err = has_more(s, r) ? feed(s, r, why) : drain(s);
		if (err)
			return err;
	}
	s->has_frame = true;
	count_frame(s);
	*ret = s->frame;
	return 1;
}
