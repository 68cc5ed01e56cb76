/* pool_child.h - what the program pool_child can be asked to do: work, and
 * every kind of misbehaviour. A job names it in spec.mfcc.n_mfcc, or for
 * PROTO_FRAMES in spec.frames.num_frames. */
#ifndef S3SAMPLEFS_TESTS_POOL_CHILD_H
#define S3SAMPLEFS_TESTS_POOL_CHILD_H

#include <stddef.h>
#include <stdint.h>

/* Under this name it goes on as another process, which says STARTED. */
#define CHILD_FORKS "pool_child_forks"

enum child_act {
	/* PROTO_MFCC */
	ACT_SUM = 1,             /* reads all, in wants of spec.mfcc.n_fft bytes -> child_sum */
	ACT_REPORT,              /* what the process found at its start, as text */
	ACT_SEALS,               /* tries to resize its memfds -> child_sum.hash: successes */
	ACT_ASK_AHEAD,           /* one byte, and an impossible lot ahead -> child_sum */
	ACT_WHY,                 /* -ENODATA and a sentence without end, with control characters */
	ACT_CLAIM_NO_MEMORY,
	ACT_CLAIM_STALE,         /* an error that is not the decoder's to say */
	ACT_SWALLOW_ERROR,       /* as ACT_SUM, and says 0 when the store failed */
	ACT_DONE_WHILE_WANTING,
	ACT_WANT_TWICE,          /* before the first is answered, if the test holds up the store */
	ACT_SEND_DESCRIPTOR,     /* with DONE: the daemon must not end up with it */
	ACT_DIE_AFTER_DONE,
	ACT_DONE_TWICE,

	ACT_CRASH,               /* SIGSEGV after its first bytes; most of those below, too */
	ACT_CRASH_AT_ONCE,       /* without a word */
	ACT_RAISE,               /* the signal spec.mfcc.hop_length */
	ACT_EXIT,                /* status 1 */
	ACT_HANG,
	ACT_HANG_UP,             /* closes the socket and stays */
	ACT_HANG_UP_UNREAD,      /* the same, with bytes that it asked for left in it */
	ACT_BOMB,                /* allocates until nothing is left, then aborts */
	ACT_UNKNOWN_TYPE,
	ACT_SHORT,
	ACT_EMPTY,
	ACT_LONG,
	ACT_WRONG_JOB,
	ACT_OUT_LEN,
	ACT_POSITIVE_ERR,
	ACT_FED,
	ACT_FRAMES_DECODED,
	ACT_ROW_OF_MFCC,
	ACT_WANT_NOTHING,
	ACT_WANT_PAST_END,
	ACT_WANT_OVERFLOW,
	ACT_WANT_TOO_LONG,
	ACT_HOARD,               /* wants without ever releasing */
	ACT_RELEASE_FREE,
	ACT_RELEASE_RANGE,
	ACT_DEAF,                /* wants and releases, never reads */

	/* PROTO_FRAMES */
	ACT_ROWS,                /* all rows with emit; each starts with a child_row */
	ACT_ROW_THEN_HANG,
	ACT_ROW_THEN_WANT,       /* one byte of the object, waits for it */
	ACT_ROW_TWICE,
	ACT_ROW_UNASKED,         /* one without emit */
	ACT_ROW_RANGE,
};

struct child_sum {
	uint64_t hash;               /* text_hash64 of the object */
	uint64_t size;
	uint64_t pid;
	char extension[16];
};

struct child_row {
	uint64_t pid;
	uint64_t row;
	uint64_t input_hash;         /* text_hash64 of the input memfd */
};

/* pool_child_report.c: NAME=VALUE lines, terminated. */
void child_make_report(char *dst, size_t room);

#endif
