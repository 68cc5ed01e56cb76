/* worker_hostile, started where nobody may have namespaces, as in most containers: a filter answers
 * EPERM to whoever asks for one, or mounts. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static const int refused[] = {SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(pivot_root)};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	int err = 0;

	(void)argc;
	if (!filter || n < 0)
		return 3;
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/worker_hostile");
	for (size_t i = 0; !err && i < sizeof(refused) / sizeof(refused[0]); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	if (err)
		return 3;
	argv[0] = path;
	execv(path, argv);
	return 3;
}
