#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/ini.h"
#include "config/parts.h"

#define FILE_MAX (1u << 20) /* bytes */

struct section {
	unsigned line;
	bool has_type;
	enum view_type type;
	char name[VIEW_NAME_MAX + 1];
};

/* The text is read twice: which keys a view has depends on its type, which may
 * stand below them. The first pass collects sections and types, the second
 * sets keys. */
struct reader {
	struct config *config;
	const char *path;
	char *why;                                   /* CONFIG_WHY_MAX */
	struct section sections[CONFIG_VIEWS_MAX];   /* of views; same order as config->views */
	size_t n;
	unsigned mount_line;                         /* of [mount]; 0: none yet */
};

static int fail(struct reader *r, unsigned line, const char *section, const char *sentence)
{
	if (*section)
		snprintf(r->why, CONFIG_WHY_MAX, "%.200s:%u: [%.80s] %s", r->path, line, section, sentence);
	else
		snprintf(r->why, CONFIG_WHY_MAX, "%.200s:%u: %s", r->path, line, sentence);
	return -EINVAL;
}

static int fail_view(struct reader *r, const struct section *s, const char *sentence)
{
	char section[VIEW_NAME_MAX + 8];

	snprintf(section, sizeof(section), "view %s", s->name);
	return fail(r, s->line, section, sentence);
}

/* "view NAME" -> NAME; NULL for any other section. */
static const char *view_name(const char *section)
{
	size_t blanks;

	if (strncmp(section, "view", 4) != 0)
		return NULL;
	section += 4;
	blanks = strspn(section, " \t");
	return blanks ? section + blanks : NULL;
}

static struct section *find_section(struct reader *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->sections[i].name, name) == 0)
			return &r->sections[i];
	}
	return NULL;
}

/* ---- first pass: sections and types ----------------------------------------------- */

static int open_section(struct reader *r, const struct ini_item *item)
{
	const char *name = view_name(item->section);
	struct section *s;

	if (strcmp(item->section, "mount") == 0) {
		if (r->mount_line)
			return fail(r, item->line, item->section, "this section is there twice");
		r->mount_line = item->line;
		return 0;
	}
	if (!name)
		return fail(r, item->line, item->section, "no such section; there are [mount] and [view NAME]");
	if (find_section(r, name))
		return fail(r, item->line, item->section, "this section is there twice");
	if (r->n == CONFIG_VIEWS_MAX)
		return fail(r, item->line, item->section, "more than 64 views");
	if (!view_name_ok(name))
		return fail(r, item->line, item->section,
		            "a view's name has 1 to 64 letters, digits, '-' and '_'");
	s = &r->sections[r->n];
	memcpy(s->name, name, strlen(name) + 1);
	s->line = item->line;
	/* [view frames] needs no "type = frames". */
	s->has_type = view_type_parse(name, &s->type) == 0;
	r->n++;
	return 0;
}

static int set_type(struct reader *r, const struct ini_item *item)
{
	struct section *s = find_section(r, view_name(item->section));
	char sentence[VIEW_NAMES_MAX + 80], names[VIEW_NAMES_MAX];
	int err = view_type_parse(item->value, &s->type);

	if (err == -ENOSYS) {
		snprintf(sentence, sizeof(sentence), "type = %s is not supported yet", item->value);
		return fail(r, item->line, item->section, sentence);
	}
	if (err) {
		snprintf(sentence, sizeof(sentence), "type = %.40s: must be %s", item->value, view_type_names(names));
		return fail(r, item->line, item->section, sentence);
	}
	s->has_type = true;
	return 0;
}

static int first_pass(void *arg, const struct ini_item *item)
{
	struct reader *r = arg;

	if (!item->key)
		return open_section(r, item);
	if (!*item->section)
		return fail(r, item->line, item->key, "stands before the first [section]");
	if (view_name(item->section) && strcmp(item->key, "type") == 0)
		return set_type(r, item);
	return 0;
}

/* ---- second pass: keys ------------------------------------------------------------- */

static int init_views(struct reader *r)
{
	struct config *c = r->config;
	char sentence[VIEW_NAMES_MAX + 80], names[VIEW_NAMES_MAX];

	snprintf(sentence, sizeof(sentence), "type is missing: %s", view_type_names(names));
	for (size_t i = 0; i < r->n; i++) {
		struct section *s = &r->sections[i];

		if (!s->has_type)
			return fail_view(r, s, sentence);
		if (view_config_init(&c->views[i], s->type, s->name))
			return -ENOMEM;
		c->n_views++;
	}
	return 0;
}

static int second_pass(void *arg, const struct ini_item *item)
{
	struct reader *r = arg;
	const char *name = view_name(item->section);
	char sentence[CONFIG_WHY_MAX - 300];
	int err;

	if (!item->key || (name && strcmp(item->key, "type") == 0))
		return 0;
	if (name) {
		struct view_config *v = &r->config->views[find_section(r, name) - r->sections];

		_Static_assert(sizeof(sentence) >= VIEW_WHY_MAX, "view_config_set writes that much");
		err = view_config_set(v, item->key, item->value, sentence);
	} else {
		err = keys_set(&config_keys, WHERE_MOUNT, r->config, item->key, item->value, sentence,
		               sizeof(sentence));
	}
	if (err == -ENOMEM)
		return err;
	return err ? fail(r, item->line, item->section, sentence) : 0;
}

static int resolve_views(struct reader *r)
{
	char sentence[VIEW_WHY_MAX];

	for (size_t i = 0; i < r->n; i++) {
		if (config_resolve_view(r->config, i, sentence))
			return fail_view(r, &r->sections[i], sentence);
	}
	return 0;
}

/* ---- the file ------------------------------------------------------------------------ */

static int read_file(const char *path, struct buf *out, mode_t *ret_mode, char *why)
{
	FILE *f = fopen(path, "re");
	char chunk[4096];
	struct stat st;
	size_t n;
	int err = 0;

	if (!f) {
		snprintf(why, CONFIG_WHY_MAX, "%.700s: %s", path, strerror(errno));
		return -1;
	}
	while (!buf_error(out) && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	*ret_mode = fstat(fileno(f), &st) < 0 ? 0 : st.st_mode;
	if (ferror(f))
		err = errno ? errno : EIO;
	else if (buf_error(out))
		err = -buf_error(out);
	fclose(f);
	if (err == ENOMEM)
		return config_no_memory(why);
	if (err)
		snprintf(why, CONFIG_WHY_MAX, "%.700s: %s", path,
		         err == EMSGSIZE ? "larger than 1 MiB, which no configuration is" : strerror(err));
	return err ? -1 : 0;
}

static int read_text(struct reader *r, const struct buf *text)
{
	unsigned line;
	const char *fault = NULL;
	int err;

	err = ini_read(text->data, text->len, first_pass, r, &line, &fault);
	if (err && fault)
		return fail(r, line, "", fault);
	if (!err)
		err = init_views(r);
	if (!err)
		err = ini_read(text->data, text->len, second_pass, r, &line, &fault);
	if (!err)
		err = resolve_views(r);
	return err;
}

int config_file(struct config *c, const char *path, char *why)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct buf text;
	mode_t mode;
	int err = -1;

	buf_init(&text, FILE_MAX);
	if (!c->views)
		c->views = calloc(CONFIG_VIEWS_MAX, sizeof(*c->views));
	if (!r || !c->views) {
		config_no_memory(why);
		goto done;
	}
	r->config = c;
	r->path = path;
	r->why = why;
	err = read_file(path, &text, &mode, why);
	if (err)
		goto done;
	err = read_text(r, &text);
	if (err == -ENOMEM)
		config_no_memory(why);
	if (!err && mode & S_IROTH && (c->s3.creds.secret_access_key || c->s3.creds.session_token))
		err = config_warn(c, why, "%.700s has credentials in it, and everybody may read it; chmod o-r takes care "
		                  "of that", path);
done:
	buf_done(&text);
	free(r);
	return err ? -1 : 0;
}
