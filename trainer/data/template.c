#include "data/template.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "util/why.h"

char *template_expand(const char *template, uint32_t epoch, uint64_t seed, struct why *why)
{
	struct buf out;
	char *text;

	buf_init(&out, PATH_MAX);
	while (*template) {
		size_t len = strcspn(template, "{");

		buf_add(&out, template, len);
		template += len;
		if (strncmp(template, "{epoch}", 7) == 0) {
			buf_printf(&out, "%" PRIu32, epoch);
			template += 7;
		} else if (strncmp(template, "{seed}", 6) == 0) {
			buf_printf(&out, "%" PRIu64, seed);
			template += 6;
		} else if (*template) {
			why_set(why, -EINVAL, "data: %.40s: there are {epoch} and {seed}", template);
			buf_done(&out);
			return NULL;
		}
	}
	text = buf_take(&out);
	if (!text)
		why_set(why, -EINVAL, "data: the path is too long");
	buf_done(&out);
	return text;
}
