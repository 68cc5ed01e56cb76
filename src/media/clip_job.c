/* clip_job.c - decoding jobs of a clip: what one has to feed and to hand over,
 * which open decoder it continues, what happens when it ends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/stats.h"
#include "base/text.h"
#include "media/clip_priv.h"
#include "media/need.h"
#include "store/blocks.h"
#include "store/object.h"

_Static_assert(NEED_GAP == BLOCKS_SIZE, "what lies within a block of each other comes in one GET");

#define LOOKAHEAD 64u                   /* packets past the target that a job may feed: more than any reordering */
#define JOB_OUT_MAX ((size_t)32 << 20)  /* bytes of rows a job hands over, unless one row is larger */
#define ATTEMPTS_MAX 4u
#define WANTED 2u                       /* in a job's marks: waited for, not yet chosen */

static struct frame_job *run_job_locked(struct clip *c, uint32_t run)
{
	struct frame_job *j;

	DL_FOREACH(c->jobs, j)
		if (j->run == run)
			return j;
	return NULL;
}

static bool row_requested_locked(const struct clip *c, uint32_t number)
{
	const struct request *q;

	DL_FOREACH(c->requests, q)
		for (uint32_t i = request_place(c, q, number);
		     i < q->count && c->plan->rows[q->first + i].first == number; i++)
			if (!q->rows[i])
				return true;
	return false;
}

/* The open decoder that a job from `run` with first wanted row `first` can go
 * on with, else a free or the stalest place for a new one; NULL: all busy. */
static struct session *session_choose_locked(struct clip *c, uint32_t run, uint32_t first, bool fresh)
{
	struct session *place = NULL;

	for (unsigned i = 0; i < CLIP_SESSIONS && !fresh; i++) {
		struct session *s = &c->sessions[i];
		if (s->number && !s->busy && s->fed >= run && s->out < (int64_t)first &&
		    (!place || s->out > place->out))
			place = s;
	}
	if (place)
		return place;
	for (unsigned i = 0; i < CLIP_SESSIONS; i++) {
		struct session *s = &c->sessions[i];
		if (!s->busy && (!place || s->number < place->number))
			place = s;
	}
	if (place)
		*place = (struct session){ .number = ++c->samples->next_session, .out = -1 };
	return place;
}

/* The rows of a run: [*ret_low, *ret_high), around row `at`. */
static void run_rows(const struct plan *p, uint32_t at, uint32_t *ret_low, uint32_t *ret_high)
{
	uint32_t low = at, high = at + 1;

	while (low > 0 && p->rows[low - 1].sync == p->rows[at].sync)
		low--;
	while (high < p->n_rows && p->rows[high].sync == p->rows[at].sync)
		high++;
	*ret_low = low;
	*ret_high = high;
}

/* Bytes of rows that one job may hand over: memory= may have room for less than JOB_OUT_MAX, and
 * then another job, and what this one feeds, shall fit beside it. */
static size_t job_out_max(const struct clip *c)
{
	size_t half = budget_total(c->samples->budget) / 2;

	return half < JOB_OUT_MAX ? half : JOB_OUT_MAX;
}

/* Marks, in one walk over the requests, the rows of [low, high) that are waited for. */
static void mark_wanted_locked(const struct clip *c, uint32_t low, uint32_t high, uint8_t *wanted)
{
	const struct request *q;

	DL_FOREACH(c->requests, q) {
		for (uint32_t i = request_place(c, q, low); i < q->count; i++) {
			uint32_t row = c->plan->rows[q->first + i].first;

			if (row >= high)
				break;
			if (!q->rows[i])
				wanted[row - low] = WANTED;
		}
	}
}

/* What a job has to hand over: limits target so that the rows fit, the wanted
 * ones first. Returns how many; emit[i - low] tells for row i. */
static uint32_t choose_emitted_locked(const struct clip *c, const struct session *session, uint32_t low, uint32_t high,
                                      uint32_t *target, uint8_t *emit)
{
	const size_t out_max = job_out_max(c);
	const uint32_t limit = c->row_bytes > out_max ? 1 : (uint32_t)(out_max / c->row_bytes);
	uint32_t n = 0, last = low;

	mark_wanted_locked(c, low, high, emit);
	for (uint32_t i = low; i < high; i++) {
		bool take = emit[i - low] == WANTED && i <= *target && n < limit && !c->rows[i];

		emit[i - low] = take;
		last = take ? i : last;
		n += take;
	}
	/* A target nobody waits for is read-ahead; keep it if all that is wanted fitted. */
	if (n >= limit)
		*target = last;
	for (uint32_t i = low; i < high && i <= *target && n < limit; i++) {
		if (emit[i - low] || c->plan->rows[i].first != i || c->rows[i] || (int64_t)i <= session->out)
			continue;
		emit[i - low] = 1;
		last = i > last ? i : last;
		n++;
	}
	*target = last;
	return n;
}

/* Writes the input of a job: rows low.. whose packets are fed, the slice of the
 * table, the codec parameters. */
static int job_input(struct frame_job *j, uint32_t low, uint32_t high, const uint8_t *emit, uint32_t n_slots,
                     uint32_t end, uint32_t listed)
{
	const struct clip *c = j->clip;
	const struct table_head *t = clip_table(c);
	const struct plan *p = c->plan;
	uint32_t n_packets = end - j->from, slot = 0;
	size_t size = sizeof(struct proto_frames) + (size_t)listed * sizeof(struct proto_frame_row) +
	              (size_t)n_packets * sizeof(struct table_packet) + t->params_len;
	struct proto_frames *head;
	struct proto_frame_row *row;

	j->input = calloc(1, size);
	if (!j->input)
		return -ENOMEM;
	head = (struct proto_frames *)(void *)j->input;
	*head = (struct proto_frames){
		.magic = PROTO_MAGIC,
		.table_flags = t->flags,
		.n_rows = listed,
		.n_packets = n_packets,
		.first_packet = j->from,
		.target = p->rows[j->target].packet,
		.at_end = end == t->n_packets,
		.no_skip = j->attempt > 1,
		/* A sync packet alone: nothing after it need be fed to get it out. */
		.drain = !p->by_ordinal && p->rows[j->target].packet == j->from && j->attempt == 0 &&
		         (j->target + 1 >= p->n_rows || p->rows[j->target + 1].sync != j->run),
		.reorder = p->reorder,
		.time_base_num = t->time_base_num,
		.time_base_den = t->time_base_den,
		.video_stream = t->video_stream,
		.rotation = t->rotation,
		.src_height = t->height,
		.src_width = t->width,
		.row_height = c->row_height,
		.row_width = c->row_width,
		.row_bytes = c->row_bytes,
		.params_len = t->params_len,
		.n_slots = n_slots,
	};
	memcpy(head->container, t->container, sizeof(head->container));

	row = (struct proto_frame_row *)(void *)(head + 1);
	for (uint32_t i = low, k = 0; k < listed; i++) {
		const struct plan_row *r = &p->rows[i];

		if (r->first != i || r->packet < j->from || r->packet >= end)
			continue;
		bool handed = i < high && emit[i - low];
		row[k] = (struct proto_frame_row){ r->pts, r->packet, r->ordinal, handed ? slot : 0, handed };
		slot += handed;
		j->rows[k++] = i;
	}
	memcpy(row + listed, table_packets(t) + j->from, (size_t)n_packets * sizeof(struct table_packet));
	memcpy((uint8_t *)(row + listed) + (size_t)n_packets * sizeof(struct table_packet), table_params(t), t->params_len);
	j->job.input = j->input;
	j->job.input_size = size;
	return 0;
}

/* The bytes that the job reads first: those of the packets from the open decoder's
 * next one on, as far as they lie side by side. A demuxer begins at the start. */
static void job_need(struct frame_job *j, uint32_t end)
{
	const struct clip *c = j->clip;
	const struct table_head *t = clip_table(c);
	uint32_t first = j->session->fed > j->from ? (uint32_t)j->session->fed : j->from;
	const struct proto_frames *head = (const struct proto_frames *)(const void *)j->input;
	struct need_range r;

	if (t->flags & TABLE_CONTIGUOUS) {
		end = need_fed_end(c->plan->rows[j->target].packet, c->plan->reorder, head->drain, end);
		r = need_head(table_packets(t), first, end, POOL_NEED_MAX);
	} else {
		r = need_container(c->obj->meta.size);
	}
	j->job.need_off = r.off;
	j->job.need_len = (size_t)r.len;
}

static void job_row(struct pool_job *job, const uint8_t *out, uint32_t index);
static void job_done(struct pool_job *job, const struct pool_result *r);

static void job_free(struct frame_job *j)
{
	if (j)
		free(j->input);
	free(j);
}

/* A job for the run of row `at`, that goes on to row `target`. Attempts after
 * the first start afresh, then from earlier sync packets without skipping. NULL: out of memory. */
static struct frame_job *job_new_locked(struct clip *c, uint32_t at, uint32_t target, uint32_t from, unsigned attempt,
                                        struct session *session)
{
	const struct table_head *t = clip_table(c);
	const struct plan *p = c->plan;
	struct frame_job *j = NULL;
	uint8_t *emit = NULL;
	uint32_t low, high, listed = 0, n_slots, end, packet;

	run_rows(p, at, &low, &high);
	emit = calloc(high - low, 1);
	if (!emit)
		return NULL;
	n_slots = choose_emitted_locked(c, session, low, high, &target, emit);
	if (n_slots == 0)
		goto fail;
	packet = p->rows[target].packet;
	end = t->n_packets - packet > LOOKAHEAD ? packet + 1 + LOOKAHEAD : t->n_packets;

	for (uint32_t i = low; i < p->n_rows && (i < high || p->rows[i].packet < end + LOOKAHEAD); i++)
		listed += p->rows[i].first == i && p->rows[i].packet >= from && p->rows[i].packet < end;
	j = calloc(1, sizeof(*j) + (size_t)listed * sizeof(j->rows[0]));
	if (!j)
		goto fail;
	j->clip = c;
	j->run = p->rows[at].sync;
	j->from = from;
	j->target = target;
	j->attempt = attempt;
	j->n_rows = listed;
	j->owed = n_slots;
	j->session = session;
	if (job_input(j, low, high, emit, n_slots, end, listed) < 0)
		goto fail;
	job_need(j, end);
	j->job.kind = PROTO_FRAMES;
	j->job.obj = c->obj;
	j->job.session = session->number;
	j->job.first_packet = from;
	j->job.out_size = (size_t)n_slots * c->row_bytes;
	j->job.spec = c->key.spec;
	j->job.row = job_row;
	j->job.done = job_done;
	session->busy = true;
	DL_APPEND(c->jobs, j);
	free(emit);
	return j;
fail:
	free(emit);
	job_free(j);
	return NULL;
}

/* The farthest row of the run that is asked for, or, for a reader from front to
 * back, the run's last. */
static uint32_t run_target_locked(const struct clip *c, uint32_t at, uint32_t *ret_first)
{
	const struct request *q;
	uint32_t low, high, target = at, first = at;

	run_rows(c->plan, at, &low, &high);
	DL_FOREACH(c->requests, q) {
		for (uint32_t i = request_place(c, q, low); i < q->count; i++) {
			uint32_t r = c->plan->rows[q->first + i].first;
			if (r >= high)
				break;
			if (q->rows[i])
				continue;
			target = r > target ? r : target;
			first = r < first ? r : first;
			if (q->sequential)
				target = c->plan->rows[high - 1].first;
		}
	}
	*ret_first = first;
	return target;
}

static bool all_busy_locked(const struct clip *c)
{
	for (unsigned i = 0; i < CLIP_SESSIONS; i++)
		if (!c->sessions[i].busy)
			return false;
	return true;
}

/* A job that owes nothing more ends any moment, and leaves a decoder that a
 * reader from front to back goes on with. */
static bool any_ending_locked(const struct clip *c)
{
	const struct frame_job *j;

	DL_FOREACH(c->jobs, j)
		if (j->owed == 0)
			return true;
	return false;
}

void clip_schedule_locked(struct clip *c, struct request **finished)
{
	struct samples *s = c->samples;
	const char *killed = killed_why(&s->killed, c->obj->id, PROTO_FRAMES, clock_ms());
	struct request *q, *tmp;

	DL_FOREACH_SAFE(c->requests, q, tmp) {
		for (uint32_t i = 0; i < q->count; i++) {
			if (all_busy_locked(c) || any_ending_locked(c))
				return;         /* their ends call us again */
			uint32_t at = c->plan->rows[q->first + i].first, first, target;
			struct session *session;
			struct frame_job *j;

			if (q->rows[i] || run_job_locked(c, c->plan->rows[at].sync))
				continue;
			if (killed) {
				clip_fail_request_locked(c, q, -ENOMEM, killed, finished);
				break;
			}
			target = run_target_locked(c, at, &first);
			session = session_choose_locked(c, c->plan->rows[at].sync, first, false);
			j = job_new_locked(c, at, target, c->plan->rows[at].sync, 0, session);
			if (!j) {
				clip_fail_request_locked(c, q, -ENOMEM, "not enough memory for a decoding job", finished);
				break;
			}
		}
	}
}

static void job_granted(struct budget_wait *w)
{
	struct frame_job *j = (struct frame_job *)((char *)w - offsetof(struct frame_job, reserved));

	pool_submit(j->clip->samples->pool, &j->job);
}

/* Reserves memory for a new job and gives it to the pool, without the lock. */
static void job_start(struct frame_job *j)
{
	int granted;

	j->reserved.bytes = j->job.input_size + j->job.out_size;
	j->reserved.granted = job_granted;
	granted = budget_reserve(j->clip->samples->budget, &j->reserved);
	if (granted < 0) {
		char why[SAMPLES_WHY_MAX];
		const struct pool_result r = { .err = -ENOMEM, .why = why };

		snprintf(why, sizeof(why), "decoding a row of it takes %zu MB; memory= leaves %zu MB for running jobs",
		         (j->reserved.bytes >> 20) + 1, budget_total(j->clip->samples->budget) >> 20);
		j->reserved.bytes = 0;
		job_done(&j->job, &r);
	} else if (granted) {
		job_granted(&j->reserved);
	}
}

void clip_start_jobs(struct clip *c)
{
	struct samples *s = c->samples;

	for (;;) {
		struct frame_job *j;

		pthread_mutex_lock(&s->lock);
		DL_FOREACH(c->jobs, j)
			if (!j->started)
				break;
		if (j)
			j->started = true;
		pthread_mutex_unlock(&s->lock);
		if (!j)
			return;
		job_start(j);
	}
}

static void job_row(struct pool_job *job, const uint8_t *out, uint32_t index)
{
	struct frame_job *j = (struct frame_job *)job;
	struct clip *c = j->clip;
	const struct proto_frames *head = (const struct proto_frames *)(const void *)j->input;
	const struct proto_frame_row *row = (const struct proto_frame_row *)(const void *)(head + 1) + index;
	const uint32_t number = j->rows[index];
	struct request *finished = NULL;
	struct blob *value;

	value = blob_copy(out + (size_t)row->slot * c->row_bytes, c->row_bytes);
	if (!value) {
		j->short_of_memory = true;
		return;
	}
	pthread_mutex_lock(&c->samples->lock);
	c->users++;
	j->rows[index] = CLIP_DELIVERED;
	j->owed--;
	clip_keep_locked(c, number, value, 0, NULL);
	clip_offer_locked(c, number, value, 0, NULL, &finished);
	stats_add(c->samples->stats, STAT_frames_served, 1);
	clip_settle(c, finished);
	blob_unref(value);
}

/* The next row, from list position *k on, that the job should have given, did
 * not, and that somebody waits for. False: none. */
static bool job_owes_locked(const struct frame_job *j, uint32_t *k)
{
	const struct proto_frames *head = (const struct proto_frames *)(const void *)j->input;
	const struct proto_frame_row *row = (const struct proto_frame_row *)(const void *)(head + 1);

	for (; *k < j->n_rows; (*k)++)
		if (row[*k].emit && j->rows[*k] != CLIP_DELIVERED && row_requested_locked(j->clip, j->rows[*k]))
			return true;
	return false;
}

bool clip_job_wanted_locked(const struct frame_job *j)
{
	uint32_t k = 0;

	return job_owes_locked(j, &k);
}

/* A frame did not come out where the table says. Again with a fresh decoder,
 * then from earlier sync packets and skipping nothing, which costs much: once a
 * run, since where one frame comes out in no way the run is damaged. False: given up. */
static bool job_retry_locked(const struct frame_job *j, uint32_t row)
{
	struct clip *c = j->clip;
	unsigned attempt = j->attempt + 1;
	int64_t from = j->from;
	struct session *session;

	if (attempt >= ATTEMPTS_MAX || (attempt > 1 && c->damaged_run == (int64_t)j->run))
		return false;
	/* It would be the same once more. */
	if (attempt > 1 && j->from == 0 && (c->plan->by_ordinal || j->attempt > 1))
		return false;
	if (attempt == 2)
		from = plan_sync_before(clip_table(c), j->from);
	else if (attempt > 2)
		from = 0;
	session = session_choose_locked(c, j->run, row, true);
	return session && job_new_locked(c, row, row, from < 0 ? 0 : (uint32_t)from, attempt, session);
}

static void job_done(struct pool_job *job, const struct pool_result *r)
{
	struct frame_job *j = (struct frame_job *)job;
	struct clip *c = j->clip;
	struct samples *s = c->samples;
	struct request *finished = NULL;
	int err = r->err;
	bool dropped = err == -ECANCELED && atomic_load(&job->dropped);
	uint32_t k = 0;

	budget_release(s->budget, j->reserved.bytes);
	pthread_mutex_lock(&s->lock);
	c->users++;
	DL_DELETE(c->jobs, j);
	j->session->busy = false;
	if (err) {
		j->session->number = 0;
	} else {
		j->session->fed = r->fed;
		j->session->out = j->target;
	}
	if (!err && j->short_of_memory)
		err = -ENOMEM;
	if (r->killed)
		killed_note(&s->killed, c->obj->id, PROTO_FRAMES, clock_ms(), s->killed_ttl_ms, r->why);
	if ((!err || err == -EAGAIN) && job_owes_locked(j, &k) && job_retry_locked(j, j->rows[k]))
		j->n_rows = 0;  /* the next job owes them now */
	if (dropped)
		j->n_rows = 0;  /* whoever has come since gets another job */
	for (k = 0; job_owes_locked(j, &k); k++) {
		const char *why = r->why ? r->why : "its frame did not come out of the decoder";
		int cause = err && err != -EAGAIN ? err : -EBADMSG;

		if (!err || err == -EAGAIN)
			c->damaged_run = j->run;
		if (error_is_lasting(cause) || (r->by_decoder && cause == r->err))
			clip_keep_locked(c, j->rows[k], NULL, cause, why);
		clip_offer_locked(c, j->rows[k], NULL, cause, why, &finished);
	}
	clip_schedule_locked(c, &finished);
	clip_settle(c, finished);
	job_free(j);
}
