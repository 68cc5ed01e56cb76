/* serve.h - plays the daemon for a worker's input in a test: answers WANTs from a
 * file, over a real socketpair and a real window. */
#ifndef S3SAMPLEFS_TESTS_UNIT_SERVE_H
#define S3SAMPLEFS_TESTS_UNIT_SERVE_H

#include <stdint.h>

struct serve;
struct input;

struct serve_fault {
	uint64_t off;               /* wants that reach this offset ... */
	int err;                    /* ... are answered with it, -errno; 0: never */
};

/* Starts a thread that serves path. Returns 0 or -errno. */
int serve_start(const char *path, struct serve_fault fault, struct serve **ret);

/* The input that it serves; owned by s. */
struct input *serve_input(struct serve *s);

/* Bytes that were asked for so far, a byte asked for twice counting twice. */
uint64_t serve_bytes(struct serve *s);

/* Ends the thread; frees the input. */
void serve_stop(struct serve *s);

#endif
