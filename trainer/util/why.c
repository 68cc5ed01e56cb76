#include "util/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int why_set(struct why *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(why->text, sizeof(why->text), fmt, ap) < 0)
		why->text[0] = '\0';
	va_end(ap);
	return err;
}

int why_no_memory(struct why *why)
{
	return why_set(why, -ENOMEM, "out of memory");
}
