#include "base/ini.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Between inih, which asks for lines and tells keys, and the caller. Sections
 * are read here: inih doesn't tell of them, and cuts their names. */
struct reader {
	const char *text;
	size_t left;
	unsigned line;
	char section[INI_LINE_MAX + 1];
	ini_fn *fn;
	void *arg;
	int err;              /* nothing more is read */
	const char *why;
};

static void bad(struct reader *r, const char *why)
{
	r->err = -EINVAL;
	r->why = why;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* "[name]" and at most a comment behind it. */
static void read_section(struct reader *r, const char *s, size_t len)
{
	struct ini_item item = { .line = r->line, .section = r->section };
	const char *end = memchr(s, ']', len), *after;

	for (after = end ? end + 1 : s; after < s + len && is_blank(*after);)
		after++;
	if (!end || (after < s + len && *after != ';' && *after != '#')) {
		bad(r, "a section ends in ]");
		return;
	}
	for (s++; s < end && is_blank(*s);)
		s++;
	while (end > s && is_blank(end[-1]))
		end--;
	if (s == end) {
		bad(r, "a section needs a name");
		return;
	}
	memcpy(r->section, s, (size_t)(end - s));
	r->section[end - s] = '\0';
	r->err = r->fn(r->arg, &item);
}

/* inih's fgets: the next line that is for it. Without blanks in front, which
 * would make it the continuation of the line before. */
static char *next_line(char *dst, int room, void *stream)
{
	struct reader *r = stream;
	const char *s = r->text, *newline = memchr(s, '\n', r->left);
	size_t len = newline ? (size_t)(newline - s) : r->left;

	if (r->err || r->left == 0)
		return NULL;
	r->line++;
	r->text += len + (newline != NULL);
	r->left -= len + (newline != NULL);
	if (len > INI_LINE_MAX || len + 2 > (size_t)room)
		bad(r, "the line is too long");
	else if (memchr(s, '\0', len))
		bad(r, "the line has a NUL byte");
	while (len > 0 && is_blank(*s)) {
		s++;
		len--;
	}
	if (!r->err && len > 0 && *s == '[') {
		read_section(r, s, len);
		len = 0;
	}
	if (r->err)
		return NULL;
	memcpy(dst, s, len);
	memcpy(dst + len, "\n", 2);
	return dst;
}

/* inih's handler; 1 means well done. */
static int take_key(void *user, const char *section, const char *key, const char *value)
{
	struct reader *r = user;
	struct ini_item item = { .line = r->line, .section = r->section, .key = key, .value = value };

	(void)section;
	if (r->err)
		return 1;
	if (!key[0])
		bad(r, "no key before the =");
	else
		r->err = r->fn(r->arg, &item);
	return 1;
}

int ini_read(const char *text, size_t len, ini_fn *fn, void *arg, unsigned *ret_line,
             const char **ret_why)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct reader *r = calloc(1, sizeof(*r));
	int faulty, err;

	if (!r)
		return -ENOMEM;
	if (len >= 3 && memcmp(text, bom, 3) == 0) {
		text += 3;
		len -= 3;
	}
	*r = (struct reader){ .text = text, .left = len, .fn = fn, .arg = arg };
	/* inih's own complaint: a line with neither '=' nor ':'. */
	faulty = ini_parse_stream(next_line, r, take_key, r);
	if (faulty > 0 && (!r->why || (unsigned)faulty < r->line)) {
		bad(r, "neither \"key = value\" nor \"[section]\"");
		r->line = (unsigned)faulty;
	} else if (faulty < 0 && !r->err) {
		r->err = -ENOMEM;
	}
	err = r->err;
	if (r->why) {
		*ret_line = r->line;
		*ret_why = r->why;
	}
	free(r);
	return err;
}
