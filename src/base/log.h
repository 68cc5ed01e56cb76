/* log.h - one line of text about what happened, to stderr, a file or syslog.
 *
 * The level is the only mutable global of the program. Library layers log at
 * LOG_DEBUG and return errors; fs and main speak to the user. Secrets,
 * signatures and session tokens are never passed to these functions. */
#ifndef S3SAMPLEFS_BASE_LOG_H
#define S3SAMPLEFS_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Where lines go. path NULL: stderr. "syslog": syslog(3). Otherwise a file,
 * opened for appending. Returns 0 or -errno (of the open); on failure lines
 * still go to stderr. Call before threads start. */
int log_open(const char *path);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warn", "info", "debug" -> level. Returns 0 or -EINVAL. */
int log_parse_level(const char *name, enum log_level *ret_level);

/* One line each, newline added, at most 1024 bytes, control characters
 * replaced by '?'. Safe from any thread. */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
