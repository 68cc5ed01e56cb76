#include "base/ini.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	char line[INI_LINE_MAX + 1];
	char section[INI_LINE_MAX + 1];
	unsigned number;
	const char *why;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts blanks at both ends, in place. */
static char *trim(char *s)
{
	char *end;

	while (is_blank(*s))
		s++;
	end = s + strlen(s);
	while (end > s && is_blank(end[-1]))
		end--;
	*end = '\0';
	return s;
}

/* A ';' right behind a letter belongs to the value: a token may hold one. */
static void cut_comment(char *s)
{
	for (char *p = s; *p; p++) {
		if (*p == ';' && (p == s || is_blank(p[-1]))) {
			*p = '\0';
			return;
		}
	}
}

static int bad(struct reader *r, const char *why)
{
	r->why = why;
	return -EINVAL;
}

static int read_section(struct reader *r, char *s, ini_fn *fn, void *arg)
{
	struct ini_item item = { .line = r->number, .section = r->section };
	size_t len;

	cut_comment(s);
	s = trim(s + 1);
	len = strlen(s);
	if (len == 0 || s[len - 1] != ']')
		return bad(r, "a section ends in ]");
	s[len - 1] = '\0';
	s = trim(s);
	if (!*s)
		return bad(r, "a section needs a name");
	memcpy(r->section, s, strlen(s) + 1);
	return fn(arg, &item);
}

static int read_line(struct reader *r, ini_fn *fn, void *arg)
{
	struct ini_item item = { .line = r->number, .section = r->section };
	char *s = trim(r->line);
	char *equals;

	if (!*s || *s == ';' || *s == '#')
		return 0;
	if (*s == '[')
		return read_section(r, s, fn, arg);
	equals = strchr(s, '=');
	if (!equals)
		return bad(r, "neither \"key = value\" nor \"[section]\"");
	*equals = '\0';
	cut_comment(equals + 1);
	item.key = trim(s);
	item.value = trim(equals + 1);
	if (!*item.key)
		return bad(r, "no key before the =");
	return fn(arg, &item);
}

int ini_read(const char *text, size_t len, ini_fn *fn, void *arg, unsigned *ret_line,
             const char **ret_why)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct reader *r = calloc(1, sizeof(*r));
	int err = 0;

	if (!r)
		return -ENOMEM;
	if (len >= 3 && memcmp(text, bom, 3) == 0) {
		text += 3;
		len -= 3;
	}
	while (len > 0 && !err) {
		const char *newline = memchr(text, '\n', len);
		size_t n = newline ? (size_t)(newline - text) : len;

		r->number++;
		if (n > INI_LINE_MAX) {
			err = bad(r, "the line is too long");
		} else if (memchr(text, '\0', n)) {
			err = bad(r, "the line has a NUL byte");
		} else {
			memcpy(r->line, text, n);
			r->line[n] = '\0';
			err = read_line(r, fn, arg);
		}
		n += newline != NULL;
		text += n;
		len -= n;
	}
	if (err == -EINVAL && r->why) {
		*ret_line = r->number;
		*ret_why = r->why;
	}
	free(r);
	return err;
}
