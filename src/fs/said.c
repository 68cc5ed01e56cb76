#include "fs/said.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void said_begin(struct said *s)
{
	s->catcher = memfd_create("s3samplefs-stderr", MFD_CLOEXEC);
	s->saved = s->catcher < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (s->saved >= 0)
		dup2(s->catcher, STDERR_FILENO);
}

/* As log.c begins its lines on stderr. */
static bool is_ours(const char *line)
{
	size_t len = strlen(program_invocation_short_name);

	return strncmp(line, program_invocation_short_name, len) == 0 && strncmp(line + len, ": ", 2) == 0;
}

void said_end(struct said *s, bool failed, char *ret_line, size_t size)
{
	FILE *f = NULL;
	char *line = NULL;
	size_t room = 0;

	ret_line[0] = '\0';
	if (s->saved >= 0) {
		dup2(s->saved, STDERR_FILENO);
		close(s->saved);
		lseek(s->catcher, 0, SEEK_SET);
		f = fdopen(s->catcher, "r");
	}
	while (f && getline(&line, &room, f) > 0) {
		if (!failed || is_ours(line))
			fputs(line, stderr);
		else if (!ret_line[0])
			snprintf(ret_line, size, "%.*s", (int)strcspn(line, "\n"), line);
	}
	free(line);
	if (f)
		fclose(f);
	else if (s->catcher >= 0)
		close(s->catcher);
}
