#include "worker/avlog.h"

#include <errno.h>
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "media/proto.h"

/* av_log's callback has no opaque pointer, so that this can only be a global.
 * Written by the one thread that decodes (thread_count is 1 everywhere). */
static char last_line[PROTO_WHY_MAX];

__attribute__((format(printf, 3, 0)))
static void keep_errors(void *context, int level, const char *fmt, va_list ap)
{
	char line[PROTO_WHY_MAX];
	int print_prefix = 1, len;

	if (level > AV_LOG_ERROR)
		return;
	av_log_format_line(context, level, fmt, ap, line, sizeof(line), &print_prefix);
	len = (int)strcspn(line, "\r\n");
	if (len > 0)
		text_sanitize(last_line, sizeof(last_line), line, (size_t)len);
}

void avlog_init(void)
{
	av_log_set_callback(keep_errors);
}

void avlog_clear(void)
{
	last_line[0] = '\0';
}

const char *avlog_last(void)
{
	return last_line;
}

int avlog_errno(int averror)
{
	if (averror >= 0)
		return averror;
	return averror == AVERROR(ENOMEM) ? -ENOMEM : -EBADMSG;
}
