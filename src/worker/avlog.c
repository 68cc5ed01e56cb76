#include "worker/avlog.h"

#include <errno.h>
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "media/proto.h"

/* av_log's callback has no opaque pointer, so that this can only be a global.
 * Written by the one thread that decodes (thread_count is 1 everywhere). */
static char last_line[PROTO_WHY_MAX];

__attribute__((format(printf, 3, 0)))
static void keep_errors(void *context, int level, const char *fmt, va_list ap)
{
	const AVClass *class = context ? *(const AVClass **)context : NULL;
	char text[PROTO_WHY_MAX], line[PROTO_WHY_MAX + 64];
	int print_prefix = 0;  /* FFmpeg's own has an address in it */
	size_t len;

	if (level > AV_LOG_ERROR)
		return;
	av_log_format_line(context, level, fmt, ap, text, sizeof(text), &print_prefix);
	len = strcspn(text, "\r\n");
	if (len == 0)
		return;
	snprintf(line, sizeof(line), "%.60s%s%.*s", class && class->item_name ? class->item_name(context) : "",
	         class && class->item_name ? ": " : "",
	         (int)len, text);
	text_sanitize(last_line, sizeof(last_line), line, strlen(line));
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
