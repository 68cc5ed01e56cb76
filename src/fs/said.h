/* said.h - what libraries and helper programs say on stderr while something is tried, caught
 * to make a sentence of it. What our own log writes there meanwhile comes out afterwards. */
#ifndef S3SAMPLEFS_FS_SAID_H
#define S3SAMPLEFS_FS_SAID_H

#include <stdbool.h>
#include <stddef.h>

struct said {
	int catcher, saved;         /* -1: nothing is caught */
};

/* From now on stderr is caught; never fails, but may catch nothing. One at a time in a process. */
void said_begin(struct said *s);

/* stderr is what it was. All that was said goes there; but after a failure, what isn't our log's
 * goes nowhere, and its first line to ret_line[size] ("": there was none). */
void said_end(struct said *s, bool failed, char *ret_line, size_t size);

#endif
