#include "s3/explain.h"

#include <stdio.h>
#include <string.h>

#define SUBJECT_KEY_MAX 90  /* bytes of a key that are shown: its end tells more than its begin */

/* "s3://bucket/key", the middle of a long key left out. */
static void format_subject(char *ret, size_t size, const struct explain *about)
{
	const char *key = about->key;
	size_t len = strlen(key);

	if (len <= SUBJECT_KEY_MAX) {
		snprintf(ret, size, "s3://%s/%s", about->endpoint->bucket, key);
		return;
	}
	key += len - SUBJECT_KEY_MAX;
	while ((*key & 0xc0) == 0x80)
		key++;
	snprintf(ret, size, "s3://%s/...%s", about->endpoint->bucket, key);
}

/* " (HTTP 403 AccessDenied, 4 attempts)", or what of it there is. */
static void format_facts(char *ret, size_t size, const struct verdict *v,
                         const struct explain *about)
{
	char status[96] = "";
	char attempts[32] = "";

	if (v->status)
		snprintf(status, sizeof(status), "HTTP %d%s%s", v->status, v->code[0] ? " " : "", v->code);
	if (about->attempts > 1)
		snprintf(attempts, sizeof(attempts), "%s%u attempts", status[0] ? ", " : "",
		         about->attempts);
	snprintf(ret, size, "%s%s%s%s", status[0] || attempts[0] ? " (" : "", status, attempts,
	         status[0] || attempts[0] ? ")" : "");
}

/* Why a request was refused, if it was. */
static const char *refusal(const struct verdict *v, const struct explain *about)
{
	switch (v->cause) {
	case CAUSE_BAD_SECRET:
		return "the secret access key is not that of the access key id";
	case CAUSE_BAD_KEY_ID:
		return "the store does not know the access key id";
	case CAUSE_EXPIRED:
		return "the session token has expired or is not valid, and no newer one was found";
	case CAUSE_CLOCK:
		return "this machine's clock is too far from the store's";
	case CAUSE_ARCHIVED:
		return "the object is archived and must be restored first (aws s3api restore-object)";
	default:
		break;
	}
	if (!about->creds_source)
		return "access denied to a request without credentials (no_sign_request)";
	if (about->op == VERDICT_LIST)
		return "access denied: the mount needs s3:ListBucket";
	return "access denied, or no such key where s3:ListBucket is missing";
}

static void explain_refusal(char *why, const struct verdict *v, const struct explain *about,
                            const char *subject, const char *facts)
{
	bool ours = v->cause == CAUSE_ARCHIVED || v->cause == CAUSE_CLOCK || !about->creds_source;

	/* "User ... is not authorized to perform: ... on resource: ...": better than ours. */
	if (v->cause == CAUSE_DENIED && strstr(v->message, "not authorized"))
		why_set(why, v->err, "%s: access denied%s: %s", subject, facts, v->message);
	else
		why_set(why, v->err, "%s: %s%s%s%s", subject, refusal(v, about), facts,
		        ours ? "" : "; credentials from ", ours ? "" : about->creds_source);
}

static void explain_unreachable(char *why, const struct verdict *v, const struct explain *about,
                                const char *subject, const char *facts)
{
	bool is_proxys = about->proxy && (v->result == HTTP_RESOLVE || v->result == HTTP_NO_HOST ||
	                                  v->result == HTTP_CONNECT || v->result == HTTP_DOWN);
	bool virtual_host = !about->endpoint->path_style && !about->endpoint->aws;
	struct target t;

	if (is_proxys) {
		why_set(why, v->err, "%s: the proxy %s: %s%s%s%s", subject, about->proxy, http_result_text(v->result),
		        v->message[0] ? ": " : "", v->message, facts);
		return;
	}
	endpoint_target(about->endpoint, about->region, &t);
	why_set(why, v->err, "%s: %s://%s: %s%s%s%s%s", subject,
	        about->endpoint->https ? "https" : "http", t.authority, http_result_text(v->result),
	        v->message[0] ? ": " : "", v->message, facts,
	        v->result == HTTP_NO_HOST && virtual_host ? "; does it need path_style?" : "");
}

/* Who said no: of a plain request nobody can tell. */
static void explain_proxy(char *why, const struct verdict *v, const struct explain *about,
                          const char *subject, const char *facts)
{
	const char *says = v->status == 407 ? "wants a name and a password" :
	                   v->cause == CAUSE_PROXY ? "refused" : "can't reach the store";

	if (v->result == HTTP_PROXY || v->status == 407)
		why_set(why, v->err, "%s: the proxy %s %s%s", subject, about->proxy, says, facts);
	else
		why_set(why, v->err, "%s: refused by the proxy %s, or by what is behind it%s", subject, about->proxy,
		        facts);
}

static void explain_region(char *why, const struct verdict *v, const struct explain *about,
                           const char *facts)
{
	if (v->region[0] && strcmp(v->region, about->region) == 0)
		why_set(why, v->err, "s3://%s: the store sends requests for region %s away and tells the same "
		        "region%s: this isn't the bucket's endpoint; set endpoint_url", about->endpoint->bucket,
		        about->region, facts);
	else if (v->region[0])
		why_set(why, v->err, "s3://%s: the bucket is in region %s, asked in %s%s; set region=%s",
		        about->endpoint->bucket, v->region, about->region, facts, v->region);
	else
		why_set(why, v->err, "s3://%s: the bucket is at another endpoint or in another region "
		        "than %s%s; set region or endpoint_url", about->endpoint->bucket, about->region,
		        facts);
}

/* What the store sent that can't be believed. */
static const char *nonsense(const struct verdict *v)
{
	switch (v->cause) {
	case CAUSE_NO_ETAG:
		return "the store does not tell the object's ETag";
	case CAUSE_NO_RANGE:
		return "the store answered a range with the whole object";
	case CAUSE_BAD_RANGE:
		return "the store answered with another range than asked for";
	default:
		return v->result == HTTP_OK ? "the answer is not one of an S3 store"
		                            : http_result_text(v->result);
	}
}

void explain(char why[AWS_WHY_MAX], const struct verdict *v, const struct explain *about)
{
	char subject[ENDPOINT_BUCKET_SIZE + SUBJECT_KEY_MAX + 16];
	char facts[160];
	const char *bucket = about->endpoint->bucket;

	format_subject(subject, sizeof(subject), about);
	format_facts(facts, sizeof(facts), v, about);
	switch (v->cause) {
	case CAUSE_NO_KEY:
		why_set(why, v->err, "%s: no such key%s", subject, facts);
		break;
	case CAUSE_NO_BUCKET:
		why_set(why, v->err, "s3://%s: no such bucket%s", bucket, facts);
		break;
	case CAUSE_DENIED:
	case CAUSE_BAD_SECRET:
	case CAUSE_BAD_KEY_ID:
	case CAUSE_EXPIRED:
	case CAUSE_CLOCK:
	case CAUSE_ARCHIVED:
		explain_refusal(why, v, about, subject, facts);
		break;
	case CAUSE_REPLACED:
		why_set(why, v->err, "%s: the object was replaced since it was looked up%s", subject,
		        facts);
		break;
	case CAUSE_REGION:
		explain_region(why, v, about, facts);
		break;
	case CAUSE_BUSY:
		why_set(why, v->err, "%s: the store is busy or broken%s", subject, facts);
		break;
	case CAUSE_UNREACHABLE:
	case CAUSE_UNTRUSTED:
	case CAUSE_DOWN:
		explain_unreachable(why, v, about, subject, facts);
		break;
	case CAUSE_PROXY:
	case CAUSE_PROXY_BUSY:
		explain_proxy(why, v, about, subject, facts);
		break;
	case CAUSE_BROKEN:
		why_set(why, v->err, "%s: %s%s", subject, http_result_text(v->result), facts);
		break;
	case CAUSE_NO_ETAG:
	case CAUSE_NO_RANGE:
	case CAUSE_BAD_RANGE:
	case CAUSE_NOT_S3:
	case CAUSE_EXCESS:
		why_set(why, v->err, "%s: %s%s", subject, nonsense(v), facts);
		break;
	case CAUSE_DEADLINE:
		why_set(why, v->err, "%s: not done within %g s%s", subject,
		        (double)about->timeout_ms / 1000, facts);
		break;
	case CAUSE_NOMEM:
		why_set(why, v->err, "%s: out of memory", subject);
		break;
	case CAUSE_CANCELED:
		why_set(why, v->err, "%s: canceled", subject);
		break;
	case CAUSE_NONE:
	case CAUSE_HTTP:
		why_set(why, v->err, "%s: the store refused the request%s%s%s", subject, facts,
		        v->message[0] ? ": " : "", v->message);
		break;
	}
}
