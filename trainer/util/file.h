/* file.h - whole files: read with a cap, replaced so that a crash leaves the old
 * one or the new one. */
#ifndef S3SAMPLE_UTIL_FILE_H
#define S3SAMPLE_UTIL_FILE_H

#include <stddef.h>

struct buf;
struct why;

/* Appends the file to out. Returns 0 or -errno; out's error if it is larger than
 * out's cap. */
int file_read(const char *path, struct buf *out);

/* Reads exactly len bytes into to. Returns 0, -errno, or -ENODATA where the file
 * ends before. */
int file_read_exact(int fd, void *to, size_t len);

/* Part of what a file is to hold. */
struct file_part {
	const void *data;
	size_t len;
};

/* Writes the parts one behind the other to "PATH.tmp", syncs it, renames it to
 * path, syncs the folder. On failure path is what it was, and the temporary file
 * is gone. Returns 0 or -errno with the sentence in why. */
int file_replace(const char *path, const struct file_part *parts, size_t n, struct why *why);

#endif
