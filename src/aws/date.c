#include "aws/date.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

/* Reads exactly n decimal digits at *p and moves past them. */
static bool take_digits(const char **p, const char *end, int n, int *ret)
{
	int v = 0;

	if (end - *p < n)
		return false;
	for (int i = 0; i < n; i++) {
		char c = (*p)[i];

		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	*p += n;
	*ret = v;
	return true;
}

static bool take_text(const char **p, const char *end, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(end - *p) < n || memcmp(*p, text, n) != 0)
		return false;
	*p += n;
	return true;
}

static bool take_clock(const char **p, const char *end, struct tm *tm)
{
	return take_digits(p, end, 2, &tm->tm_hour) && take_text(p, end, ":") &&
	       take_digits(p, end, 2, &tm->tm_min) && take_text(p, end, ":") &&
	       take_digits(p, end, 2, &tm->tm_sec);
}

/* UTC, in any of the ways in which ISO 8601 writes it. */
static bool take_utc(const char **p, const char *end)
{
	return take_text(p, end, "Z") || take_text(p, end, "+00:00") || take_text(p, end, "+0000") ||
	       take_text(p, end, "-00:00");
}

/* tm_year and tm_mon as written, that is 2013 and 5. */
static int to_epoch(struct tm *tm, int64_t *ret_s)
{
	struct tm in;

	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	in = *tm;
	if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60)
		return -EINVAL;
	*ret_s = timegm(tm);
	/* timegm carries 31 April over to May; a date that moved wasn't one. */
	if (tm->tm_mon != in.tm_mon || (in.tm_sec < 60 && tm->tm_mday != in.tm_mday))
		return -EINVAL;
	return 0;
}

int date_parse_iso8601(const char *s, size_t len, int64_t *ret_ns)
{
	const char *p = s;
	const char *end = s + len;
	struct tm tm = { 0 };
	int64_t fraction = 0;
	int64_t seconds;

	if (!take_digits(&p, end, 4, &tm.tm_year) || !take_text(&p, end, "-") ||
	    !take_digits(&p, end, 2, &tm.tm_mon) || !take_text(&p, end, "-") ||
	    !take_digits(&p, end, 2, &tm.tm_mday) || !take_text(&p, end, "T") ||
	    !take_clock(&p, end, &tm))
		return -EINVAL;
	if (take_text(&p, end, ".")) {
		int64_t unit = 100000000;
		const char *first = p;

		for (; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
			fraction += (*p - '0') * unit;
		if (p == first)
			return -EINVAL;
	}
	if (!take_utc(&p, end) || p != end)
		return -EINVAL;
	/* The whole years that int64_t nanoseconds reach. */
	if (tm.tm_year < 1678 || tm.tm_year > 2261 || to_epoch(&tm, &seconds) < 0)
		return -EINVAL;
	*ret_ns = seconds * 1000000000 + fraction;
	return 0;
}

static bool take_month(const char **p, const char *end, int *ret)
{
	static const char names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

	for (int i = 0; i < 12; i++) {
		if (take_text(p, end, names[i])) {
			*ret = i + 1;
			return true;
		}
	}
	return false;
}

int date_parse_http(const char *s, int64_t *ret_s)
{
	const char *p = s;
	const char *end = s + strlen(s);
	struct tm tm = { 0 };

	/* The name of the day says nothing the date doesn't. */
	if (end - p < 5 || memcmp(p + 3, ", ", 2) != 0)
		return -EINVAL;
	p += 5;
	if (!take_digits(&p, end, 2, &tm.tm_mday) || !take_text(&p, end, " ") ||
	    !take_month(&p, end, &tm.tm_mon) || !take_text(&p, end, " ") ||
	    !take_digits(&p, end, 4, &tm.tm_year) || !take_text(&p, end, " ") ||
	    !take_clock(&p, end, &tm) || !take_text(&p, end, " GMT") || p != end)
		return -EINVAL;
	return to_epoch(&tm, ret_s);
}

void date_format_amz(int64_t s, char ret[DATE_AMZ_SIZE])
{
	const int64_t last = 253402300799;  /* 9999-12-31T23:59:59Z */
	time_t t = s < 0 ? 0 : s > last ? last : s;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(ret, DATE_AMZ_SIZE, "%Y%m%dT%H%M%SZ", &tm);
}
