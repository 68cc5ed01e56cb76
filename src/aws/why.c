#include "aws/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

int why_set(char why[AWS_WHY_MAX], int err, const char *fmt, ...)
{
	/* Keys are up to 1024 bytes: room for them, so that the cut is made at
	 * a character by text_sanitize. */
	char whole[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(whole, sizeof(whole), fmt, ap);
	va_end(ap);
	text_sanitize(why, AWS_WHY_MAX, whole, strlen(whole));
	return err;
}
