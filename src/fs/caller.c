#include "fs/caller.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PF_EXITING 0x4u        /* of a thread's flags in /proc: it has begun to end */
#define BIT(signal) (UINT64_C(1) << ((signal) - 1))

/* Those that neither end a process where it has no handler. signal(7). */
#define HARMLESS (BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGSTOP) | BIT(SIGTSTP) | \
                  BIT(SIGTTIN) | BIT(SIGTTOU))

/* What somebody sends who wants a program to stop what it is doing. All others that a program has
 * handlers for (SIGCHLD, SIGALRM, a profiler's SIGPROF) mean something else, and come often. */
#define REQUESTS (BIT(SIGINT) | BIT(SIGTERM) | BIT(SIGQUIT))

bool caller_proc_is_ours(void)
{
	char text[32];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return strtol(text, NULL, 10) == (long)getpid();
}

/* A line "name:\t0000000000000000". */
static bool parse_set(const char *text, const char *name, uint64_t *ret)
{
	const char *line = strstr(text, name);

	return line && sscanf(line + strlen(name), " %" SCNx64, ret) == 1;
}

bool caller_parse_signals(const char *text, struct caller_signals *ret)
{
	uint64_t thread, process;

	if (!parse_set(text, "\nSigPnd:", &thread) || !parse_set(text, "\nShdPnd:", &process) ||
	    !parse_set(text, "\nSigBlk:", &ret->blocked) || !parse_set(text, "\nSigIgn:", &ret->ignored) ||
	    !parse_set(text, "\nSigCgt:", &ret->caught))
		return false;
	ret->pending = thread | process;
	return true;
}

enum caller_state caller_judge(const struct caller_signals *s)
{
	const uint64_t heard = s->pending & ~s->blocked & ~s->ignored;

	/* A fatal signal becomes a SIGKILL for each thread; one that dumps core stays what it is. */
	if ((s->pending & BIT(SIGKILL)) || (heard & ~s->caught & ~HARMLESS))
		return CALLER_GONE;
	return heard & s->caught & REQUESTS ? CALLER_ASKED : CALLER_WAITS;
}

/* A file of /proc/TID; false: there is none. */
static bool read_proc(pid_t tid, const char *name, char *text, size_t size)
{
	char path[48];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, size - 1, f);
	fclose(f);
	text[n] = '\0';
	return n > 0;
}

/* By fields 3, 9 and 31 of proc_pid_stat(5): state, flags, signals pending for the thread. */
static bool is_ending(const char *stat)
{
	const char *after = strrchr(stat, ')');  /* the name before it may hold anything */
	unsigned long pending;
	unsigned flags;
	char state;

	if (!after || sscanf(after, ") %c %*s %*s %*s %*s %*s %u %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
	                     "%*s %*s %*s %*s %*s %*s %*s %lu", &state, &flags, &pending) != 3)
		return false;
	/* One that was killed may have to stay until this very request is answered: who waits
	 * for a page that somebody else's READ failed to bring can't be killed. */
	return state == 'Z' || state == 'X' || (flags & PF_EXITING) || (pending & BIT(SIGKILL));
}

enum caller_state caller_look(pid_t tid, bool interrupted, bool use_proc)
{
	struct caller_signals s;
	char text[4096];

	if (kill(tid, 0) < 0 && errno == ESRCH)
		return CALLER_GONE;
	if (!use_proc)
		return CALLER_WAITS;
	if (read_proc(tid, "stat", text, sizeof(text)) && is_ending(text))
		return CALLER_GONE;
	if (!interrupted || !read_proc(tid, "status", text, sizeof(text)) || !caller_parse_signals(text, &s))
		return CALLER_WAITS;
	return caller_judge(&s);
}
