#include "s3/verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "s3/endpoint.h"
#include "s3/retry.h"
#include "s3/xml.h"

struct meaning {
	int err;
	bool retry;
	enum correction correction;
};

static const struct meaning meanings[] = {
	[CAUSE_NONE] = { 0, false, CORRECT_NOTHING },
	[CAUSE_NO_KEY] = { -ENOENT, false, CORRECT_NOTHING },
	[CAUSE_NO_BUCKET] = { -ENOENT, false, CORRECT_NOTHING },
	[CAUSE_DENIED] = { -EACCES, false, CORRECT_NOTHING },
	[CAUSE_BAD_SECRET] = { -EACCES, false, CORRECT_NOTHING },
	[CAUSE_BAD_KEY_ID] = { -EACCES, false, CORRECT_CREDS },
	[CAUSE_EXPIRED] = { -EACCES, false, CORRECT_CREDS },
	[CAUSE_CLOCK] = { -EACCES, false, CORRECT_CLOCK },
	[CAUSE_ARCHIVED] = { -EACCES, false, CORRECT_NOTHING },
	[CAUSE_REPLACED] = { -ESTALE, false, CORRECT_NOTHING },
	[CAUSE_REGION] = { -EIO, false, CORRECT_REGION },
	[CAUSE_BUSY] = { -EIO, true, CORRECT_NOTHING },
	[CAUSE_HTTP] = { -EIO, false, CORRECT_NOTHING },
	[CAUSE_UNREACHABLE] = { -EIO, true, CORRECT_NOTHING },
	[CAUSE_PROXY] = { -EIO, false, CORRECT_NOTHING },
	[CAUSE_PROXY_BUSY] = { -EIO, true, CORRECT_NOTHING },
	[CAUSE_UNTRUSTED] = { -EIO, false, CORRECT_NOTHING },
	[CAUSE_BROKEN] = { -EIO, true, CORRECT_NOTHING },
	[CAUSE_NO_ETAG] = { -EPROTO, false, CORRECT_NOTHING },
	[CAUSE_NO_RANGE] = { -EPROTO, false, CORRECT_NOTHING },
	[CAUSE_BAD_RANGE] = { -EPROTO, false, CORRECT_NOTHING },
	[CAUSE_NOT_S3] = { -EPROTO, false, CORRECT_NOTHING },
	[CAUSE_DEADLINE] = { -ETIMEDOUT, false, CORRECT_NOTHING },
	[CAUSE_EXCESS] = { -EPROTO, true, CORRECT_NOTHING },
	[CAUSE_DOWN] = { -EIO, false, CORRECT_NOTHING },
	[CAUSE_NOMEM] = { -ENOMEM, false, CORRECT_NOTHING },
	[CAUSE_CANCELED] = { -ECANCELED, false, CORRECT_NOTHING },
};

void verdict_set_cause(struct verdict *v, enum cause cause)
{
	v->cause = cause;
	v->err = meanings[cause].err;
	v->retry = meanings[cause].retry;
	v->correction = meanings[cause].correction;
}

/* https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; which of
 * them mean throttling: botocore.retries.standard. */
static const struct {
	const char *code;
	enum cause cause;
	bool throttled;
} codes[] = {
	{ "NoSuchKey", CAUSE_NO_KEY, false },
	{ "NoSuchVersion", CAUSE_NO_KEY, false },
	{ "KeyTooLongError", CAUSE_NO_KEY, false },
	{ "InvalidURI", CAUSE_NO_KEY, false },
	{ "NoSuchBucket", CAUSE_NO_BUCKET, false },
	{ "InvalidBucketName", CAUSE_NO_BUCKET, false },
	{ "AccessDenied", CAUSE_DENIED, false },
	{ "AllAccessDisabled", CAUSE_DENIED, false },
	{ "AccountProblem", CAUSE_DENIED, false },
	{ "SignatureDoesNotMatch", CAUSE_BAD_SECRET, false },
	{ "InvalidAccessKeyId", CAUSE_BAD_KEY_ID, false },
	{ "InvalidToken", CAUSE_EXPIRED, false },
	{ "ExpiredToken", CAUSE_EXPIRED, false },
	{ "ExpiredTokenException", CAUSE_EXPIRED, false },
	{ "TokenRefreshRequired", CAUSE_EXPIRED, false },
	{ "RequestTimeTooSkewed", CAUSE_CLOCK, false },
	{ "RequestExpired", CAUSE_CLOCK, false },
	{ "InvalidObjectState", CAUSE_ARCHIVED, false },
	{ "PreconditionFailed", CAUSE_REPLACED, false },
	{ "InvalidRange", CAUSE_REPLACED, false },
	{ "PermanentRedirect", CAUSE_REGION, false },
	{ "TemporaryRedirect", CAUSE_REGION, false },
	{ "Redirect", CAUSE_REGION, false },
	{ "InternalError", CAUSE_BUSY, false },
	{ "ServiceUnavailable", CAUSE_BUSY, false },
	{ "RequestTimeout", CAUSE_BUSY, false },
	{ "RequestTimeoutException", CAUSE_BUSY, false },
	{ "SlowDown", CAUSE_BUSY, true },
	{ "Throttling", CAUSE_BUSY, true },
	{ "ThrottlingException", CAUSE_BUSY, true },
	{ "ThrottledException", CAUSE_BUSY, true },
	{ "RequestThrottled", CAUSE_BUSY, true },
	{ "RequestThrottledException", CAUSE_BUSY, true },
	{ "RequestLimitExceeded", CAUSE_BUSY, true },
	{ "BandwidthLimitExceeded", CAUSE_BUSY, true },
	{ "TooManyRequestsException", CAUSE_BUSY, true },
};

static enum cause cause_of_status(int status, enum verdict_op op)
{
	if (retry_status(status))
		return CAUSE_BUSY;
	switch (status) {
	case 301:
	case 302:
	case 307:
	case 308:
		return CAUSE_REGION;
	case 401:
	case 403:
		return CAUSE_DENIED;
	case 404:
	case 410:
		return op == VERDICT_LIST ? CAUSE_NO_BUCKET : CAUSE_NO_KEY;
	case 412:
	case 416:  /* shorter than it was: another version, whatever If-Match did */
		return CAUSE_REPLACED;
	default:
		return CAUSE_HTTP;
	}
}

static enum cause cause_of_failure(const struct verdict_input *in)
{
	switch (in->result) {
	case HTTP_OK:
		return CAUSE_NONE;
	case HTTP_RESOLVE:
	case HTTP_CONNECT:
	case HTTP_TLS:
		return CAUSE_UNREACHABLE;
	case HTTP_PROXY:
		return retry_status(in->reply->status) ? CAUSE_PROXY_BUSY : CAUSE_PROXY;
	case HTTP_NO_HOST:
	case HTTP_CERT:
		return CAUSE_UNTRUSTED;
	case HTTP_RESET:
	case HTTP_STALL:
	case HTTP_SHORT:
		return CAUSE_BROKEN;
	case HTTP_REFUSED:
		return in->refused;
	case HTTP_TOO_LONG:
	case HTTP_GARBLED:
		return CAUSE_NOT_S3;
	case HTTP_EXCESS:
		return CAUSE_EXCESS;
	case HTTP_DOWN:
		return CAUSE_DOWN;
	case HTTP_DEADLINE:
		return CAUSE_DEADLINE;
	case HTTP_CANCELED:
		return CAUSE_CANCELED;
	case HTTP_NOMEM:
		break;
	}
	return CAUSE_NOMEM;
}

/* A status that says all, even if the document after it broke off. */
static bool status_counts(const struct verdict_input *in)
{
	if (in->result == HTTP_OK)
		return true;
	return in->reply->status >= 300 && (in->result == HTTP_RESET || in->result == HTTP_STALL ||
	                                    in->result == HTTP_SHORT || in->result == HTTP_TOO_LONG);
}

static void read_document(const struct verdict_input *in, struct verdict *v)
{
	const struct http_reply *reply = in->reply;
	struct xml_error e = { 0 };
	const char *region;

	if (in->text_len > 0)
		xml_parse_error(in->text, in->text_len, &e);
	if (!e.code[0])
		text_sanitize(e.code, sizeof(e.code), reply->extra[VERDICT_CODE], strlen(reply->extra[VERDICT_CODE]));
	text_sanitize(v->code, sizeof(v->code), e.code, strlen(e.code));
	text_sanitize(v->message, sizeof(v->message), e.message, strlen(e.message));
	region = e.region[0] ? e.region : reply->extra[VERDICT_REGION];
	if (endpoint_any_region(region))
		text_sanitize(v->region, sizeof(v->region), region, strlen(region));
}

/* A HEAD that says only 400 or 403, or redirects without saying where. */
static bool is_mute(const struct verdict_input *in, const struct verdict *v)
{
	int status = in->reply->status;

	if (in->op != VERDICT_HEAD || v->code[0] || in->text_len > 0)
		return false;
	return status == 400 || status == 403 || (v->cause == CAUSE_REGION && !v->region[0]);
}

/* Whether what came through a proxy is its own reply, or may be: stores tell a code. */
static bool is_proxys(const struct verdict *v)
{
	return v->status == 407 || (!v->code[0] && (v->status == 403 || v->status == 502 ||
	                                            v->status == 503 || v->status == 504));
}

static void judge_status(const struct verdict_input *in, struct verdict *v)
{
	read_document(in, v);
	/* A success may carry an Error document instead of a listing. */
	if (v->status >= 200 && v->status < 300 && (in->op != VERDICT_LIST || !v->code[0]))
		return;
	verdict_set_cause(v, cause_of_status(v->status, in->op));
	v->throttled = v->status == 429;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (strcmp(v->code, codes[i].code) == 0) {
			verdict_set_cause(v, codes[i].cause);
			v->throttled = codes[i].throttled || v->throttled;
		}
	}
	/* Malformed in other ways than naming the wrong region it can't be. */
	if (strcmp(v->code, "AuthorizationHeaderMalformed") == 0)
		verdict_set_cause(v, v->region[0] ? CAUSE_REGION : CAUSE_DENIED);
	if (in->proxy && is_proxys(v))
		verdict_set_cause(v, retry_status(v->status) ? CAUSE_PROXY_BUSY : CAUSE_PROXY);
	if (is_mute(in, v))
		v->correction = CORRECT_IGNORANCE;
}

void verdict_make(const struct verdict_input *in, struct verdict *ret_verdict)
{
	struct verdict v = { .result = in->result, .status = in->reply->status };
	const char *detail = in->reply->detail;

	if (status_counts(in)) {
		judge_status(in, &v);
	} else {
		verdict_set_cause(&v, cause_of_failure(in));
		text_sanitize(v.message, sizeof(v.message), detail, strlen(detail));
	}
	*ret_verdict = v;
}

/* "bytes 0-9/100", the total perhaps '*'. */
static bool parse_content_range(const char *s, uint64_t *first, uint64_t *last, uint64_t *total)
{
	char *end;

	if (strncmp(s, "bytes ", 6) != 0 || s[6] < '0' || s[6] > '9')
		return false;
	errno = 0;
	*first = strtoull(s + 6, &end, 10);
	if (end[0] != '-' || end[1] < '0' || end[1] > '9')
		return false;
	*last = strtoull(end + 1, &end, 10);
	if (*end != '/' || errno != 0)
		return false;
	if (strcmp(end + 1, "*") == 0) {
		*total = UINT64_MAX;
		return true;
	}
	return text_parse_uint(end + 1, 0, INT64_MAX, total) == 0;
}

enum cause verdict_range(const struct http_reply *reply, const char *etag, uint64_t size,
                         uint64_t off, uint64_t len)
{
	char got[XML_ETAG_SIZE];
	uint64_t first;
	uint64_t last;
	uint64_t total;

	xml_strip_etag(got, sizeof(got), reply->etag);
	if (got[0] && strcmp(got, etag) != 0)
		return CAUSE_REPLACED;
	if (!reply->content_range[0])
		return CAUSE_NO_RANGE;
	if (!got[0])
		return CAUSE_NO_ETAG;
	if (!parse_content_range(reply->content_range, &first, &last, &total) || first != off ||
	    last != off + len - 1 || (total != UINT64_MAX && total != size))
		return CAUSE_BAD_RANGE;
	if (reply->content_length >= 0 && (uint64_t)reply->content_length != len)
		return CAUSE_BAD_RANGE;
	return CAUSE_NONE;
}
