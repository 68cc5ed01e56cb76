#include "s3/op.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"
#include "s3/explain.h"

static struct op *from_http(struct http_request *r)
{
	return (struct op *)((char *)r - offsetof(struct op, http));
}

static struct op *from_wait(struct signer_wait *w)
{
	return (struct op *)((char *)w - offsetof(struct op, wait));
}

static void op_free(struct op *op)
{
	buf_done(&op->http.text);
	creds_unref(op->creds);
	free(op->key);
	op->kind->free(op);
}

void op_refuse(struct op *op, int err, const char *why)
{
	op->kind->fail(op, err, why);
	op_free(op);
}

static void give_up(struct op *op)
{
	const struct explain about = { .op = op->kind->op, .endpoint = &op->client->endpoint,
	                               .region = op->region, .key = op->key,
	                               .creds_source = op->creds ? op->creds->source : NULL,
	                               .proxy = op->http.proxy, .attempts = op->attempts,
	                               .timeout_ms = op->client->timeout_ms };
	char why[AWS_WHY_MAX];

	explain(why, &op->verdict, &about);
	if (op->verdict.err != -ENOENT && op->verdict.err != -ECANCELED)
		stats_add(op->client->stats, STAT_s3_errors, 1);
	log_debug("%s", why);
	op_refuse(op, op->verdict.err, why);
}

/* ---- hooks of http ---- */

static int on_prepare(struct http_request *r, struct http_message *m)
{
	struct op *op = from_http(r);
	struct op_request own = { 0 };
	struct signer_state state;
	struct request q = { .method = r->method, .endpoint = &op->client->endpoint };
	int err = op->kind->describe(op, &own);

	if (err)
		return err;
	signer_get(op->client->signer, &state);
	creds_unref(op->creds);
	op->creds = state.creds;
	memcpy(op->region, state.region, sizeof(op->region));
	q.region = op->region;
	q.creds = op->creds;
	q.date = state.date;
	q.key = op->kind->of_bucket ? NULL : op->key;
	q.params = own.params;
	q.n_params = own.n_params;
	q.range = op->learning ? "bytes=0-0" : own.range;
	q.if_match = op->learning ? NULL : own.if_match;
	return request_build(&q, m);
}

static enum http_body on_accept(struct http_request *r)
{
	struct op *op = from_http(r);

	if (r->reply.status >= 300)
		return HTTP_BODY_TEXT;
	if (op->learning)
		return HTTP_BODY_REFUSE;
	return op->kind->accept ? op->kind->accept(op) : HTTP_BODY_TEXT;
}

/* Whether a GET that failed so tells why the HEAD before it did: an empty object has
 * no byte to ask for, a busy server says nothing of rights. */
static bool teaches(enum cause cause)
{
	switch (cause) {
	case CAUSE_NO_KEY:
	case CAUSE_NO_BUCKET:
	case CAUSE_DENIED:
	case CAUSE_BAD_SECRET:
	case CAUSE_BAD_KEY_ID:
	case CAUSE_EXPIRED:
	case CAUSE_CLOCK:
	case CAUSE_ARCHIVED:
	case CAUSE_REGION:
	case CAUSE_PROXY:
		return true;
	default:
		return false;
	}
}

static void on_done(struct http_request *r, enum http_result result);

static const struct http_hooks hooks = {
	on_prepare, on_accept, on_done,
	.extra = { [VERDICT_REGION] = "x-amz-bucket-region", [VERDICT_CODE] = "x-amz-error-code" },
};

static void submit(struct op *op, uint64_t delay_ms)
{
	struct http_request *r = &op->http;

	r->hooks = &hooks;
	r->method = op->learning ? HTTP_GET : op->kind->method;
	r->counter = op->learning ? STAT_s3_get : op->kind->counter;
	r->text_cap = op->kind->text_cap;
	r->delay_ms = delay_ms;
	http_submit(op->client->http, r);
}

void op_start(struct op *op)
{
	op->attempts = 1;
	submit(op, 0);
}

/* ---- after an attempt ---- */

/* Sends it again without counting it as an attempt. */
static void resubmit(struct op *op, bool learning)
{
	if (learning && !op->learning)
		op->refusal = op->verdict;
	op->learning = learning;
	stats_add(op->client->stats, STAT_s3_retries, 1);
	submit(op, 0);
}

static void on_refreshed(struct signer_wait *w, int err)
{
	struct op *op = from_wait(w);

	if (!err) {
		resubmit(op, false);
		return;
	}
	if (err == -ECANCELED)
		verdict_set_cause(&op->verdict, CAUSE_CANCELED);
	give_up(op);
}

/* Whether the cause was put right, or is being put right, and op sent again. */
static bool correct(struct op *op)
{
	enum correction c = op->verdict.correction;
	struct signer *signer = op->client->signer;

	if (c == CORRECT_NOTHING || (op->corrected & 1u << c))
		return false;
	op->corrected |= 1u << c;
	switch (c) {
	case CORRECT_IGNORANCE:
		resubmit(op, true);
		return true;
	case CORRECT_CREDS:
		if (!op->creds)
			return false;
		op->wait.done = on_refreshed;
		signer_refresh(signer, op->creds, &op->wait);
		return true;
	case CORRECT_CLOCK:
		if (!signer_correct_clock(signer, op->http.reply.date))
			return false;
		break;
	case CORRECT_REGION:
		if (!endpoint_takes_region(&op->client->endpoint, op->verdict.region) ||
		    !signer_correct_region(signer, op->region, op->verdict.region))
			return false;
		break;
	case CORRECT_NOTHING:
		return false;
	}
	resubmit(op, false);
	return true;
}

/* 0 <= x < 1 */
static double random_fraction(void)
{
	uint32_t n = 0;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != (ssize_t)sizeof(n))
		n = (uint32_t)(clock_ns() * 2654435761u);
	return (double)n / 4294967296.0;
}

static bool take_token(struct op_client *c)
{
	bool taken;

	pthread_mutex_lock(&c->lock);
	taken = retry_bucket_take(&c->bucket);
	pthread_mutex_unlock(&c->lock);
	return taken;
}

static void give_token(struct op *op)
{
	pthread_mutex_lock(&op->client->lock);
	retry_bucket_success(&op->client->bucket, op->attempts > 1);
	pthread_mutex_unlock(&op->client->lock);
}

/* Whether op is sent again after a while. */
static bool retry(struct op *op)
{
	struct retry_failure f = { .attempts = op->attempts, .max_attempts = op->client->max_attempts,
	                           .throttled = op->verdict.throttled, .random = random_fraction() };
	uint64_t now = clock_ms();
	uint64_t deadline = op->http.deadline_ms;
	uint64_t delay_ms;

	if (!op->verdict.retry)
		return false;
	f.after_ms = retry_after_ms(op->http.reply.retry_after, time(NULL));
	f.left_ms = deadline > now ? deadline - now : 0;
	if (op->attempts >= op->client->max_attempts)
		return false;
	if (!take_token(op->client))
		f.throttled = true;
	delay_ms = retry_delay_ms(&f);
	if (delay_ms == RETRY_NEVER)
		return false;
	log_debug("s3 %s: attempt %u failed (%s, status %d), again in %llu ms", op->key, op->attempts,
	          http_result_text(op->verdict.result), op->verdict.status,
	          (unsigned long long)delay_ms);
	op->attempts++;
	stats_add(op->client->stats, STAT_s3_retries, 1);
	submit(op, delay_ms);
	return true;
}

static bool succeed(struct op *op)
{
	enum cause cause = op->kind->complete(op);

	if (cause != CAUSE_NONE) {
		verdict_set_cause(&op->verdict, cause);
		return false;
	}
	give_token(op);
	op_free(op);
	return true;
}

/* "s3 GET clip.mp4 bytes 0-65535/1048576: ok, status 206, 65536 bytes in 31 ms, attempt 1" */
static void log_attempt(const struct op *op, enum http_result result)
{
	static const char *const methods[] = { [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD" };
	const struct http_request *r = &op->http;
	const uint64_t ms = r->asked_ms ? clock_ms() - r->asked_ms : 0;

	log_debug("s3 %s %s%s%s%s: %s, status %d, %zu bytes in %llu ms, attempt %u",
	          op->kind->of_bucket ? "LIST" : methods[r->method], op->key[0] ? op->key : "(all)",
	          r->reply.content_range[0] ? " " : "", r->reply.content_range, op->learning ? " (for its code)" : "",
	          http_result_text(result), r->reply.status, r->into_len + r->text.len, (unsigned long long)ms,
	          op->attempts);
}

static void on_done(struct http_request *r, enum http_result result)
{
	struct op *op = from_http(r);
	/* What comes through a tunnel only the store can have said. */
	const bool is_tunnel = op->client->endpoint.https;
	struct verdict_input in = { .op = op->kind->op, .result = result, .reply = &r->reply,
	                            .text = r->text.data, .text_len = r->text.len,
	                            .refused = op->refused, .proxy = is_tunnel ? NULL : r->proxy };

	log_attempt(op, result);
	if (op->kind->ended)
		op->kind->ended(op);
	/* The GET worked where the HEAD was refused: the HEAD's verdict stands. */
	if (op->learning && result == HTTP_REFUSED) {
		op->verdict = op->refusal;
		give_up(op);
		return;
	}
	/* All bytes came before the connection broke: nothing is left to ask for. */
	if (op->kind->is_whole && op->kind->is_whole(op) && result != HTTP_CANCELED)
		in.result = HTTP_OK;
	verdict_make(&in, &op->verdict);
	if (op->verdict.cause == CAUSE_NONE && succeed(op))
		return;
	if (correct(op) || retry(op))
		return;
	if (op->learning && !teaches(op->verdict.cause))
		op->verdict = op->refusal;
	give_up(op);
}
