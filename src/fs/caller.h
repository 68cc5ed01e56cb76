/* caller.h - the thread that made a request, as /proc shows it: is it still there, and has it
 * been told to end? A thread that waits for us takes no signal before it has our answer. */
#ifndef S3SAMPLEFS_FS_CALLER_H
#define S3SAMPLEFS_FS_CALLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Sets of signals; signal n is bit n - 1. */
struct caller_signals {
	uint64_t pending;          /* for the thread or for its process */
	uint64_t blocked, ignored, caught;
};

enum caller_state {
	CALLER_WAITS,              /* or it isn't known */
	CALLER_ASKED,              /* a SIGINT, SIGTERM or SIGQUIT is pending for which it has a handler */
	CALLER_GONE,               /* it is no more, is ending, or has a fatal signal pending */
};

/* From the text of /proc/TID/status. False: it isn't one; *ret is then undefined. */
bool caller_parse_signals(const char *text, struct caller_signals *ret);

/* What these signals make of a thread that waits. */
enum caller_state caller_judge(const struct caller_signals *s);

/* Is /proc that of our own processes? In a container it may be another's. */
bool caller_proc_is_ours(void);

/* interrupted: the kernel has said that it has a signal, so that all of them count; else only
 * whether it is there and not killed. use_proc: /proc is ours. Any thread; reads files of /proc. */
enum caller_state caller_look(pid_t tid, bool interrupted, bool use_proc);

#endif
