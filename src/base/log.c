#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024 /* newline included */

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static _Atomic int current_level = LOG_LEVEL_INFO;

/* Written by log_open only, before threads start. */
static int out_fd = STDERR_FILENO;
static bool out_syslog;

int log_open(const char *path)
{
	int fd = STDERR_FILENO;
	bool to_syslog = path && strcmp(path, "syslog") == 0;
	int err = 0;

	if (path && !to_syslog) {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
		if (fd < 0) {
			err = -errno;
			fd = STDERR_FILENO;
		}
	}
	if (out_fd != STDERR_FILENO)
		close(out_fd);
	if (out_syslog)
		closelog();
	out_fd = fd;
	out_syslog = to_syslog;
	if (to_syslog)
		openlog(NULL, LOG_PID, LOG_DAEMON);
	return err;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return atomic_load_explicit(&current_level, memory_order_relaxed);
}

int log_parse_level(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcasecmp(name, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int syslog_priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return LOG_ERR;
	case LOG_LEVEL_WARN:
		return LOG_WARNING;
	case LOG_LEVEL_INFO:
		return LOG_INFO;
	case LOG_LEVEL_DEBUG:
		break;
	}
	return LOG_DEBUG;
}

/* What stands before the text: the time where a file outlives the terminal. */
static size_t format_head(char *line, size_t size, enum log_level level)
{
	char when[40] = "";
	int n;

	if (out_syslog)
		return 0;
	if (out_fd != STDERR_FILENO) {
		struct timespec now;
		struct tm utc;

		clock_gettime(CLOCK_REALTIME, &now);
		gmtime_r(&now.tv_sec, &utc);
		n = (int)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
		snprintf(when + n, sizeof(when) - (size_t)n, ".%03ldZ ", now.tv_nsec / 1000000);
	}
	n = snprintf(line, size, "%s%.64s: %s: ", when, program_invocation_short_name,
	             level_names[level]);
	return n < 0 ? 0 : (size_t)n;
}

__attribute__((format(printf, 2, 0)))
static void write_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES + 1];
	int saved = errno;
	size_t head;
	size_t len;

	if (level > log_get_level())
		return;
	head = format_head(line, LINE_MAX_BYTES, level);
	if (vsnprintf(line + head, LINE_MAX_BYTES - head, fmt, ap) < 0)
		line[head] = '\0';
	len = strlen(line);
	for (size_t i = head; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c < 0x20 || c == 0x7f)
			line[i] = '?';
	}
	if (out_syslog) {
		syslog(syslog_priority(level), "%s", line);
	} else {
		/* One write, so that lines of several threads don't mix. A log that
		 * can't be written has nobody left to tell. */
		line[len++] = '\n';
		if (write(out_fd, line, len) < 0)
			len = 0;
	}
	errno = saved;
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(LOG_LEVEL_WARN, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}
