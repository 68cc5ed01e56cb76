/* What a process finds when it is started, as lines of text. */
#include "pool_child.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void exit_with(const char *what)
{
	perror(what);
	exit(3);
}

static size_t add_file(char *dst, size_t room, const char *name, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int head = snprintf(dst, room, "%s=", name);

	if (fd < 0)
		exit_with(path);
	n = read(fd, dst + head, room - (size_t)head - 1);
	close(fd);
	for (ssize_t i = 0; i < n; i++) {
		if (dst[head + i] == '\0')
			dst[head + i] = '|';
	}
	dst[head + (n > 0 ? n : 0)] = '\n';
	return (size_t)head + (size_t)(n > 0 ? n : 0) + 1;
}

static size_t add_descriptors(char *dst, size_t room)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	size_t len = 0;

	if (!d)
		exit_with("/proc/self/fd");
	while ((e = readdir(d))) {
		char target[256];
		ssize_t n;

		if (e->d_name[0] == '.' || atoi(e->d_name) == dirfd(d))
			continue;
		n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		len += (size_t)snprintf(dst + len, room - len, "fd %s=%s\n", e->d_name, target);
	}
	closedir(d);
	return len;
}

/* The lines of the status that tell of signals: the whole has no room. */
static size_t add_signals(char *dst, size_t room)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	size_t len = 0;

	if (!f)
		exit_with("/proc/self/status");
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Sig", 3) == 0)
			len += (size_t)snprintf(dst + len, room - len, "%s", line);
	}
	fclose(f);
	return len;
}

void child_make_report(char *dst, size_t room)
{
	struct rlimit core, data;
	int deathsig = 0;
	char cwd[256];
	size_t len = 0;

	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_DATA, &data);
	prctl(PR_GET_PDEATHSIG, &deathsig);
	len += add_file(dst + len, room - len, "environ", "/proc/self/environ");
	len += add_file(dst + len, room - len, "cmdline", "/proc/self/cmdline");
	len += add_descriptors(dst + len, room - len);
	len += (size_t)snprintf(dst + len, room - len, "cwd=%s\nown group=%d\nown session=%d\n",
	                        getcwd(cwd, sizeof(cwd)), getpgrp() == getpid(),
	                        getsid(0) == getpid());
	len += (size_t)snprintf(dst + len, room - len, "deathsig=%d\nprivs=%d\n", deathsig,
	                        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	len += (size_t)snprintf(dst + len, room - len, "core=%lld\ndata=%lld\n",
	                        (long long)core.rlim_cur, (long long)data.rlim_cur);
	len += add_signals(dst + len, room - len);
	dst[len] = '\0';
}
