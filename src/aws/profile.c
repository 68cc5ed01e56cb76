#include "aws/profile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vec.h"

#define ENTRIES_MAX 65536

struct entry {
	char *section;
	char *option;  /* NULL: the section's own line */
	char *value;
};

struct profile_file {
	struct entry *entries;
	size_t n;
	size_t alloc;
};

/* A part of the file; not terminated. */
struct span {
	const char *p;
	size_t len;
};

static struct span trim(struct span s)
{
	while (s.len > 0 && isspace((unsigned char)s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && isspace((unsigned char)s.p[s.len - 1]))
		s.len--;
	return s;
}

static char *copy(struct span s)
{
	return strndup(s.p, s.len);
}

static void wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void profile_free(struct profile_file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		free(f->entries[i].section);
		free(f->entries[i].option);
		wipe(f->entries[i].value);
	}
	free(f->entries);
	free(f);
}

static int grow(struct profile_file *f)
{
	if (f->n >= f->alloc && f->n >= ENTRIES_MAX)
		return -ENOMEM;
	return vec_grow(&f->entries, f->n, &f->alloc, sizeof(*f->entries));
}

/* Takes nothing over. option.p NULL: a section. */
static int add(struct profile_file *f, const char *section, struct span option, struct span value)
{
	struct entry e = { .section = strdup(section) };

	if (option.p) {
		e.option = copy(option);
		e.value = copy(value);
	}
	if (!e.section || (option.p && (!e.option || !e.value)) || grow(f) < 0) {
		free(e.section);
		free(e.option);
		wipe(e.value);
		return -ENOMEM;
	}
	f->entries[f->n++] = e;
	return 0;
}

/* `profile  "my name"` -> `profile my name`, and so `services`; other names unchanged. */
static char *section_name(struct span s)
{
	static const char *const words[] = { "profile", "services" };
	struct span name = { 0 };
	size_t n = 0;
	char *out;

	s = trim(s);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !name.p; i++) {
		n = strlen(words[i]);
		if (s.len > n && memcmp(s.p, words[i], n) == 0 && isspace((unsigned char)s.p[n]))
			name = trim((struct span){ s.p + n, s.len - n });
	}
	if (!name.p)
		return copy(s);
	if (name.len >= 2 && (name.p[0] == '"' || name.p[0] == '\'') &&
	    name.p[name.len - 1] == name.p[0]) {
		name.p++;
		name.len -= 2;
	}
	out = malloc(n + 1 + name.len + 1);
	if (!out)
		return NULL;
	memcpy(out, s.p, n);
	out[n] = ' ';
	memcpy(out + n + 1, name.p, name.len);
	out[n + 1 + name.len] = '\0';
	return out;
}

struct reader {
	struct profile_file *file;
	char *section;      /* NULL before the first */
	bool has_option;    /* deeper lines belong to it */
	size_t indent;      /* of that option */
	char *outer;        /* its name if deeper lines are options of their own, else NULL */
};

static void forget_option(struct reader *r)
{
	free(r->outer);
	r->outer = NULL;
	r->has_option = false;
}

static int read_section(struct reader *r, struct span line)
{
	const char *close = memchr(line.p, ']', line.len);
	char *name;

	if (!close)
		return -EINVAL;
	name = section_name((struct span){ line.p + 1, (size_t)(close - line.p) - 1 });
	if (!name)
		return -ENOMEM;
	free(r->section);
	r->section = name;
	forget_option(r);
	return add(r->file, name, (struct span){ 0 }, (struct span){ 0 });
}

static int read_option(struct reader *r, struct span line, size_t indent)
{
	size_t name_len = 0;
	struct span name;
	struct span value;

	while (name_len < line.len && line.p[name_len] != '=' && line.p[name_len] != ':')
		name_len++;
	name = trim((struct span){ line.p, name_len });
	if (!r->section || name_len == line.len || name.len == 0)
		return -EINVAL;
	value = trim((struct span){ line.p + name_len + 1, line.len - name_len - 1 });
	forget_option(r);
	r->has_option = true;
	r->indent = indent;
	if (value.len == 0 && !(r->outer = copy(name)))
		return -ENOMEM;
	return add(r->file, r->section, name, value);
}

/* A line of an option's value: one of a nested section's, or nothing to us. */
static int read_deeper(struct reader *r, struct span line)
{
	const char *equals = memchr(line.p, '=', line.len);
	struct span name = equals ? trim((struct span){ line.p, (size_t)(equals - line.p) }) : (struct span){ 0 };
	char *whole;
	int err;

	if (!r->outer || name.len == 0)
		return 0;
	if (asprintf(&whole, "%s.%.*s", r->outer, (int)name.len, name.p) < 0)
		return -ENOMEM;
	err = add(r->file, r->section, (struct span){ whole, strlen(whole) },
	          trim((struct span){ equals + 1, line.len - (size_t)(equals + 1 - line.p) }));
	free(whole);
	return err;
}

static int read_line(struct reader *r, struct span raw)
{
	struct span line = trim(raw);
	size_t indent = (size_t)(line.p - raw.p);

	if (memchr(raw.p, '\0', raw.len))
		return -EINVAL;
	if (line.len == 0 || line.p[0] == '#' || line.p[0] == ';')
		return 0;
	if (r->has_option && indent > r->indent)
		return read_deeper(r, line);
	return line.p[0] == '[' ? read_section(r, line) : read_option(r, line, indent);
}

int profile_parse(const char *data, size_t len, struct profile_file **ret_file, unsigned *ret_line)
{
	struct reader r = { .file = calloc(1, sizeof(*r.file)) };
	const char *end = data + len;
	unsigned number = 0;
	int err = r.file ? 0 : -ENOMEM;

	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		data += 3;
	while (!err && data < end) {
		const char *newline = memchr(data, '\n', (size_t)(end - data));
		const char *stop = newline ? newline : end;

		number++;
		err = read_line(&r, (struct span){ data, (size_t)(stop - data) });
		data = newline ? newline + 1 : end;
	}
	free(r.section);
	free(r.outer);
	if (err) {
		profile_free(r.file);
		*ret_line = err == -EINVAL ? number : 0;
		return err;
	}
	*ret_file = r.file;
	return 0;
}

/* Reads until the end or PROFILE_FILE_MAX; a file may grow while it is read. */
static int read_all(int fd, char *data, size_t *ret_len)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, data + len, PROFILE_FILE_MAX + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > PROFILE_FILE_MAX)
			return -EFBIG;
	}
	*ret_len = len;
	return 0;
}

int profile_read(const char *path, struct profile_file **ret_file, unsigned *ret_line)
{
	struct stat st;
	char *data = NULL;
	size_t len = 0;
	int err = 0;
	int fd;

	*ret_line = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	if (err)
		goto close;
	data = malloc(PROFILE_FILE_MAX + 1);
	err = data ? read_all(fd, data, &len) : -ENOMEM;
	if (!err)
		err = profile_parse(data, len, ret_file, ret_line);
	if (data)
		explicit_bzero(data, len);
	free(data);
close:
	close(fd);
	return err;
}

const char *profile_get(const struct profile_file *f, const char *section, const char *option)
{
	for (size_t i = f ? f->n : 0; i-- > 0;) {
		const struct entry *e = &f->entries[i];

		if (e->option && strcmp(e->section, section) == 0 && strcasecmp(e->option, option) == 0)
			return e->value;
	}
	return NULL;
}

bool profile_has(const struct profile_file *f, const char *section)
{
	for (size_t i = 0; f && i < f->n; i++) {
		if (strcmp(f->entries[i].section, section) == 0)
			return true;
	}
	return false;
}
