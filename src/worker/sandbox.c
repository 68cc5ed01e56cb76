#include "worker/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "media/proto.h"

/* 0 to 2, socket and window, a job's two memfds, and room for a library that
 * opens one for a moment. */
#define DESCRIPTORS 16

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static int limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit r = {.rlim_cur = value, .rlim_max = value};

	return setrlimit(resource, &r) == 0 ? 0 : -errno;
}

/* A sanitizer reads its own memory by ptrace and writes its report to a file. */
static int restrict_what_sanitizers_need(void)
{
	if (SANITIZED)
		return 0;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -errno;
	/* stderr may be a file: a write there then fails, and must not kill. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return -errno;
	return limit(RLIMIT_FSIZE, 0);
}

/* The place for a seccomp filter: the last step, when nothing else has to be
 * allowed any more. Until then the limits above are all there is. */
static int filter_system_calls(void)
{
	return 0;
}

int sandbox_enter(void)
{
	int err;

	if (close_range(PROTO_FD_WINDOW + 1, ~0u, 0) != 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	err = limit(RLIMIT_CORE, 0);
	if (!err)
		err = limit(RLIMIT_NOFILE, DESCRIPTORS);
	if (!err)
		err = restrict_what_sanitizers_need();
	return err ? err : filter_system_calls();
}
