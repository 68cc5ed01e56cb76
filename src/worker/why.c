#include "worker/why.h"

#include <stdarg.h>
#include <stdio.h>

#include "media/proto.h"

int why_set(char *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, PROTO_WHY_MAX, fmt, ap);
	va_end(ap);
	return err;
}
